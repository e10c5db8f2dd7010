// What a reservation leads to, step by step.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/log.h"
#include "server/convert/convert.h"
#include "server/migration/destination.h"
#include "server/migration/explain.h"
#include "server/migration/hand_over.h"
#include "server/migration/identity.h"
#include "server/migration/incoming.h"
#include "server/migration/incoming_use.h"
#include "server/migration/side_settings.h"

namespace vuf {
namespace {

constexpr absl::Duration kRegistryTimeout = absl::Seconds(10);

absl::Status Expected(const v1::Reservation& record, v1::Reservation::State state) {
  if (record.state() == state) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(record.name(), " is ", v1::Reservation::State_Name(record.state()), " and not ",
                   v1::Reservation::State_Name(state)));
}

// As they were before Reserve, also when vufd was restarted since.
std::string RestoreSettings(Monitor& monitor, const v1::Reservation& record) {
  std::optional<MigrationSettings> before = FromProto(record.destination_qemu().settings());
  return RestoreSide(monitor, "destination", before);
}

}  // namespace

absl::Status Incoming::OpenStream(const std::string& name, const std::string& caller,
                                  absl::Time deadline) {
  absl::StatusOr<std::unique_ptr<Use>> use = Take(name, caller, deadline);
  if (!use.ok()) return use.status();
  Held& held = (*use)->held();
  absl::Status reserved = Expected((*use)->record(), v1::Reservation::STATE_RESERVED);
  if (!reserved.ok()) return reserved;
  // Asked again.
  if (held.streaming) return absl::OkStatus();
  if (held.listener == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(name, " had its one chance for a stream"));
  }
  const std::unique_ptr<StreamListener> listener = std::move(held.listener);
  absl::StatusOr<OwnedFd> stream = listener->Accept(held.token, deadline);
  if (!stream.ok()) return stream.status();
  const absl::Status prepared = (*use)->monitor().PrepareIncoming(stream->get());
  held.streaming = prepared.ok();
  return Explain("migrate-incoming at the destination", prepared);
}

absl::Status Incoming::Recheck(const std::string& name, const std::string& caller,
                               absl::Time deadline) {
  absl::StatusOr<std::unique_ptr<Use>> use = Take(name, caller, deadline);
  if (!use.ok()) return use.status();
  absl::Status reserved = Expected((*use)->record(), v1::Reservation::STATE_RESERVED);
  if (!reserved.ok()) return reserved;
  const std::optional<Facts>& decided = (*use)->held().decided;
  Hypervisor* const hypervisor = (*use)->monitor().hypervisor();
  if (!decided.has_value() || hypervisor == nullptr) {
    return absl::AbortedError("the destination's monitor was lost");
  }
  Facts now = *decided;
  now.destination =
      parts_.gatherer->LookAgain(*decided->destination, decided->now, *hypervisor, deadline);
  now.now = parts_.clock->Now();
  const std::vector<std::string> changes = ChangesSince(*decided, now);
  if (changes.empty()) return absl::OkStatus();
  return absl::AbortedError(absl::StrJoin(changes, "; "));
}

absl::Status Incoming::Promise(const std::string& name, const std::string& caller,
                               absl::Time deadline) {
  absl::StatusOr<std::unique_ptr<Use>> use = Take(name, caller, deadline);
  if (!use.ok()) return use.status();
  v1::Reservation record = (*use)->record();
  // Asked again.
  if (record.state() != v1::Reservation::STATE_RESERVED) return absl::OkStatus();
  // After a restart it is not known what was judged.
  const std::optional<Facts>& decided = (*use)->held().decided;
  const VmFacts* const judged = decided.has_value() ? &*decided->destination : nullptr;
  const absl::Status loaded = AwaitLoaded((*use)->monitor(), judged, *parts_.clock, deadline,
                                          [this] { return CheckStop(); });
  if (!loaded.ok()) return loaded;
  record.set_state(v1::Reservation::STATE_PROMISED);
  record.clear_lease_end_time();
  (*use)->held().next_step = parts_.clock->Now() + options_.ask_every;
  return Explain("writing the promise", (*use)->Put(std::move(record)));
}

absl::StatusOr<v1::Reservation> Incoming::Commit(const std::string& name, const std::string& caller,
                                                 absl::Time deadline) {
  v1::Reservation record;
  if (absl::Status owned = CheckOwner(name, caller, record); !owned.ok()) return owned;
  if (record.state() == v1::Reservation::STATE_DONE) return record;
  absl::StatusOr<std::unique_ptr<Use>> use = Take(name, caller, deadline);
  if (!use.ok()) {
    // It may have been done while we waited.
    const absl::Status owned = CheckOwner(name, caller, record);
    if (owned.ok() && record.state() == v1::Reservation::STATE_DONE) return record;
    return use.status();
  }
  if ((*use)->record().state() == v1::Reservation::STATE_RESERVED) {
    return Expected((*use)->record(), v1::Reservation::STATE_PROMISED);
  }
  const absl::Status finished = Finish(**use);
  if ((*use)->record().state() == v1::Reservation::STATE_PROMISED) return finished;
  record = (*use)->record();
  if (!finished.ok()) record.set_message(std::string(finished.message()));
  return record;
}

absl::Status Incoming::Finish(Use& use) {
  if (use.record().state() != v1::Reservation::STATE_COMMITTED) {
    v1::Reservation record = use.record();
    record.set_state(v1::Reservation::STATE_COMMITTED);
    const absl::Status written = use.Put(std::move(record));
    if (!written.ok()) return Explain("writing the commit", written);
  }
  Monitor& monitor = use.monitor();
  use.held().next_step = parts_.clock->Now() + options_.ask_every;
  if (use.record().guest_runs()) {
    const absl::Status started =
        StartDestination(monitor, *parts_.clock, parts_.clock->Now() + options_.settle_timeout);
    // Its process is gone: there is nothing to go on trying with.
    if (absl::IsNotFound(started) || absl::IsFailedPrecondition(started) ||
        absl::IsAborted(started)) {
      return EndDone(use, false, NotStarted(monitor.socket(), started));
    }
    if (!started.ok()) return started;
  }
  return EndDone(use, true, "");
}

absl::Status Incoming::EndDone(Use& use, bool guest_seen, const std::string& message) {
  v1::Reservation record = use.record();
  record.set_state(v1::Reservation::STATE_DONE);
  record.set_guest_seen(guest_seen);
  record.set_message(message);
  if (guest_seen) {
    absl::StrAppend(record.mutable_message(), RegisterVm(record),
                    RestoreSettings(use.monitor(), record));
  }
  *record.mutable_end_time() = ToProto(parts_.clock->Now());
  Log(guest_seen ? LogLevel::kInfo : LogLevel::kError, "a VM of another host came in",
      {{"reservation", record.name()}, {"vm", record.vm()}, {"message", record.message()}});
  return use.Put(std::move(record));
}

std::string Incoming::RegisterVm(const v1::Reservation& reservation) {
  v1::Vm vm;
  vm.set_name(reservation.vm());
  vm.set_qmp_socket(reservation.destination_qemu().qmp_socket());
  *vm.mutable_labels() = reservation.labels();
  const absl::Status created =
      parts_.registry->CreateVm(std::move(vm), {}, parts_.clock->Now() + kRegistryTimeout).status();
  // A second time after a crash.
  if (created.ok() || absl::IsAlreadyExists(created)) return "";
  return absl::StrCat(" ", reservation.vm(), " could not be registered here (", created.message(),
                      "): register it with ", reservation.destination_qemu().qmp_socket(), ".");
}

absl::StatusOr<v1::AbortReservationResponse> Incoming::Abort(
    const v1::AbortReservationRequest& request, const std::string& caller, absl::Time deadline) {
  std::optional<v1::Reservation> found =
      request.name().empty() ? book_.Find(request.source_agent(), request.migration())
                             : book_.Get(request.name());
  v1::AbortReservationResponse response;
  // Never made, or forgotten long ago: it will not be committed either way.
  if (!found.has_value() || found->reserved_by() != caller) return response;
  if (found->state() == v1::Reservation::STATE_RELEASED) {
    response.set_message(found->message());
    return response;
  }
  absl::StatusOr<std::unique_ptr<Use>> use = Take(found->name(), caller, deadline);
  if (!use.ok()) return use.status();
  const v1::Reservation::State state = (*use)->record().state();
  if (state != v1::Reservation::STATE_RESERVED && state != v1::Reservation::STATE_PROMISED) {
    return Expected((*use)->record(), v1::Reservation::STATE_PROMISED);
  }
  bool guest_ran = false;
  const absl::Status released =
      Release(**use, "The source's agent aborted the migration.", &guest_ran);
  if (!released.ok()) return released;
  response.set_guest_ran(guest_ran);
  response.set_message((*use)->record().message());
  return response;
}

// Quit first: should vufd end in between, the record still says that there is something to release.
absl::Status Incoming::Release(Use& use, const std::string& why, bool* guest_ran) {
  const std::string ran = RunStateThatRan(use.monitor());
  v1::Reservation record = use.record();
  record.set_message(why);
  if (!ran.empty()) {
    absl::StrAppend(record.mutable_message(), " The destination runs the guest (run state ", ran,
                    "), though vufd did not resume it; it was left alone.");
  } else {
    // One that was never told to receive is as good as new.
    absl::StrAppend(record.mutable_message(), use.held().listener != nullptr
                                                  ? RestoreSettings(use.monitor(), record)
                                                  : QuitOrTrap(use.monitor()));
  }
  if (guest_ran != nullptr) *guest_ran = !ran.empty();
  record.set_state(v1::Reservation::STATE_RELEASED);
  record.clear_lease_end_time();
  *record.mutable_end_time() = ToProto(parts_.clock->Now());
  Log(LogLevel::kWarning, "a reservation is released",
      {{"reservation", record.name()}, {"vm", record.vm()}, {"message", record.message()}});
  return Explain("writing the release", use.Put(std::move(record)));
}

}  // namespace vuf
