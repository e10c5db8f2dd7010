#include "server/migration/return_to_source.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/migration/destination.h"

namespace vuf {
namespace {

constexpr absl::Duration kSlice = absl::Milliseconds(20);

Return SourceIsAt(const std::string& run_state, const ReturnOptions& options) {
  if (run_state == options.run_state) {
    return {Return::Where::kSource,
            absl::StrCat("The guest is at the source as before (run state ", run_state, ").")};
  }
  return {Return::Where::kSourceOther,
          absl::StrCat("The guest is at the source, but its run state is ", run_state,
                       " instead of ", options.run_state, "; vufd leaves it so.")};
}

absl::Status ContSource(Monitor& source, const Clock& clock, absl::Time limit) {
  while (true) {
    absl::Status cont = source.Do(Hypervisor::Act::kCont);
    absl::StatusOr<Standing> standing = source.WhereItStands(limit);
    if (!standing.ok()) return standing.status();
    if (standing->run_state == "running") return absl::OkStatus();
    if (clock.Now() >= limit) {
      return cont.ok() ? absl::DeadlineExceededError(
                             absl::StrCat("its run state is ", standing->run_state))
                       : cont;
    }
    absl::SleepFor(kSlice);
  }
}

// The source has completed, and the destination has not been told to run. A destination that was
// started with -S runs the guest only when somebody says `cont`; vufd has not, and never will once
// this migration has ended. So resuming the source cannot make two running copies, not even when
// the destination does not confirm that it quits; it is asked first because a complete copy that
// waits for `cont` is a trap for people, and the message names the trap if it stays set.
Return ResumeSource(Monitor& source, Monitor* destination, const Clock& clock,
                    const ReturnOptions& options) {
  std::string ran;
  if (destination != nullptr) ran = RunStateThatRan(*destination);
  if (destination == nullptr && options.destination_ran) ran = options.destination_ran();
  if (!ran.empty()) {
    return {Return::Where::kDestination,
            absl::StrCat("The destination runs the guest already (run state ", ran,
                         "), though vufd did not start it: the VM is there. The source is stopped "
                         "and must never be resumed.")};
  }
  const std::string trap = destination == nullptr ? "" : QuitOrTrap(*destination);
  const std::string obstacle = options.before_resume ? options.before_resume() : "";
  if (!obstacle.empty()) {
    return {
        Return::Where::kUnknown,
        absl::StrCat("The source (", source.socket(),
                     ") holds the guest, stopped, and was not resumed, because it would not get "
                     "its file systems back.",
                     obstacle, trap)};
  }
  if (options.run_state != "running") {
    return {Return::Where::kSource,
            absl::StrCat("The guest is at the source, stopped as it was before (run state "
                         "postmigrate; `cont` resumes it).",
                         trap)};
  }
  const absl::Status resumed = ContSource(source, clock, options.limit);
  if (resumed.ok()) {
    return {
        Return::Where::kSource,
        absl::StrCat("The guest is at the source, which was resumed after it had handed over (run "
                     "state running).",
                     trap)};
  }
  return {Return::Where::kUnknown,
          absl::StrCat("The source holds the guest, stopped, and could not be resumed (",
                       resumed.message(), "): `cont` it at ", source.socket(), ".", trap)};
}

}  // namespace

bool MigrationUnderWay(const std::string& status) {
  return !(status.empty() || status == "none" || status == "completed" || status == "failed" ||
           status == "cancelled");
}

Return ReturnToSource(Monitor& source, Monitor* destination, const Clock& clock,
                      const ReturnOptions& options) {
  std::string last;
  do {
    absl::StatusOr<Standing> standing = source.WhereItStands(options.limit);
    if (!standing.ok()) {
      return {Return::Where::kUnknown,
              absl::StrCat("The source QEMU does not answer (", standing.status().message(),
                           "), so where the guest stands is not known; vufd has not started the "
                           "destination. Look at both before anything is resumed.")};
    }
    last =
        absl::StrCat("migration ", standing->migration.status, ", run state ", standing->run_state);
    const std::string& status = standing->migration.status;
    if (MigrationUnderWay(status)) {
      // Fails only when it is too late or the connection breaks; both show at the next look.
      if (status != "cancelling" && status != "failing") {
        (void)source.Do(Hypervisor::Act::kMigrateCancel);
      }
    } else if (standing->run_state == "postmigrate") {
      const bool may_resume = options.may_resume || (options.never_ran && options.never_ran());
      if (may_resume) return ResumeSource(source, destination, clock, options);
      return {Return::Where::kHandedOver, "The source has handed over and is stopped."};
    } else if (standing->run_state != "finish-migrate") {
      return SourceIsAt(standing->run_state, options);
    }
    (void)source.Await(kSlice);
  } while (clock.Now() < options.limit);
  return {Return::Where::kUnknown,
          absl::StrCat("The source QEMU did not give the guest back in time (", last,
                       "): look at it before anything is resumed.")};
}

std::string ReleasePermits(Permits& permits, Return::Where where, absl::Time limit) {
  switch (where) {
    case Return::Where::kSource:
    case Return::Where::kSourceOther:
      return permits.DisarmAll(limit);
    case Return::Where::kDestination:
      return permits.NotHandedOver(limit);
    case Return::Where::kHandedOver:
    case Return::Where::kUnknown:
      break;
  }
  return permits.LeftInForce();
}

}  // namespace vuf
