#include "server/migration/sequential_load.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "server/base/log.h"
#include "server/convert/convert.h"
#include "server/convert/facts_record.h"
#include "server/migration/decision_records.h"
#include "server/migration/destination.h"
#include "server/migration/explain.h"
#include "server/migration/hand_over.h"
#include "server/migration/side_settings.h"
#include "server/migration/state_file.h"

namespace vuf {
namespace {

// Between two looks whether vufd stops, and at a socket that is not there.
constexpr absl::Duration kSlice = absl::Milliseconds(50);
// Between two looks at a destination that was refused.
constexpr absl::Duration kRefused = absl::Seconds(1);

GatherRequest RequestOf(const v1::Migration& migration, const std::vector<PermitAt>& permits) {
  GatherRequest request = RunRequest(migration, "");
  request.destination_socket = MonitorOf(migration.destination());
  for (const PermitAt& at : permits) request.request.own_permits[at.device] = at.permit.permit;
  return request;
}

std::vector<PermitAt> PermitsIn(const record::v1::SavedGuest& guest) {
  v1::Migration record;
  *record.mutable_permits() = guest.permits();
  return PermitsOf(record);
}

absl::Status StillThere(const std::string& socket) {
  return absl::UnavailableError(
      absl::StrCat("The source QEMU (", socket, ") was told to quit and is still there."));
}

}  // namespace

SequentialLoad::SequentialLoad(const RunParts& parts, v1::Migration migration,
                               record::v1::SavedGuest guest)
    : parts_(parts),
      migration_(std::move(migration)),
      guest_(std::move(guest)),
      deadline_(DeadlineOf(migration_, parts_.default_timeout)),
      gather_(RequestOf(migration_, PermitsIn(guest_))),
      source_(parts_.connector, parts_.clock, parts_.qmp_timeout,
              guest_.source_qemu().qmp_socket()),
      destination_(parts_.connector, parts_.clock, parts_.qmp_timeout,
                   MonitorOf(migration_.destination())),
      permits_(parts_.keepers, parts_.clock, parts_.qmp_timeout) {
  const v1::QemuProcess& began = migration_.destination_qemu();
  if (began.pid() > 0) began_ = ProcessId{began.pid(), began.start_ticks()};
}

void SequentialLoad::Go() {
  absl::StatusOr<VmFacts> recorded = FromRecord(guest_.source());
  absl::Status last = recorded.status();
  if (last.ok()) last = permits_.Use(PermitsIn(guest_));
  if (!last.ok()) return End(v1::Migration::STATE_FAILED, std::string(last.message()));
  recorded_ = *std::move(recorded);
  Source source = Source::kThere;
  do {
    if (source == Source::kThere) source = ReleaseSource();
    if (source == Source::kRuns) return SourceRuns();
    last = source == Source::kGone ? TryOnce() : StillThere(source_.socket());
    if (last.ok()) return HandOver();
    ShowWaiting(last);
    if (parts_.clock->Now() >= deadline_) return TimedOut(last);
  } while (Pause(absl::IsAborted(last) ? kRefused : kSlice));
}

// Whoever resumed it has given it its rings back, which made the marker in the file void.
void SequentialLoad::SourceRuns() {
  const std::string left = permits_.DisarmAll(parts_.clock->Now() + parts_.settle_timeout);
  End(v1::Migration::STATE_FAILED,
      absl::StrCat("Somebody resumed the source (", source_.socket(),
                   ") after it had saved its state: the guest runs there.", left,
                   ForgetSaved(*parts_.saved_guests, guest_.vm(), guest_.state_file())));
}

// Another process at its socket, or none, says that the source has ended. One that is there is told
// to quit only while it is seen stopped after its save.
SequentialLoad::Source SequentialLoad::ReleaseSource() {
  source_.Expect({guest_.source_qemu().pid(), guest_.source_qemu().start_ticks()});
  const Evidence<std::string> boot_id = parts_.gatherer->BootId();
  if (boot_id.known() && *boot_id.value != guest_.source_qemu().boot_id()) return Source::kGone;
  const absl::Status connected = source_.Reconnect();
  if (absl::IsNotFound(connected) || absl::IsFailedPrecondition(connected)) return Source::kGone;
  if (absl::IsAborted(connected)) return Source::kGone;
  if (!connected.ok()) return Source::kThere;
  const absl::StatusOr<std::string> state = source_.QueryRunState();
  if (state.ok() && *state == "running") return Source::kRuns;
  if (state.ok() && *state == "postmigrate") (void)source_.Do(Hypervisor::Act::kQuit);
  return Source::kThere;
}

absl::Status SequentialLoad::TryOnce() {
  if (began_.has_value()) {
    const absl::Status adopted = GoOnWith(*began_);
    if (!absl::IsNotFound(adopted)) return adopted;
    began_.reset();
  }
  Gathered gathered = parts_.gatherer->GatherDestination(gather_, recorded_,
                                                         parts_.clock->Now() + absl::Minutes(1));
  const VmFacts& there = *gathered.facts.destination;
  if (gathered.destination == nullptr) return absl::NotFoundError(there.monitor.detail);
  destination_.Use(std::move(gathered.destination), there.process);
  absl::Status loaded = Judge(gathered.facts);
  if (loaded.ok()) loaded = Load(gathered.facts);
  // Anything but "there is none" waits a little before the next try.
  if (!loaded.ok()) loaded = absl::AbortedError(loaded.message());
  // A monitor serves one client, and somebody may want to look at a destination that is refused.
  if (!loaded.ok()) destination_.Release();
  return loaded;
}

absl::Status SequentialLoad::GoOnWith(const ProcessId& process) {
  destination_.Expect(process);
  if (absl::Status there = destination_.Reconnect(); !there.ok()) {
    return absl::IsUnavailable(there) || absl::IsDeadlineExceeded(there)
               ? there
               : absl::NotFoundError(there.message());
  }
  const absl::StatusOr<MigrationInfo> info = destination_.QueryMigration();
  if (!info.ok()) return info.status();
  const bool begun = !info->status.empty() && info->status != "none";
  const absl::Status result =
      begun ? Conclude(Confirm()) : absl::NotFoundError("it has not begun to load");
  if (!result.ok()) destination_.Release();
  return result;
}

// One that runs was resumed by somebody else, but it was this guest's one right destination, and
// the keepers have let it in: there is no other copy.
absl::Status SequentialLoad::Conclude(const absl::Status& loaded) {
  const absl::StatusOr<std::string> state = destination_.QueryRunState();
  const bool runs = state.ok() && *state == "running";
  absl::Status done = loaded.ok() || runs ? Commit() : loaded;
  if (done.ok() || runs) return done;
  const absl::Status quit = QuitDestination(destination_);
  if (quit.ok()) began_.reset();
  Log(LogLevel::kWarning, "a destination could not take the saved guest",
      {{"migration", name()}, {"error", done.ToString()}, {"quit", quit.ToString()}});
  return absl::AbortedError(absl::StrCat(
      "the destination QEMU could not take the guest and was told to quit: ", done.message(),
      ". Start another one."));
}

absl::Status SequentialLoad::Commit() {
  return Explain(
      "writing the commit",
      parts_.ledger->Advance(name(), v1::Migration::STATE_COMMITTED, [&](v1::Migration& migration) {
        migration.set_message(guest_.was_running() ? "" : kStaysPaused);
      }));
}

absl::Status SequentialLoad::RecordJudgement(const Facts& facts, const Verdict& verdict) {
  const std::string reasons = ReasonsOf(verdict);
  absl::Status recorded;
  if (verdict.allow || reasons != refused_) {
    recorded = RecordDecision(parts_.decisions, migration_, v1::DECISION_TRIGGER_DESTINATION, facts,
                              verdict, judgement_);
    refused_ = verdict.allow || !recorded.ok() ? "" : reasons;
  }
  parts_.ledger->Show(name(),
                      [&](v1::Migration& migration) { *migration.mutable_verdict() = judgement_; });
  return recorded;
}

absl::Status SequentialLoad::Judge(const Facts& facts) {
  const Verdict verdict = parts_.evaluate(facts);
  const absl::Status recorded = RecordJudgement(facts, verdict);
  if (verdict.allow && !recorded.ok()) return recorded;
  if (verdict.allow && facts.destination->process.known()) return absl::OkStatus();
  std::vector<std::string> reasons;
  for (const Finding& finding : verdict.blockers) {
    reasons.push_back(absl::StrCat(finding.code, ": ", finding.message, " ", finding.remedy));
  }
  return absl::AbortedError(absl::StrCat("the destination at ", destination_.socket(),
                                         " may not take the guest. ", absl::StrJoin(reasons, " ")));
}

absl::Status SequentialLoad::Load(const Facts& facts) {
  absl::StatusOr<StateFile> file = StateFile::Open(
      guest_.state_file(), {guest_.file_device(), guest_.file_inode()}, guest_.file_size());
  if (!file.ok()) return file.status();
  absl::Status prepared = Prepare(facts);
  if (!prepared.ok()) {
    const std::string left = RestoreSide(destination_, "destination", destination_before_);
    return absl::Status(prepared.code(), absl::StrCat(prepared.message(), left));
  }
  began_ = facts.destination->process.value;
  const absl::Status incoming = destination_.PrepareIncoming(file->fd());
  return Conclude(incoming.ok() ? Confirm()
                                : Explain("migrate-incoming at the destination", incoming));
}

// Written down last: a restart must know which QEMU may have the guest.
absl::Status SequentialLoad::Prepare(const Facts& facts) {
  absl::Status status = permits_.NameDestination(*facts.destination);
  if (status.ok()) status = permits_.ArmAll(parts_.default_timeout + parts_.settle_timeout);
  if (status.ok()) status = Configure(*facts.destination);
  return status.ok() ? WriteDestination(facts) : status;
}

absl::Status SequentialLoad::Configure(const VmFacts& destination) {
  MigrationSettings wanted;
  wanted.capabilities = {{"return-path", false}, {"events", true}};
  wanted.mode = NormalMode(destination);
  SetRamTransfer(destination, gather_.request.shared_ram, wanted);
  return Explain("setting the destination QEMU's migration capabilities",
                 ConfigureSide(destination_, wanted, destination_before_));
}

absl::Status SequentialLoad::WriteDestination(const Facts& facts) {
  return Explain("writing down the destination",
                 parts_.ledger->Advance(name(), v1::Migration::STATE_AWAITING_DESTINATION,
                                        [&](v1::Migration& migration) {
                                          FillProcess(*facts.destination, facts.boot_id,
                                                      *migration.mutable_destination_qemu());
                                        }));
}

absl::Status SequentialLoad::Confirm() {
  const absl::Time limit = std::max(deadline_, parts_.clock->Now() + parts_.default_timeout);
  absl::Status status = AwaitLoaded(destination_, /*judged=*/nullptr, *parts_.clock, limit,
                                    [] { return absl::OkStatus(); });
  if (status.ok()) status = permits_.CheckLoaded();
  if (status.ok()) status = permits_.FenceAll(parts_.clock->Now() + parts_.settle_timeout);
  return status;
}

void SequentialLoad::HandOver() {
  const absl::Time limit = parts_.clock->Now() + parts_.settle_timeout;
  std::string message = guest_.was_running() ? "" : kStaysPaused;
  if (guest_.was_running()) {
    const absl::Status started = StartDestination(destination_, *parts_.clock, limit);
    if (!started.ok()) {
      return End(v1::Migration::STATE_FAILED, NotStarted(destination_.socket(), started));
    }
    message = permits_.NotHandedOver(parts_.clock->Now() + parts_.qmp_timeout);
  }
  absl::StrAppend(&message, RecordNewMonitor(*parts_.registry, *parts_.clock, migration_),
                  RestoreSide(destination_, "destination", destination_before_),
                  ForgetSaved(*parts_.saved_guests, guest_.vm(), guest_.state_file()));
  End(v1::Migration::STATE_SUCCEEDED, message);
}

void SequentialLoad::ShowWaiting(const absl::Status& why) {
  std::string message = absl::StrCat("The guest is in ", guest_.state_file(),
                                     "; waiting for a destination at ", destination_.socket(), ".");
  if (!absl::IsNotFound(why)) absl::StrAppend(&message, " Last: ", why.message());
  if (message == shown_) return;
  shown_ = message;
  parts_.ledger->Show(name(), [&](v1::Migration& migration) { migration.set_message(message); });
}

void SequentialLoad::TimedOut(const absl::Status& why) {
  End(v1::Migration::STATE_FAILED,
      absl::StrCat("timed out. The guest is in ", guest_.state_file(),
                   " and at its keepers, and runs nowhere: ask for the migration of ", guest_.vm(),
                   " with the same file again, which goes on from there. Keep the file, and the "
                   "keepers running. ",
                   absl::IsNotFound(why)
                       ? absl::StrCat("No destination appeared at ", destination_.socket(), ".")
                       : std::string(why.message())));
}

bool SequentialLoad::Pause(absl::Duration how_long) const {
  const absl::Time until = absl::Now() + how_long;
  do {
    if (parts_.ledger->stopping()) return false;
    absl::SleepFor(kSlice);
  } while (absl::Now() < until);
  return true;
}

void SequentialLoad::End(v1::Migration::State state, const std::string& message) {
  parts_.ledger->End(name(), state, message);
}

}  // namespace vuf
