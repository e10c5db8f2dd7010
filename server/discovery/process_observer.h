// One process, looked at as a back-end.
#ifndef VUFD_SERVER_DISCOVERY_PROCESS_OBSERVER_H_
#define VUFD_SERVER_DISCOVERY_PROCESS_OBSERVER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/discovery/discovery.h"
#include "server/discovery/executable.h"
#include "server/discovery/procfs.h"
#include "server/discovery/share_observer.h"
#include "server/model/back_end.h"

namespace vuf {

// Makes everything that is learnt from the process unknown. The socket's facts stay.
void ForgetProcess(const std::string& why, BackEndFacts& facts);

// Whether the executable is called like vuf-keeper.
bool IsKeeper(absl::string_view executable);

class ProcessObserver {
 public:
  ProcessObserver(const Procfs* procfs, ExecutableInspector* inspector, const Clock* clock)
      : procfs_(procfs), inspector_(inspector), clock_(clock), share_observer_(procfs, clock) {}

  // Fills what the process says; `socket`, `front_ends` and `profile_modes` are left to others.
  // When the process ends or another one gets its pid meanwhile, everything is unknown.
  void Observe(int pid, Look look, absl::Time deadline, BackEndFacts& facts) const;

  // Which of `pids`, all holding one socket, serves it: a keeper, whatever its children inherited;
  // otherwise the back-ends among them, and of a parent and its child the child.
  // FAILED_PRECONDITION when that does not leave exactly one.
  absl::StatusOr<int> ServingProcess(const std::vector<int>& pids) const;

 private:
  void ObserveExecutable(int pid, int root_pid, absl::Time deadline, BackEndFacts& facts) const;
  void ObserveOptions(int pid, BackEndFacts& facts) const;
  absl::StatusOr<ProcessIds> Ids(int pid, const absl::StatusOr<ProcStatus>& status) const;
  absl::StatusOr<DescriptorFacts> Descriptors(int pid, absl::Time deadline) const;

  const Procfs* const procfs_;
  ExecutableInspector* const inspector_;
  const Clock* const clock_;
  const ShareObserver share_observer_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_PROCESS_OBSERVER_H_
