// The way back: whatever failed before the commit, the guest goes on at the source.
#ifndef VUFD_SERVER_MIGRATION_RETURN_TO_SOURCE_H_
#define VUFD_SERVER_MIGRATION_RETURN_TO_SOURCE_H_

#include <functional>
#include <string>

#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/migration/monitor.h"
#include "server/migration/permits.h"

namespace vuf {

// Neither completed, failed nor cancelled; a status that is not known here is under way.
bool MigrationUnderWay(const std::string& status);

struct Return {
  enum class Where {
    // Nothing could be learnt, or not in time.
    kUnknown = 0,
    // As it was before the migration began.
    kSource,
    // Stopped at the source after a complete hand-over, and it may not be resumed.
    kHandedOver,
    // At the source, in a state that vufd did not cause and does not change.
    kSourceOther,
    // The destination ran it, though vufd never told it to. The source stays stopped.
    kDestination,
  };
  Where where = Where::kUnknown;
  // One or two sentences: where the VM is now, and what is left to do.
  std::string message;
};

struct ReturnOptions {
  // The source's run state before the migration.
  std::string run_state = "running";
  // Whether a source that has completed may be resumed. Only for whoever knows that the destination
  // was never told to run; see ResumeSource for the reasons.
  bool may_resume = false;
  // For whoever may find that out: asked when the source is seen to have completed, not before.
  // What keepers say while QEMU is still at it is out of date by then.
  std::function<bool()> never_ran;
  absl::Time limit;
  // With a null `destination`: the run state in which one elsewhere ran the guest, "" for none.
  std::function<std::string()> destination_ran;
  // Called before a source that has completed is resumed. Words ("" is none): it stays stopped, for
  // this reason.
  std::function<std::string()> before_resume;
};

// Cancels what is under way at the source and waits until the guest is back. A null `destination`:
// nothing was ever told to one.
Return ReturnToSource(Monitor& source, Monitor* destination, const Clock& clock,
                      const ReturnOptions& options);
// What becomes of the permits then. Back at the source they are taken back, until `limit`. Where
// the guest is not known they stay: the destination may need them. Returns what a person must know,
// in words with a leading space, or "".
std::string ReleasePermits(Permits& permits, Return::Where where, absl::Time limit);

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_RETURN_TO_SOURCE_H_
