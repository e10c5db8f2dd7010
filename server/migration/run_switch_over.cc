// Who takes part is looked at a last time, QEMU is told to go on, and both sides report success.
#include <algorithm>
#include <atomic>
#include <future>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/log.h"
#include "server/migration/decision_records.h"
#include "server/migration/destination.h"
#include "server/migration/explain.h"
#include "server/migration/identity.h"
#include "server/migration/run.h"

namespace vuf {
namespace {

// Between two looks while memory is copied.
constexpr absl::Duration kLook = absl::Seconds(1);

absl::Status NotAsJudged(absl::string_view outcome, const std::vector<std::string>& changes) {
  return absl::AbortedError(absl::StrCat(
      outcome, ", because this is not what was judged: ", absl::StrJoin(changes, "; ")));
}

}  // namespace

// At the switch-over it would be refused all the same, but memory may be copied for minutes before
// that, and the destination's back-end is of no use any more.
absl::Status Run::CheckEndpoints() {
  const uint64_t revision = parts_.registry->snapshot()->revision;
  if (revision == revision_) return absl::OkStatus();
  revision_ = revision;
  const std::vector<std::string> changes =
      EndpointChangesSince(decided_, parts_.gatherer->Endpoints());
  return changes.empty() ? absl::OkStatus() : NotAsJudged("ended while memory was copied", changes);
}

Facts Run::Look(absl::Time limit) {
  Facts now = parts_.gatherer->GatherAgain(gather_, seen_.has_value() ? *seen_ : decided_,
                                           *source_.hypervisor(), destination_.hypervisor(), limit);
  if (remote_ != nullptr) {
    now.destination = decided_.destination;
    now.other_host = decided_.other_host;
  }
  return now;
}

std::vector<std::string> Run::Changes(const Facts& now) const {
  std::vector<std::string> changes = ChangesSince(decided_, now);
  const std::vector<std::string> not_armed = permits_.NotArmed(now);
  changes.insert(changes.end(), not_armed.begin(), not_armed.end());
  return changes;
}

bool Run::KeepersWatch() const {
  return remote_ == nullptr && EveryDeviceHasPermits(decided_.source, permits_.all());
}

absl::Duration Run::SinceLastLook() const {
  return parts_.clock->Now() - (seen_.has_value() ? seen_->now : decided_.now);
}

absl::Status Run::LookWhileCopying() {
  if (SinceLastLook() < kLook) return absl::OkStatus();
  seen_ = Look(std::min(deadline_, parts_.clock->Now() + parts_.switchover_timeout));
  // Nothing was learnt. Whether it is gone, and how far it had come, its events and their end tell.
  if (!seen_->source.monitor.known()) {
    seen_.reset();
    return absl::OkStatus();
  }
  const std::vector<std::string> changes = Changes(*seen_);
  if (changes.empty()) return absl::OkStatus();
  RecordRecheck(parts_.decisions, migration_, decided_, *seen_, permits_.all(), changes);
  return NotAsJudged("ended while memory was copied", changes);
}

absl::StatusOr<std::vector<std::string>> Run::LookAtPreSwitchover() {
  const absl::Time begin = parts_.clock->Now();
  const absl::Time limit = std::min(deadline_, begin + parts_.switchover_timeout);
  std::future<std::vector<std::string>> there;
  if (remote_ != nullptr) {
    there = std::async(std::launch::async, [this] { return RecheckThere(); });
  }
  seen_ = Look(limit);
  std::vector<std::string> changes = Changes(*seen_);
  if (there.valid()) {
    const std::vector<std::string> more = there.get();
    changes.insert(changes.end(), more.begin(), more.end());
  }
  Log(LogLevel::kInfo, "looked again at pre-switchover",
      {{"migration", name()}, {"took", absl::FormatDuration(parts_.clock->Now() - begin)}});
  if (parts_.clock->Now() < limit) return changes;
  return absl::DeadlineExceededError(absl::StrCat(
      "not switched over: looking again took longer than migrations.switchover_timeout, ",
      absl::FormatDuration(parts_.switchover_timeout)));
}

// A source that is gone may have handed over before, on somebody else's word: Go looks into that.
absl::Status Run::NotSwitchedOver(const std::vector<std::string>& changes) const {
  const absl::Status status = NotAsJudged("not switched over", changes);
  return seen_->source.monitor.known() ? status : absl::UnavailableError(status.message());
}

// The guest is stopped from here on: everything counts as downtime. That is why this one state is
// shown but not written; a restart asks QEMU, and does not need it.
absl::Status Run::SwitchOver() {
  if (absl::Status same = CheckEndpoints(); !same.ok()) return same;
  absl::StatusOr<std::vector<std::string>> changes = std::vector<std::string>();
  // A clock that was set back tells nothing.
  const absl::Duration age = SinceLastLook();
  const bool look = !KeepersWatch() || age < absl::ZeroDuration() || age >= 2 * kLook;
  if (look) {
    ShowSwitchOver();
    changes = LookAtPreSwitchover();
  }
  if (absl::Status stop = CheckStop(); !stop.ok()) return stop;
  if (!changes.ok()) return changes.status();
  const absl::Status continued =
      changes->empty()
          ? Explain("migrate-continue at the source", source_.Do(Hypervisor::Act::kMigrateContinue))
          : NotSwitchedOver(*changes);
  // Whoever watches is told while QEMU is busy.
  if (!look) ShowSwitchOver();
  if (seen_.has_value()) {
    RecordRecheck(parts_.decisions, migration_, decided_, *seen_, permits_.all(), *changes);
  }
  return continued;
}

// `completed` at the source alone proves nothing: a destination may have died over the state.
absl::Status Run::Confirm() {
  if (remote_ == nullptr) return ConfirmHere();
  if (absl::Status completed = AwaitSource("completed"); !completed.ok()) return completed;
  const absl::Status promised = ConfirmDestination([this] { return CheckStop(); });
  return promised.ok() ? Fence() : promised;
}

// The destination is done first, and is asked while the source tidies up and is shut out.
absl::Status Run::ConfirmHere() {
  std::atomic<bool> completed = false;
  std::atomic<bool> in_vain = false;
  std::future<absl::Status> there = std::async(std::launch::async, [&] {
    AwaitItsEnd(destination_, [&] { return !completed && !in_vain; });
    return ConfirmDestination([&] {
      return in_vain ? absl::CancelledError("the source has not sent everything") : CheckStop();
    });
  });
  absl::Status here = AwaitSource("completed");
  (here.ok() ? completed : in_vain) = true;
  if (here.ok()) here = Fence();
  const absl::Status confirmed = there.get();
  return completed && !confirmed.ok() ? confirmed : here;
}

void Run::ShowSwitchOver() {
  parts_.ledger->Show(name(), [](v1::Migration& migration) {
    migration.set_state(v1::Migration::STATE_SWITCHING_OVER);
    migration.mutable_progress()->set_qemu_status("pre-switchover");
  });
}

absl::Status Run::ConfirmDestination(const std::function<absl::Status()>& check_stop) {
  const absl::Time limit = parts_.clock->Now() + parts_.settle_timeout;
  if (remote_ != nullptr) return remote_->Promise(limit);
  return AwaitLoaded(destination_, &*decided_.destination, *parts_.clock, limit, check_stop);
}

}  // namespace vuf
