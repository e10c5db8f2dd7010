// The store in an SQLite file, "vufd.db" in the state directory.
#ifndef VUFD_SERVER_STORE_SQLITE_STORE_H_
#define VUFD_SERVER_STORE_SQLITE_STORE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/mutex.h"
#include "server/store/sqlite_connection.h"
#include "server/store/state_directory.h"
#include "server/store/store.h"

namespace vuf {

// Thread-safe. The mutex is held across I/O, the one place in vufd where that is so: it *is* the
// queue for the one connection, SQLite would serialise the callers just the same, and nobody takes
// it who is not about to do that I/O.
class SqliteStore : public Store {
 public:
  // Creates the file when there is none; never in place of one that cannot be read. Errors name
  // the path and say what to do: NOT_FOUND and FAILED_PRECONDITION (the directory; in use by
  // another agent; a newer schema), PERMISSION_DENIED, RESOURCE_EXHAUSTED (disk full), DATA_LOSS
  // (damaged: the file is left as it is).
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const std::string& directory);

  absl::StatusOr<std::vector<Record>> ReadAll(Table table) override;
  absl::Status Write(const std::vector<Change>& changes) override;

 private:
  struct Statements {
    SqliteStatement read, upsert, remove;
  };

  SqliteStore(std::string path, DirectoryLock lock, SqliteConnection db, Statements statements);
  absl::Status Apply(const Change& change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::string path_;
  const DirectoryLock lock_;
  Mutex mu_;
  // Before the statements: they must be finalized first.
  SqliteConnection db_ ABSL_GUARDED_BY(mu_);
  Statements statements_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vuf

#endif  // VUFD_SERVER_STORE_SQLITE_STORE_H_
