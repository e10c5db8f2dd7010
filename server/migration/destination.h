// What is asked of a destination that loads a guest.
#ifndef VUFD_SERVER_MIGRATION_DESTINATION_H_
#define VUFD_SERVER_MIGRATION_DESTINATION_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/migration/monitor.h"

namespace vuf {

// OK when the destination's own migration is `completed` and it holds the guest, paused, with the
// back-end of every device in `judged` connected; null: of every device that it has now, which
// takes a whole look while the guest stands still. QEMU's words when it failed, or is not done at
// `limit`. `check_stop` is asked all the time; an error of it ends the wait.
absl::Status AwaitLoaded(Monitor& destination, const VmFacts* judged, const Clock& clock,
                         absl::Time limit, const std::function<absl::Status()>& check_stop);
// Until an event says that the destination's migration has ended, however it did, or `go_on` is
// false, or the connection is lost. Only for whoever had the connection before that event.
void AwaitItsEnd(Monitor& destination, const std::function<bool()>& go_on);

// Tells it to quit. OK: its QEMU is gone for certain, or has acknowledged that it goes.
absl::Status QuitDestination(Monitor& destination);
// The same. Returns what a person must do about one that did not confirm it, in words with a
// leading space, or "".
std::string QuitOrTrap(Monitor& destination);
// Not empty: it runs the guest, or has run it: started without -S, or resumed by somebody else.
// Nothing is known when it does not answer; then only vufd's own `cont` could have started it.
std::string RunStateThatRan(Monitor& destination);

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_DESTINATION_H_
