#include "server/migration/run_remote.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/log.h"
#include "server/migration/explain.h"
#include "server/migration/hand_over.h"
#include "server/migration/side_settings.h"

namespace vuf {
namespace {

constexpr absl::Duration kAgain = absl::Milliseconds(500);
constexpr absl::Duration kRegistryTimeout = absl::Seconds(10);

void ShowWaiting(const RunParts& parts, const std::string& migration, const absl::Status& why) {
  Log(LogLevel::kWarning, "committed, and the destination has not taken the guest yet",
      {{"migration", migration}, {"error", why.ToString()}});
  parts.ledger->Show(migration, [&](v1::Migration& shown) {
    shown.set_message(absl::StrCat(
        "Committed: the VM belongs to the destination, which is told until it answers. Last: ",
        why.message(), "."));
  });
}

// Its record went with the guest.
std::string ForgetVm(const RunParts& parts, const v1::Migration& migration) {
  const absl::Status gone =
      parts.registry->DeleteVm(migration.vm(), "", parts.clock->Now() + kRegistryTimeout);
  if (gone.ok() || absl::IsNotFound(gone)) return "";
  return absl::StrCat(" ", migration.vm(), " is still registered here (", gone.message(),
                      "): remove it.");
}

void Succeeded(const RunParts& parts, const v1::Migration& migration, Monitor& source,
               std::optional<MigrationSettings> source_before, const v1::Reservation& there) {
  ShowOutcome(*parts.ledger, migration.name(), source);
  std::string message = there.guest_runs() ? "" : kStaysPaused;
  absl::StrAppend(&message, there.message(), ForgetVm(parts, migration));
  if (migration.source_disposition() == v1::SOURCE_DISPOSITION_QUIT) {
    absl::StrAppend(&message, QuitSource(source));
  } else {
    absl::StrAppend(&message, RestoreSide(source, "source", source_before));
  }
  parts.ledger->End(migration.name(), v1::Migration::STATE_SUCCEEDED, message);
}

// The destination's agent has answered, and will not say anything else.
void NotTaken(const RunParts& parts, const v1::Migration& migration, const std::string& agent,
              const std::string& what) {
  parts.ledger->End(
      migration.name(), v1::Migration::STATE_INTERRUPTED,
      absl::StrCat("Committed, so the VM belongs to the destination, but the vufd at ", agent,
                   " says: ", what, " The source (", migration.source_qemu().qmp_socket(),
                   ") stands stopped with the whole state. `cont` it only when it is certain that "
                   "the destination QEMU is gone and never ran the guest."));
}

}  // namespace

std::unique_ptr<Remote> RemoteOf(const RunParts& parts, const v1::Migration& migration) {
  if (!migration.destination().has_other_host() || parts.peers == nullptr) return nullptr;
  auto remote = std::make_unique<Remote>(parts.peers, parts.clock,
                                         Remote::Id{migration.destination().other_host().agent(),
                                                    parts.own_address, migration.name()});
  remote->TakeUp(migration.reservation());
  return remote;
}

bool IsCommittedElsewhere(const v1::Migration& migration) {
  return migration.state() == v1::Migration::STATE_COMMITTED &&
         migration.destination().has_other_host();
}

std::string AbortRemote(Remote& remote, absl::Time deadline, bool* guest_ran) {
  const absl::StatusOr<v1::AbortReservationResponse> aborted = remote.Abort(deadline);
  if (guest_ran != nullptr) *guest_ran = aborted.ok() && aborted->guest_ran();
  if (aborted.ok()) return "";
  return absl::StrCat(" The destination's agent could not be told (", aborted.status().message(),
                      "); it asks, or its lease ends, and it does not run the guest.");
}

void FinishRemote(const RunParts& parts, const v1::Migration& migration, Monitor& source,
                  Remote& remote, std::optional<MigrationSettings> source_before) {
  while (true) {
    const absl::StatusOr<v1::Reservation> there =
        remote.Commit(parts.clock->Now() + parts.settle_timeout);
    if (there.ok() && there->state() == v1::Reservation::STATE_DONE) {
      if (!there->guest_seen()) {
        return NotTaken(parts, migration, remote.agent(), there->message());
      }
      return Succeeded(parts, migration, source, std::move(source_before), *there);
    }
    if (!there.ok() && !IsNoAnswer(there.status())) {
      return NotTaken(parts, migration, remote.agent(),
                      absl::StrCat(there.status().message(), "."));
    }
    if (parts.ledger->stopping()) return;
    ShowWaiting(parts, migration.name(),
                there.ok() ? absl::UnavailableError(there->message()) : there.status());
    absl::SleepFor(kAgain);
  }
}

void ResumeRemote(const RunParts& parts, const v1::Migration& migration) {
  const v1::QemuProcess& qemu = migration.source_qemu();
  Monitor source(parts.connector, parts.clock, parts.qmp_timeout, qemu.qmp_socket());
  source.Expect({qemu.pid(), qemu.start_ticks()});
  const std::unique_ptr<Remote> remote = RemoteOf(parts, migration);
  if (remote == nullptr) {
    return parts.ledger->End(migration.name(), v1::Migration::STATE_INTERRUPTED,
                             "Committed, and this vufd is not set up to talk to others any more: "
                             "see what the destination's agent says of the reservation.");
  }
  // A commit whose write was reported as failed may be on the disk all the same; vufd then went
  // back to the source. So only a source that does not run the guest allows one here.
  const absl::Status connected = source.Reconnect();
  const bool gone = absl::IsNotFound(connected) || absl::IsFailedPrecondition(connected) ||
                    absl::IsAborted(connected);
  const absl::StatusOr<Standing> here =
      gone ? connected : source.WhereItStands(parts.clock->Now() + parts.settle_timeout);
  if (!gone && (!here.ok() || here->run_state != "postmigrate")) {
    return NotTaken(parts, migration, remote->agent(),
                    absl::StrCat("(it was not told, because the source is not seen stopped: ",
                                 here.ok() ? here->run_state : here.status().message(), ")"));
  }
  if (!parts.ledger->ClaimCommit(migration.name())) return;
  FinishRemote(parts, migration, source, *remote,
               gone ? std::nullopt : std::optional(FromProto(qemu.settings())));
}

absl::Status Run::ReserveThere() {
  v1::ReserveRequest request;
  *request.mutable_incoming() = parts_.gatherer->IncomingOf(gather_, decided_);
  request.set_required_fingerprint(peer_fingerprint_);
  request.set_guest_runs(guest_was_running());
  const absl::Status reserved =
      remote_->Reserve(request, std::min(deadline_, parts_.clock->Now() + 2 * parts_.qmp_timeout));
  if (!reserved.ok()) return reserved;
  // Written with the next state. A restart before that names the migration instead.
  parts_.ledger->Show(
      name(), [&](v1::Migration& migration) { migration.set_reservation(remote_->reservation()); });
  return absl::OkStatus();
}

absl::Status Run::OpenStreamThere() {
  incoming_ = true;
  absl::StatusOr<OwnedFd> stream =
      remote_->OpenStream(std::min(deadline_, parts_.clock->Now() + 2 * parts_.qmp_timeout));
  if (!stream.ok()) return stream.status();
  if (absl::Status stop = CheckStop(); !stop.ok()) return stop;
  const absl::Status outgoing = source_.StartOutgoing(stream->get());
  outgoing_ = !absl::IsFailedPrecondition(outgoing);
  return Explain("migrate at the source", outgoing);
}

std::vector<std::string> Run::RecheckThere() {
  const absl::Status same =
      remote_->Recheck(std::min(deadline_, parts_.clock->Now() + parts_.qmp_timeout));
  if (same.ok()) return {};
  return {std::string(same.message())};
}

}  // namespace vuf
