// Waiting for a descriptor.
#ifndef VUFD_SERVER_BASE_WAIT_READY_H_
#define VUFD_SERVER_BASE_WAIT_READY_H_

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace vuf {

// Waits until `events` (poll) are ready on `fd`. DEADLINE_EXCEEDED when they are not in time.
absl::Status WaitReady(int fd, short events, absl::Time deadline);

}  // namespace vuf

#endif  // VUFD_SERVER_BASE_WAIT_READY_H_
