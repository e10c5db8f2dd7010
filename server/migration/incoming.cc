#include "server/migration/incoming.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/log.h"
#include "server/convert/convert.h"
#include "server/convert/facts_record.h"
#include "server/convert/peer_facts.h"
#include "server/decisions/make_record.h"
#include "server/migration/explain.h"
#include "server/migration/incoming_use.h"
#include "server/migration/run.h"
#include "server/migration/side_settings.h"

namespace vuf {
namespace {

using State = v1::Reservation;

// 32 hexadecimal digits that nobody can guess.
absl::StatusOr<std::string> NewSecret() {
  char bytes[kStreamTokenBytes / 2];
  if (getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes)) {
    return absl::InternalError(absl::StrCat("getrandom: ", strerror(errno)));
  }
  return absl::BytesToHexString(absl::string_view(bytes, sizeof bytes));
}

std::string CodesOf(const Verdict& verdict) {
  return absl::StrJoin(verdict.blockers, "; ", [](std::string* out, const Finding& finding) {
    absl::StrAppend(out, finding.code, ": ", finding.message);
  });
}

absl::Status NotFound(const std::string& name) {
  return absl::NotFoundError(absl::StrCat("there is no reservation \"", name, "\" of yours"));
}

absl::Status NotIn(const v1::Reservation& record) {
  return absl::FailedPreconditionError(absl::StrCat(
      record.name(), " is ", v1::Reservation::State_Name(record.state()), ". ", record.message()));
}

// What a migration changes at the QEMU that it comes to.
MigrationSettings SettingsFor(const VmFacts& vm) {
  MigrationSettings wanted;
  wanted.capabilities = {{"return-path", true}, {"events", true}};
  wanted.mode = NormalMode(vm);
  SetRamTransfer(vm, false, wanted);
  return wanted;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Incoming>> Incoming::Open(const Parts& parts,
                                                         const Options& options) {
  std::unique_ptr<Incoming> incoming(new Incoming(parts, options));
  if (absl::Status started = incoming->Start(); !started.ok()) return started;
  return incoming;
}

Incoming::~Incoming() { Shutdown(); }

absl::Status Incoming::Start() {
  if (absl::Status loaded = book_.Load(); !loaded.ok()) return loaded;
  for (const v1::Reservation& reservation : book_.Open()) HoldAgain(reservation);
  thread_ = std::thread([this] { Tend(); });
  return absl::OkStatus();
}

void Incoming::Shutdown() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

absl::Status Incoming::CheckStop() const {
  MutexLock lock(&mu_);
  return stopping_ ? absl::UnavailableError("vufd is stopping") : absl::OkStatus();
}

void Incoming::HoldAgain(const v1::Reservation& reservation) {
  auto held = std::make_shared<Held>();
  const v1::QemuProcess& qemu = reservation.destination_qemu();
  held->monitor = std::make_unique<Monitor>(parts_.connector, parts_.clock, options_.qmp_timeout,
                                            qemu.qmp_socket());
  // A monitor's path outlives its QEMU: no other process is talked to.
  held->monitor->Expect({qemu.pid(), qemu.start_ticks()});
  MutexLock lock(&mu_);
  held_[reservation.name()] = std::move(held);
}

std::shared_ptr<Incoming::Held> Incoming::Find(const std::string& name) const {
  const auto it = held_.find(name);
  return it == held_.end() ? nullptr : it->second;
}

absl::Status Incoming::CheckOwner(const std::string& name, const std::string& caller,
                                  v1::Reservation& record) const {
  std::optional<v1::Reservation> found = book_.Get(name);
  if (!found.has_value()) return NotFound(name);
  if (!caller.empty() && found->reserved_by() != caller) return NotFound(name);
  record = *std::move(found);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Incoming::Use>> Incoming::Take(const std::string& name,
                                                              const std::string& caller,
                                                              absl::Time deadline) {
  v1::Reservation record;
  if (absl::Status owned = CheckOwner(name, caller, record); !owned.ok()) return owned;
  std::shared_ptr<Held> held;
  {
    MutexLock lock(&mu_);
    while ((held = Find(name)) != nullptr && held->busy) {
      const absl::Duration left = deadline - parts_.clock->Now();
      if (stopping_ || left <= absl::ZeroDuration()) {
        return absl::UnavailableError(absl::StrCat(name, " is being worked on; ask again"));
      }
      changed_.WaitFor(&mu_, std::min(left, absl::Seconds(1)));
    }
    if (held != nullptr) held->busy = true;
  }
  // It may have ended while we waited.
  record = *book_.Get(name);
  if (held == nullptr) return NotIn(record);
  return std::make_unique<Use>(this, std::move(held), std::move(record));
}

absl::StatusOr<v1::JudgeIncomingResponse> Incoming::Judge(const v1::IncomingMigration& incoming,
                                                          absl::Time deadline) {
  const absl::StatusOr<Facts> theirs = FactsFromPeer(incoming.source_facts(), parts_.clock->Now());
  if (!theirs.ok()) return Explain("incoming.source_facts", theirs.status());
  const Facts facts = parts_.gatherer->GatherIncoming(incoming, *theirs, deadline).facts;
  v1::JudgeIncomingResponse response;
  *response.mutable_verdict() = ToProto(parts_.evaluate(facts));
  Facts own = facts;
  own.source = VmFacts();
  response.set_destination_facts(SerializeFacts(own));
  return response;
}

absl::Status Incoming::RecordDecisionOf(const v1::ReserveRequest& request,
                                        const std::string& caller, const Facts& facts,
                                        const Verdict& verdict) {
  v1::DecisionRecord record = MakeRecord(facts, verdict);
  record.set_vm(request.incoming().vm());
  record.set_trigger(v1::DECISION_TRIGGER_RESERVE);
  record.set_migration(request.incoming().migration());
  record.set_actor(caller);
  return Explain("writing down the decision", parts_.decisions->AddDurably(record));
}

// Fills what the reservation says and what is held for it, and touches nothing.
absl::StatusOr<v1::Reservation> Incoming::Judged(const v1::ReserveRequest& request,
                                                 const std::string& caller, Held& held,
                                                 absl::Time deadline) {
  const v1::IncomingMigration& incoming = request.incoming();
  const absl::StatusOr<Facts> theirs = FactsFromPeer(incoming.source_facts(), parts_.clock->Now());
  if (!theirs.ok()) return Explain("incoming.source_facts", theirs.status());
  Gathered gathered = parts_.gatherer->GatherIncoming(incoming, *theirs, deadline);
  const Verdict verdict = parts_.evaluate(gathered.facts);
  const absl::Status recorded = RecordDecisionOf(request, caller, gathered.facts, verdict);
  if (!recorded.ok()) return recorded;
  if (!verdict.allow || gathered.destination == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat("refused: ", CodesOf(verdict)));
  }
  if (verdict.fingerprint != request.required_fingerprint()) {
    return absl::FailedPreconditionError(
        absl::StrCat("required_fingerprint is ", request.required_fingerprint(),
                     " but the fresh verdict has ", verdict.fingerprint));
  }
  v1::Reservation out;
  out.set_state(v1::Reservation::STATE_RESERVED);
  out.set_migration(incoming.migration());
  out.set_source_agent(incoming.source_agent());
  out.set_vm(incoming.vm());
  *out.mutable_labels() = incoming.labels();
  FillProcess(*gathered.facts.destination, gathered.facts.boot_id, *out.mutable_destination_qemu());
  out.set_guest_runs(request.guest_runs());
  out.set_reserved_by(caller);
  *out.mutable_create_time() = ToProto(parts_.clock->Now());
  out.set_fingerprint(verdict.fingerprint);
  held.monitor = std::make_unique<Monitor>(parts_.connector, parts_.clock, options_.qmp_timeout,
                                           incoming.qmp_socket());
  held.monitor->Use(std::move(gathered.destination), gathered.facts.destination->process);
  held.decided = std::move(gathered.facts);
  const absl::StatusOr<MigrationSettings> settings =
      SettingsBefore(*held.monitor, SettingsFor(*held.decided->destination));
  if (!settings.ok()) return Explain("reading the destination QEMU's settings", settings.status());
  *out.mutable_destination_qemu()->mutable_settings() = ToProto(*settings);
  return out;
}

v1::ReserveResponse Incoming::ResponseOf(const v1::Reservation& reservation,
                                         const Held& held) const {
  v1::ReserveResponse response;
  *response.mutable_reservation() = reservation;
  if (held.listener != nullptr) response.set_stream_address(held.listener->address());
  response.set_stream_token(held.token);
  *response.mutable_lease() = ToProto(options_.lease);
  return response;
}

absl::StatusOr<v1::ReserveResponse> Incoming::Reserve(const v1::ReserveRequest& request,
                                                      const std::string& caller,
                                                      absl::Time deadline) {
  const v1::IncomingMigration& incoming = request.incoming();
  if (options_.stream_host.empty()) {
    return absl::FailedPreconditionError(
        "nothing comes in here: peer.stream_address is not configured");
  }
  const auto before = book_.Find(incoming.source_agent(), incoming.migration());
  if (before.has_value() && IsOpen(*before)) {
    absl::StatusOr<std::unique_ptr<Use>> use = Take(before->name(), caller, deadline);
    if (!use.ok()) return use.status();
    return ResponseOf((*use)->record(), (*use)->held());
  }
  if (parts_.registry->snapshot()->vms.count(incoming.vm()) > 0) {
    return absl::AlreadyExistsError(absl::StrCat(incoming.vm(), " is registered here already"));
  }
  auto held = std::make_shared<Held>();
  absl::StatusOr<v1::Reservation> record = Judged(request, caller, *held, deadline);
  const absl::StatusOr<std::string> name = NewSecret();
  absl::StatusOr<std::string> token = NewSecret();
  absl::StatusOr<std::unique_ptr<StreamListener>> listener =
      StreamListener::Open(options_.stream_host);
  for (const absl::Status& status :
       {record.status(), name.status(), token.status(), listener.status()}) {
    if (!status.ok()) return status;
  }
  record->set_name(absl::StrCat("reservations/r", *name));
  held->token = *std::move(token);
  held->listener = *std::move(listener);
  held->lease_end = parts_.clock->Now() + options_.lease;
  held->busy = true;
  *record->mutable_lease_end_time() = ToProto(held->lease_end);
  if (absl::Status added = book_.Add(*record); !added.ok()) return added;
  {
    MutexLock lock(&mu_);
    held_[record->name()] = held;
  }
  Use use(this, held, *record);
  Log(LogLevel::kInfo, "reserved for a VM of another host",
      {{"reservation", record->name()}, {"vm", record->vm()}, {"caller", caller}});
  if (absl::Status configured = Configure(*held); !configured.ok()) {
    (void)Release(use, std::string(configured.message()), nullptr);
    return configured;
  }
  return ResponseOf(*record, *held);
}

absl::Status Incoming::Configure(Held& held) {
  return Explain("setting the destination QEMU's migration capabilities",
                 held.monitor->Configure(SettingsFor(*held.decided->destination)).status());
}

absl::StatusOr<absl::Duration> Incoming::Renew(const std::string& name, const std::string& caller,
                                               absl::Time deadline) {
  absl::StatusOr<std::unique_ptr<Use>> use = Take(name, caller, deadline);
  if (!use.ok()) return use.status();
  (*use)->held().lease_end = parts_.clock->Now() + options_.lease;
  return options_.lease;
}

}  // namespace vuf
