// A store in memory for tests, with failures on demand. It stands for the disk: objects opened one
// after another on the same FakeStore see each other's records, as after a restart.
#ifndef VUFD_SERVER_STORE_FAKE_STORE_H_
#define VUFD_SERVER_STORE_FAKE_STORE_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/mutex.h"
#include "server/store/store.h"

namespace vuf {

class FakeStore : public Store {
 public:
  absl::StatusOr<std::vector<Record>> ReadAll(Table table) override;
  absl::Status Write(const std::vector<Change>& changes) override;

  // The next `count` writes fail with `status` and change nothing.
  void FailWrites(absl::Status status, int count = 1);
  // The next write that names `key` fails with `status` and changes nothing.
  void FailWriteOf(const std::string& key, absl::Status status);
  // All reads fail with `status` until it is OK again.
  void FailReads(absl::Status status);
  // Writes wait, holding nothing else up, until ReleaseWrites.
  void HoldWrites();
  void ReleaseWrites();
  // Returns false when no writer is being held within `timeout`.
  bool AwaitHeldWrite(absl::Duration timeout);

  // Successful writes so far, each with its number of changes.
  std::vector<size_t> writes() const;

 private:
  mutable Mutex mu_;
  CondVar changed_;
  std::map<std::pair<Table, std::string>, std::string> records_ ABSL_GUARDED_BY(mu_);
  std::vector<size_t> writes_ ABSL_GUARDED_BY(mu_);
  absl::Status write_failure_ ABSL_GUARDED_BY(mu_);
  int write_failures_left_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, absl::Status> failing_keys_ ABSL_GUARDED_BY(mu_);
  absl::Status read_failure_ ABSL_GUARDED_BY(mu_);
  bool hold_ ABSL_GUARDED_BY(mu_) = false;
  int held_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace vuf

#endif  // VUFD_SERVER_STORE_FAKE_STORE_H_
