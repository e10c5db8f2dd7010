// The port to being told at once that a process has ended.
#ifndef VUFD_SERVER_DISCOVERY_PROCESS_WATCH_H_
#define VUFD_SERVER_DISCOVERY_PROCESS_WATCH_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/model/process.h"

namespace vuf {

// One thread adds, removes and waits; any may wake it.
class ProcessWatch {
 public:
  virtual ~ProcessWatch() = default;
  // NOT_FOUND: it has ended already, or the pid is another's by now. RESOURCE_EXHAUSTED: no room
  // for one more. Anything else: processes cannot be watched here.
  virtual absl::Status Add(const ProcessId& process) = 0;
  // Nothing happens when it is not watched.
  virtual void Remove(const ProcessId& process) = 0;
  // Those that have ended, which are no longer watched then. Empty after a Wake, or at `deadline`.
  virtual absl::StatusOr<std::vector<ProcessId>> Await(absl::Time deadline) = 0;
  // Ends the present Await, or the next one. Never blocks.
  virtual void Wake() = 0;
};

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_PROCESS_WATCH_H_
