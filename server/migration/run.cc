#include "server/migration/run.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/log.h"
#include "server/convert/convert.h"
#include "server/migration/explain.h"
#include "server/migration/identity.h"

namespace vuf {
namespace {

// Nothing but a new event ends Await early, so this bounds how late a cancel is seen. It costs a
// migration nothing: an event is returned at once.
constexpr absl::Duration kSlice = absl::Milliseconds(100);
// Between two looks at the progress, which also find what an event did not tell.
constexpr absl::Duration kLook = absl::Seconds(1);
// QEMU answers nothing while it waits for a back-end to drain; 5.5 s were measured. A cancel could
// not be delivered meanwhile either.
constexpr absl::Duration kPatience = absl::Seconds(30);

GatherRequest RequestOf(const v1::Migration& migration, const std::string& source_socket) {
  GatherRequest request;
  request.vm = migration.vm();
  request.source_socket = source_socket;
  request.destination_socket = migration.destination().same_host().qmp_socket();
  request.request.has_destination = true;
  request.request.shared_ram = migration.ram_transfer() == v1::RAM_TRANSFER_SHARED;
  for (const int mode : migration.allowed_modes()) {
    if (mode == v1::MIGRATION_MODE_STATELESS) request.request.allow_stateless = true;
    if (mode == v1::MIGRATION_MODE_STATEFUL) request.request.allow_stateful = true;
  }
  return request;
}

absl::Duration TimeoutOf(const v1::Migration& migration, absl::Duration by_default) {
  return migration.has_timeout() ? FromProto(migration.timeout()) : by_default;
}

}  // namespace

Run::Run(const RunParts& parts, v1::Migration migration, const std::string& source_socket)
    : parts_(parts),
      migration_(std::move(migration)),
      deadline_(FromProto(migration_.create_time()) +
                TimeoutOf(migration_, parts_.default_timeout)),
      gather_(RequestOf(migration_, source_socket)),
      source_(parts_.connector, parts_.clock, parts_.qmp_timeout, source_socket),
      destination_(parts_.connector, parts_.clock, parts_.qmp_timeout, *gather_.destination_socket),
      permits_(parts_.keepers, parts_.clock, parts_.qmp_timeout) {}

void Run::Go() {
  absl::Status status = Evaluate();
  if (refused_) return;
  if (status.ok()) status = Prepare();
  if (status.ok()) status = Transfer();
  if (status.ok()) status = SwitchOver();
  if (status.ok()) status = Confirm();
  if (status.ok()) status = Fence();
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
  return absl::DeadlineExceededError(absl::StrCat(
      "timed out: the migration's timeout of ",
      absl::FormatDuration(TimeoutOf(migration_, parts_.default_timeout)), " is over"));
}

absl::Status Run::Evaluate() {
  Gathered gathered = parts_.gatherer->Gather(gather_, deadline_);
  if (absl::Status stop = CheckStop(); !stop.ok()) return stop;
  decided_ = std::move(gathered.facts);
  verdict_ = parts_.evaluate(decided_);
  parts_.ledger->Show(
      name(), [&](v1::Migration& migration) { *migration.mutable_verdict() = ToProto(verdict_); });
  if (!verdict_.allow) {
    refused_ = true;
    parts_.ledger->End(name(), v1::Migration::STATE_REFUSED, "");
    return absl::OkStatus();
  }
  const std::string& required = migration_.required_fingerprint();
  if (!required.empty() && required != verdict_.fingerprint) {
    return absl::AbortedError(absl::StrCat("ABORTED: required_fingerprint is ", required,
                                           " but the fresh verdict has ", verdict_.fingerprint,
                                           "; evaluate again"));
  }
  if (gathered.source == nullptr || gathered.destination == nullptr ||
      !decided_.source.run_state.known()) {
    return absl::InternalError("the verdict allows without both monitors");
  }
  source_.Use(std::move(gathered.source), decided_.source.process);
  destination_.Use(std::move(gathered.destination), decided_.destination->process);
  return absl::OkStatus();
}

void Run::ShowProgress(const MigrationInfo& info) {
  parts_.ledger->Show(
      name(), [&](v1::Migration& migration) { FillProgress(info, *migration.mutable_progress()); });
}

absl::Status Run::SourceEnded(const std::string& status) {
  absl::StatusOr<MigrationInfo> info = source_.QueryMigration(kPatience);
  if (!info.ok()) return Explain("asking the source QEMU why its migration ended", info.status());
  ShowProgress(*info);
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
absl::Status Run::CheckGuest(const MonitorEvent& event) {
  if (event.name != "STOP" && event.name != "RESUME") return absl::OkStatus();
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
  while (true) {
    if (absl::Status stop = CheckStop(); !stop.ok()) return stop;
    absl::StatusOr<MonitorEvent> event = source_.Await(kSlice);
    if (!event.ok()) return Explain("waiting for events of the source QEMU", event.status());
    if (absl::Status guest = CheckGuest(*event); !guest.ok()) return guest;
    std::string status = event->status;
    if (event->name.empty() && parts_.clock->Now() >= next_look) {
      absl::StatusOr<MigrationInfo> info = source_.QueryMigration(kPatience);
      if (!info.ok()) return Explain("asking the source QEMU for its progress", info.status());
      ShowProgress(*info);
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
  if (absl::Status stream = ConnectStream(); !stream.ok()) return stream;
  return AwaitSource("pre-switchover");
}

// The guest is stopped from here on: everything counts as downtime. That is why this one state is
// shown but not written; a restart asks QEMU, and does not need it.
absl::Status Run::SwitchOver() {
  parts_.ledger->Show(name(), [&](v1::Migration& migration) {
    migration.set_state(v1::Migration::STATE_SWITCHING_OVER);
    migration.mutable_progress()->set_qemu_status("pre-switchover");
  });
  const absl::Time begin = parts_.clock->Now();
  const Facts now = parts_.gatherer->GatherAgain(gather_, *source_.hypervisor(),
                                                 *destination_.hypervisor(), deadline_);
  Log(LogLevel::kInfo, "looked again at pre-switchover",
      {{"migration", name()}, {"took", absl::FormatDuration(parts_.clock->Now() - begin)}});
  if (absl::Status stop = CheckStop(); !stop.ok()) return stop;
  std::vector<std::string> changes = ChangesSince(decided_, now);
  const std::vector<std::string> not_armed = permits_.NotArmed(now);
  changes.insert(changes.end(), not_armed.begin(), not_armed.end());
  if (!changes.empty()) {
    return absl::AbortedError(
        absl::StrCat("not switched over, because this is not what was judged:"
                     " ",
                     absl::StrJoin(changes, "; ")));
  }
  return Explain("migrate-continue at the source", source_.Do(Hypervisor::Act::kMigrateContinue));
}

// `completed` at the source alone proves nothing: a destination may have died over the state.
absl::Status Run::Confirm() {
  if (absl::Status completed = AwaitSource("completed"); !completed.ok()) return completed;
  absl::StatusOr<MigrationInfo> info = source_.QueryMigration(kPatience);
  if (!info.ok()) return Explain("confirming the end at the source QEMU", info.status());
  if (info->status != "completed") return SourceEnded(info->status);
  outcome_ = *std::move(info);
  if (absl::Status completed = AwaitDestination(); !completed.ok()) return completed;
  return CheckDestination();
}

absl::Status Run::AwaitDestination() {
  const absl::Time limit = parts_.clock->Now() + parts_.settle_timeout;
  while (true) {
    if (absl::Status stop = CheckStop(); !stop.ok()) return stop;
    absl::StatusOr<MigrationInfo> info = destination_.QueryMigration(kPatience);
    if (!info.ok()) return Explain("asking the destination QEMU whether it is done", info.status());
    if (info->status == "completed") return absl::OkStatus();
    if (info->status == "failed" || parts_.clock->Now() >= limit) {
      return absl::FailedPreconditionError(
          absl::StrCat("the source QEMU completed, but the destination's migration is \"",
                       info->status, "\": ", info->error_desc));
    }
    absl::StatusOr<MonitorEvent> event = destination_.Await(absl::Milliseconds(10));
    if (!event.ok()) return Explain("waiting for the destination QEMU", event.status());
  }
}

absl::Status Run::CheckDestination() {
  absl::StatusOr<VmFacts> facts = destination_.Observe();
  if (!facts.ok()) return Explain("looking at the destination QEMU", facts.status());
  if (facts->run_state.value != "paused") {
    return absl::FailedPreconditionError(absl::StrCat("the destination's run state is \"",
                                                      facts->run_state.value.value_or("unknown"),
                                                      "\" instead of \"paused\""));
  }
  if (!facts->devices.known()) {
    return absl::FailedPreconditionError("the destination's devices can not be listed any more");
  }
  for (const FsDeviceFacts& device : *facts->devices.value) {
    if (device.chardev.known() && device.chardev.value->connected) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("the destination's device ", device.subject(), " has lost its back-end"));
  }
  return absl::OkStatus();
}

}  // namespace vuf
