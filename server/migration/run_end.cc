// How a migration ends: with the guest at the destination after the commit, at the source before.
#include <algorithm>
#include <future>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/migration/explain.h"
#include "server/migration/hand_over.h"
#include "server/migration/return_to_source.h"
#include "server/migration/run.h"
#include "server/migration/run_remote.h"
#include "server/migration/side_settings.h"

namespace vuf {

// Both QEMUs may be wrong about a session that neither of them has: its keeper is asked. From here
// on the keepers give the source's rings back to nobody, unless the permit is taken back.
// Before the commit, because after it a source that somebody resumes must find itself shut out.
absl::Status Run::Fence() {
  if (absl::Status loaded = permits_.CheckLoaded(); !loaded.ok()) return loaded;
  if (absl::Status stop = CheckStop(); !stop.ok()) return stop;
  return permits_.FenceAll(parts_.clock->Now());
}

// The source's QEMU has died after it sent everything: only the destination can go on, and it has
// all it needs. That the source is gone is proved twice, by its monitor and by the kernel or every
// keeper, which lost its connection; a source that only does not answer might still run.
absl::Status Run::GoOnWithoutSource() {
  const absl::Status monitor = source_.Reconnect();
  if (!absl::IsNotFound(monitor) && !absl::IsFailedPrecondition(monitor)) {
    return absl::FailedPreconditionError("the source QEMU may still be there");
  }
  const absl::Status gone = parts_.gatherer->IsGone(*decided_.source.process.value)
                                ? absl::OkStatus()
                                : permits_.CheckSourcesGone();
  if (!gone.ok()) return gone;
  const absl::Status confirmed = ConfirmDestination([this] { return CheckStop(); });
  if (!confirmed.ok()) return confirmed;
  Log(LogLevel::kWarning, "the source QEMU is gone; the migration goes on at the destination",
      {{"migration", name()}, {"vm", migration_.vm()}});
  return Fence();
}

// Durable before the destination is told to run. If this write fails the destination is not
// started; whether the record reached the disk all the same is unknown then, so a restart that
// finds it also looks at the source before it does anything.
absl::Status Run::Commit() {
  if (!parts_.ledger->ClaimCommit(name())) return CheckStop();
  return Explain(
      "writing the commit",
      parts_.ledger->Advance(name(), v1::Migration::STATE_COMMITTED, [&](v1::Migration& migration) {
        if (!guest_was_running()) migration.set_message(kStaysPaused);
      }));
}

void Run::HandOver() {
  if (remote_ != nullptr) {
    return FinishRemote(parts_, migration_, source_, *remote_, source_before_);
  }
  const absl::Time limit = parts_.clock->Now() + parts_.settle_timeout;
  if (guest_was_running()) {
    const absl::Status started =
        StartDestination(destination_, *parts_.clock, limit, /*seen_paused=*/true);
    if (!started.ok()) {
      return parts_.ledger->End(name(), v1::Migration::STATE_FAILED,
                                NotStarted(destination_.socket(), started));
    }
  }
  std::string message = guest_was_running() ? "" : kStaysPaused;
  if (guest_was_running()) {
    absl::StrAppend(&message, permits_.NotHandedOver(parts_.clock->Now() + parts_.qmp_timeout));
  }
  std::future<std::string> source =
      std::async(std::launch::async, [this] { return LeaveSource(); });
  absl::StrAppend(&message, RecordNewMonitor(*parts_.registry, *parts_.clock, migration_),
                  RestoreSide(destination_, "destination", destination_before_), source.get());
  parts_.ledger->End(name(), v1::Migration::STATE_SUCCEEDED, message);
}

std::string Run::LeaveSource() {
  ShowOutcome(*parts_.ledger, name(), source_);
  return migration_.source_disposition() == v1::SOURCE_DISPOSITION_QUIT
             ? QuitSource(source_)
             : RestoreSide(source_, "source", source_before_);
}

// The permits are taken back once the guest is where it belongs: a source that goes on has its
// rings without being asked for them, but not while it is fenced; then they come first.
Return Run::BackAtSource() {
  if (!outgoing_) {
    return {Return::Where::kSource,
            "The migration had not begun: the guest stays at the source, untouched."};
  }
  ReturnOptions options;
  options.run_state = decided_.source.run_state.value.value_or("running");
  options.may_resume = true;
  options.limit = parts_.clock->Now() + parts_.settle_timeout;
  // Also when the fence is not vufd's. Only one that is known to be there keeps the guest from its
  // file systems, so only then does a failure keep it from being resumed.
  options.before_resume = [&] {
    const std::string failed = permits_.DisarmAll(options.limit);
    return permits_.fenced() ? failed : "";
  };
  options.destination_ran = [&] { return RanThere(options.limit); };
  const bool here = !sequential() && remote_ == nullptr;
  return ReturnToSource(source_, here ? &destination_ : nullptr, *parts_.clock, options);
}

// Asked with the guest stopped, so not for long: without an answer nobody runs it there.
std::string Run::RanThere(absl::Time limit) {
  bool guest_ran = false;
  if (remote_ != nullptr) {
    (void)AbortRemote(*remote_, std::min(limit, parts_.clock->Now() + parts_.qmp_timeout),
                      &guest_ran);
  }
  return guest_ran ? "as its agent says" : "";
}

// All that a source learns of a destination that fails is that it did.
std::string Run::DestinationsError() {
  if (sequential() || remote_ != nullptr) return "";
  const absl::StatusOr<MigrationInfo> info = destination_.QueryMigration();
  if (!info.ok() || info->error_desc.empty()) return "";
  return absl::StrCat(" The destination QEMU says: ", info->error_desc, ".");
}

void Run::GoBack(const absl::Status& why) {
  Log(LogLevel::kWarning, "migration goes back",
      {{"migration", name()}, {"vm", migration_.vm()}, {"error", why.ToString()}});
  const Return back = BackAtSource();
  std::string message = absl::StrCat(why.message(), ". ", back.message);
  absl::StrAppend(
      &message, ReleasePermits(permits_, back.where, parts_.clock->Now() + parts_.settle_timeout));
  if (back.where != Return::Where::kUnknown) {
    absl::StrAppend(&message, RestoreSide(source_, "source", source_before_));
  }
  if (remote_ != nullptr) {
    absl::StrAppend(&message, AbortRemote(*remote_, parts_.clock->Now() + parts_.qmp_timeout,
                                          /*guest_ran=*/nullptr));
  }
  if (!incoming_) {
    absl::StrAppend(&message, RestoreSide(destination_, "destination", destination_before_));
  } else if (back.where != Return::Where::kDestination) {
    absl::StrAppend(&message, DestinationsError(),
                    " The destination QEMU cannot be used again: start a new one.");
  }
  absl::StrAppend(&message, RemoveStateFile(back.where));
  const bool asked = parts_.ledger->StopRequested(name()) != Ledger::Stop::kNone;
  parts_.ledger->End(name(),
                     asked && back.where == Return::Where::kSource ? v1::Migration::STATE_CANCELLED
                                                                   : v1::Migration::STATE_FAILED,
                     message);
}

}  // namespace vuf
