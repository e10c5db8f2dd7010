// What is asked of a destination that loads a guest.
#ifndef VUFD_SERVER_MIGRATION_DESTINATION_H_
#define VUFD_SERVER_MIGRATION_DESTINATION_H_

#include <functional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/migration/monitor.h"

namespace vuf {

// OK when the destination's own migration is `completed`. Its words when it failed, or is not done
// at `limit`. `check_stop` is asked all the time; an error of it ends the wait.
absl::Status AwaitLoaded(Monitor& destination, const Clock& clock, absl::Time limit,
                         const std::function<absl::Status()>& check_stop);
// OK when it holds the guest, paused, with every back-end connected.
absl::Status CheckStanding(Monitor& destination);

// Tells it to quit. OK: its QEMU is gone for certain, or has acknowledged that it goes.
absl::Status QuitDestination(Monitor& destination);

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_DESTINATION_H_
