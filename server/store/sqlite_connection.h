// SQLite's C interface, with absl::Status for errors.
#ifndef VUFD_SERVER_STORE_SQLITE_CONNECTION_H_
#define VUFD_SERVER_STORE_SQLITE_CONNECTION_H_

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace vuf {

struct SqliteCloser {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
struct SqliteFinalizer {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using SqliteStatement = std::unique_ptr<sqlite3_stmt, SqliteFinalizer>;

// One connection. Not thread-safe.
class SqliteConnection {
 public:
  // Opens a file that exists, or an empty one that the caller has created. Reads and writes
  // nothing yet; closing it does not write either, so that a damaged file stays as it is.
  static absl::StatusOr<SqliteConnection> Open(const std::string& path);

  absl::Status Execute(const std::string& sql);
  absl::StatusOr<SqliteStatement> Prepare(const std::string& sql);
  // The first column of the first row; an error when there is none.
  absl::StatusOr<std::string> QueryText(const std::string& sql);
  absl::StatusOr<int64_t> QueryInt(const std::string& sql);
  // What the last failed call means; `doing` says what was tried. RESOURCE_EXHAUSTED: no space.
  // DATA_LOSS: damaged.
  // FAILED_PRECONDITION: another program uses the file. INTERNAL: everything else.
  absl::Status Error(absl::string_view doing) const;
  sqlite3* get() const { return db_.get(); }

 private:
  SqliteConnection(sqlite3* db, std::string path) : db_(db), path_(std::move(path)) {}

  std::unique_ptr<sqlite3, SqliteCloser> db_;
  std::string path_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_STORE_SQLITE_CONNECTION_H_
