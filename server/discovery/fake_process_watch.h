// Processes that end when a test says so.
#ifndef VUFD_SERVER_DISCOVERY_FAKE_PROCESS_WATCH_H_
#define VUFD_SERVER_DISCOVERY_FAKE_PROCESS_WATCH_H_

#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "server/base/mutex.h"
#include "server/discovery/process_watch.h"

namespace vuf {

// Thread-safe. Watches anything until it is told to fail.
class FakeProcessWatch : public ProcessWatch {
 public:
  // Add returns `status` from now on, for every process.
  void FailAdd(absl::Status status);
  // The process ends, watched or not.
  void End(const ProcessId& process);
  std::vector<ProcessId> watched() const;
  // How often Add was called so far.
  int adds() const;
  // Until `process` is watched, nobody is, or Add was called so often; false: not within `timeout`.
  bool AwaitWatched(const ProcessId& process, absl::Duration timeout);
  bool AwaitNobody(absl::Duration timeout);
  bool AwaitAdds(int count, absl::Duration timeout);

  absl::Status Add(const ProcessId& process) override;
  void Remove(const ProcessId& process) override;
  absl::StatusOr<std::vector<ProcessId>> Await(absl::Time deadline) override;
  void Wake() override;

 private:
  bool AwaitThat(const std::function<bool()>& condition, absl::Duration timeout);
  bool IsWatched(const ProcessId& process) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  CondVar changed_;
  absl::Status add_status_ ABSL_GUARDED_BY(mu_);
  int adds_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<ProcessId> watched_ ABSL_GUARDED_BY(mu_);
  std::vector<ProcessId> dead_ ABSL_GUARDED_BY(mu_);
  std::vector<ProcessId> ended_ ABSL_GUARDED_BY(mu_);
  bool woken_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_FAKE_PROCESS_WATCH_H_
