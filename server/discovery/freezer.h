// Whether a process is in a frozen control group: nothing in its own state tells.
#ifndef VUFD_SERVER_DISCOVERY_FREEZER_H_
#define VUFD_SERVER_DISCOVERY_FREEZER_H_

#include "absl/status/statusor.h"
#include "server/discovery/procfs.h"

namespace vuf {

// Looks at the freezers of both versions, or those of them that the host has. An error: the control
// group is not to be seen from where vufd is.
absl::StatusOr<bool> IsFrozen(const Procfs& procfs, int pid);

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_FREEZER_H_
