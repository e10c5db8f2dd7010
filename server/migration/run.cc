#include "server/migration/run.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/convert/convert.h"
#include "server/migration/decision_records.h"
#include "server/migration/explain.h"
#include "server/migration/run_remote.h"

namespace vuf {
namespace {

// Nothing but a new event ends Await early, so this bounds how late a cancel is seen. It costs a
// migration nothing: an event is returned at once.
constexpr absl::Duration kSlice = absl::Milliseconds(100);
constexpr absl::Duration kSoon = absl::Milliseconds(10);
// Between two looks at the progress, which also find what an event did not tell.
constexpr absl::Duration kLook = absl::Seconds(1);
// QEMU answers nothing while it waits for a back-end to drain; 5.5 s were measured. A cancel could
// not be delivered meanwhile either.
constexpr absl::Duration kPatience = absl::Seconds(30);

absl::Duration TimeoutOf(const v1::Migration& migration, absl::Duration by_default) {
  return migration.has_timeout() ? FromProto(migration.timeout()) : by_default;
}

}  // namespace

GatherRequest RunRequest(const v1::Migration& migration, const std::string& source_socket) {
  GatherRequest request;
  request.vm = migration.vm();
  request.source_socket = source_socket;
  request.request.sequential = migration.destination().has_sequential();
  request.request.has_destination = true;
  request.migration = migration.name();
  if (migration.destination().has_other_host()) {
    request.other_host = migration.destination().other_host();
  } else if (!request.request.sequential) {
    // What is at a sequential one's path now is not looked at before the source has left.
    request.destination_socket = MonitorOf(migration.destination());
  }
  request.request.shared_ram = migration.ram_transfer() == v1::RAM_TRANSFER_SHARED;
  for (const int mode : migration.allowed_modes()) {
    if (mode == v1::MIGRATION_MODE_STATELESS) request.request.allow_stateless = true;
    if (mode == v1::MIGRATION_MODE_STATEFUL) request.request.allow_stateful = true;
  }
  return request;
}

absl::Time DeadlineOf(const v1::Migration& migration, absl::Duration default_timeout) {
  return FromProto(migration.create_time()) + TimeoutOf(migration, default_timeout);
}

Run::Run(const RunParts& parts, v1::Migration migration, const std::string& source_socket)
    : parts_(parts),
      migration_(std::move(migration)),
      timeout_(TimeoutOf(migration_, parts_.default_timeout)),
      deadline_(DeadlineOf(migration_, parts_.default_timeout)),
      gather_(RunRequest(migration_, source_socket)),
      source_(parts_.connector, parts_.clock, parts_.qmp_timeout, source_socket),
      destination_(parts_.connector, parts_.clock, parts_.qmp_timeout,
                   MonitorOf(migration_.destination())),
      permits_(parts_.keepers, parts_.clock, parts_.qmp_timeout),
      remote_(RemoteOf(parts_, migration_)) {}

void Run::Go() {
  absl::Status status = Evaluate();
  if (refused_) return;
  if (status.ok()) status = Prepare();
  if (status.ok()) status = Transfer();
  if (status.ok()) status = SwitchOver();
  if (sequential()) {
    if (status.ok()) status = ConfirmSaved();
    if (status.ok()) status = CommitToFile();
    return status.ok() ? void() : GoBack(status);
  }
  if (status.ok()) status = Confirm();
  if (absl::IsUnavailable(status) && outgoing_ && GoOnWithoutSource().ok()) {
    status = absl::OkStatus();
  }
  if (status.ok()) status = Commit();
  if (!status.ok()) return GoBack(status);
  HandOver();
}

absl::Status Run::CheckStop() const {
  switch (parts_.ledger->StopRequested(name())) {
    case Ledger::Stop::kCancel:
      return absl::CancelledError("cancelled on request");
    case Ledger::Stop::kShutdown:
      return absl::CancelledError("cancelled because vufd is stopping");
    case Ledger::Stop::kNone:
      break;
  }
  if (parts_.clock->Now() < deadline_) return absl::OkStatus();
  return absl::DeadlineExceededError(absl::StrCat("timed out: the migration's timeout of ",
                                                  absl::FormatDuration(timeout_), " is over"));
}

absl::Status Run::Evaluate() {
  Gathered gathered = parts_.gatherer->Gather(gather_, deadline_);
  if (absl::Status stop = CheckStop(); !stop.ok()) return stop;
  decided_ = std::move(gathered.facts);
  verdict_ = parts_.evaluate(decided_);
  if (verdict_.allow) TakePlaces();
  v1::Verdict shown;
  const absl::Status recorded =
      RecordDecision(parts_.decisions, migration_, v1::DECISION_TRIGGER_CREATE_MIGRATION, decided_,
                     verdict_, shown);
  parts_.ledger->Show(name(),
                      [&](v1::Migration& migration) { *migration.mutable_verdict() = shown; });
  if (!verdict_.allow) {
    refused_ = true;
    parts_.ledger->End(name(), v1::Migration::STATE_REFUSED, "");
    return absl::OkStatus();
  }
  if (!recorded.ok()) return recorded;
  Tighten();
  const std::string& required = migration_.required_fingerprint();
  if (!required.empty() && required != verdict_.fingerprint) {
    return absl::AbortedError(absl::StrCat("ABORTED: required_fingerprint is ", required,
                                           " but the fresh verdict has ", verdict_.fingerprint,
                                           "; evaluate again"));
  }
  const bool has_destination = sequential() || remote_ != nullptr;
  if (gathered.source == nullptr || (gathered.destination == nullptr && !has_destination) ||
      !decided_.source.run_state.known()) {
    return absl::InternalError("the verdict allows without every monitor");
  }
  source_.Use(std::move(gathered.source), decided_.source.process);
  peer_fingerprint_ = std::move(gathered.peer_fingerprint);
  if (has_destination) return absl::OkStatus();
  destination_.Use(std::move(gathered.destination), decided_.destination->process);
  return absl::OkStatus();
}

absl::Status Run::SourceEnded(const std::string& status) {
  absl::StatusOr<MigrationInfo> info = source_.QueryMigration(kPatience);
  if (!info.ok()) return Explain("asking the source QEMU why its migration ended", info.status());
  ShowProgress(*parts_.ledger, name(), *info);
  if (status == "completed") {
    return absl::FailedPreconditionError(
        "the source QEMU completed without waiting at pre-switchover");
  }
  return absl::FailedPreconditionError(
      absl::StrCat("the source QEMU's migration ended as \"", status,
                   "\": ", info->error_desc.empty() ? "QEMU gives no reason" : info->error_desc));
}

// Whether the destination is resumed was decided with the verdict. A guest that an operator stopped
// meanwhile would be running there, one that was resumed would stand still.
absl::Status Run::CheckGuest() {
  const absl::StatusOr<std::string> state = source_.QueryRunState(kPatience);
  if (!state.ok()) return Explain("asking the source QEMU for its run state", state.status());
  const std::string& judged = *decided_.source.run_state.value;
  if (*state == judged || *state == "finish-migrate" || *state == "postmigrate") {
    return absl::OkStatus();
  }
  return absl::AbortedError(absl::StrCat("somebody else changed the guest's run state from ",
                                         judged, " to ", *state, " during the migration"));
}

absl::Status Run::AwaitSource(absl::string_view wanted) {
  absl::Time next_look = parts_.clock->Now() + kLook;
  const bool copying = wanted == "pre-switchover";
  // The guest was stopped or resumed. When QEMU itself does it, it says at once what for.
  bool moved = false;
  while (true) {
    if (absl::Status stop = CheckStop(); !stop.ok()) return stop;
    if (absl::Status step = Converge(); !step.ok()) return step;
    if (absl::Status same = copying ? CheckEndpoints() : absl::OkStatus(); !same.ok()) return same;
    if (absl::Status same = copying ? LookWhileCopying() : absl::OkStatus(); !same.ok())
      return same;
    if (remote_ != nullptr) {
      if (absl::Status held = remote_->CheckLease(); !held.ok()) return held;
    }
    absl::StatusOr<MonitorEvent> event = source_.Await(moved ? kSoon : kSlice);
    if (!event.ok()) return Explain("waiting for events of the source QEMU", event.status());
    if (event->status == wanted) return absl::OkStatus();
    if (absl::Status guest = moved ? CheckGuest() : absl::OkStatus(); !guest.ok()) return guest;
    moved = event->name == "STOP" || event->name == "RESUME";
    std::string status = event->status;
    if (event->name.empty() && parts_.clock->Now() >= next_look) {
      absl::StatusOr<MigrationInfo> info = source_.QueryMigration(kPatience);
      if (!info.ok()) return Explain("asking the source QEMU for its progress", info.status());
      ShowProgress(*parts_.ledger, name(), *info);
      const absl::Status moves = copying ? CheckProgress(*info) : absl::OkStatus();
      if (!moves.ok()) return moves;
      status = info->status;
      next_look = parts_.clock->Now() + kLook;
    }
    if (status == wanted) return absl::OkStatus();
    if (status == "failed" || status == "cancelled" || status == "completed") {
      return SourceEnded(status);
    }
  }
}

absl::Status Run::Transfer() {
  // Written before QEMU is told to begin: a restart must know that there is something to cancel.
  absl::Status written = parts_.ledger->Advance(name(), v1::Migration::STATE_TRANSFERRING);
  if (!written.ok()) return Explain("writing the state TRANSFERRING", written);
  absl::Status begun = sequential()         ? SaveToFile()
                       : remote_ != nullptr ? OpenStreamThere()
                                            : ConnectStream();
  if (!begun.ok()) return begun;
  transfer_begun_ = parts_.clock->Now();
  const absl::Status copied = AwaitSource("pre-switchover");
  transfer_begun_ = absl::InfiniteFuture();
  return copied;
}

}  // namespace vuf
