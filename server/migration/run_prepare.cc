// What a migration sets at both QEMUs before it begins, and how it is put back.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <future>
#include <map>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/convert/convert.h"
#include "server/migration/explain.h"
#include "server/migration/run.h"
#include "server/migration/side_settings.h"

namespace vuf {
namespace {

// What the request asks for, but no more than the policy allows.
template <typename T>
std::optional<T> Lower(const std::optional<T>& asked, const Setting<T>& allowed) {
  if (!asked.has_value()) return allowed.value;
  return allowed.value.has_value() ? std::min(*asked, *allowed.value) : asked;
}

}  // namespace

void FillProcess(const VmFacts& vm, const Evidence<std::string>& boot_id, v1::QemuProcess& out) {
  out.set_qmp_socket(vm.qmp_socket);
  if (vm.process.known()) {
    out.set_pid(vm.process.value->pid);
    out.set_start_ticks(vm.process.value->start_ticks);
  }
  out.set_boot_id(boot_id.value.value_or(""));
}

absl::Status Run::Prepare() {
  absl::StatusOr<std::vector<PermitAt>> permits = PlanPermits(decided_, verdict_, name());
  if (!permits.ok()) return permits.status();
  if (absl::Status usable = permits_.Use(*std::move(permits)); !usable.ok()) return usable;
  if (absl::Status known = RememberSettings(); !known.ok()) return known;
  if (absl::Status written = WritePrepared(); !written.ok()) return written;
  // Another host is asked for nothing before this one is ready.
  std::future<absl::Status> there =
      std::async(remote_ == nullptr ? std::launch::async : std::launch::deferred,
                 [this] { return ConfigureDestination(); });
  if (absl::Status status = ConfigureSource(); !status.ok()) return status;
  if (absl::Status status = there.get(); !status.ok()) return status;
  if (absl::Status stop = CheckStop(); !stop.ok()) return stop;
  return ArmPermits();
}

absl::Status Run::RememberSettings() {
  MigrationSettings changed = SourceSettings();
  // Converge may change it later.
  if (policy().convergence.value.has_value()) changed.downtime_limit = absl::ZeroDuration();
  absl::StatusOr<MigrationSettings> before = SettingsBefore(source_, changed);
  if (!before.ok()) return Explain("reading the source QEMU's settings", before.status());
  source_before_ = *std::move(before);
  if (sequential() || remote_ != nullptr) return absl::OkStatus();
  before = SettingsBefore(destination_, DestinationSettings());
  if (!before.ok()) return Explain("reading the destination QEMU's settings", before.status());
  destination_before_ = *std::move(before);
  return absl::OkStatus();
}

// With the identities, the settings and the permits: a restart must know whose migration it may
// cancel, what to put back, and which keepers may be waiting for it.
absl::Status Run::WritePrepared() {
  const auto fill = [&](v1::Migration& migration) {
    v1::QemuProcess& source = *migration.mutable_source_qemu();
    FillProcess(decided_.source, decided_.boot_id, source);
    source.set_run_state(*decided_.source.run_state.value);
    *source.mutable_settings() = ToProto(*source_before_);
    if (decided_.destination.has_value()) {
      v1::QemuProcess& destination = *migration.mutable_destination_qemu();
      FillProcess(*decided_.destination,
                  remote_ == nullptr ? decided_.boot_id : decided_.other_host->boot_id,
                  destination);
      if (destination_before_) *destination.mutable_settings() = ToProto(*destination_before_);
    }
    RecordPermits(permits_.all(), migration);
  };
  return Explain("writing the state PREPARING",
                 parts_.ledger->Advance(name(), v1::Migration::STATE_PREPARING, fill));
}

// Long enough for the end of the migration and the way back; a vufd that is gone by then leaves
// nothing behind that could still be used.
absl::Status Run::ArmPermits() {
  return permits_.ArmAll(deadline_ - parts_.clock->Now() + parts_.settle_timeout);
}

// return-path: without it the source reports success over a destination that failed. A file cannot
// answer, and QEMU fails when it is asked to.
// pause-before-switchover: the moment at which identities are checked a last time.
MigrationSettings Run::SourceSettings() const {
  MigrationSettings wanted;
  wanted.capabilities = {
      {"return-path", !sequential()}, {"events", true}, {"pause-before-switchover", true}};
  wanted.mode = NormalMode(decided_.source);
  SetRamTransfer(decided_.source, gather_.request.shared_ram, wanted);
  std::optional<absl::Duration> downtime;
  if (migration_.has_downtime_limit()) downtime = FromProto(migration_.downtime_limit());
  wanted.downtime_limit = Lower(downtime, policy().max_downtime);
  std::optional<uint64_t> bandwidth;
  if (migration_.max_bandwidth_bytes_per_second() > 0) {
    bandwidth = migration_.max_bandwidth_bytes_per_second();
  }
  wanted.max_bandwidth = Lower(bandwidth, policy().max_bandwidth);
  PrepareThrottle(wanted);
  return wanted;
}

MigrationSettings Run::DestinationSettings() const {
  MigrationSettings wanted;
  wanted.capabilities = {{"return-path", true}, {"events", true}};
  wanted.mode = NormalMode(*decided_.destination);
  SetRamTransfer(*decided_.destination, gather_.request.shared_ram, wanted);
  return wanted;
}

absl::Status Run::ConfigureSource() {
  const absl::Status status = source_.Configure(SourceSettings()).status();
  if (!status.ok()) return Explain("setting the source QEMU's migration capabilities", status);
  return CheckBlockedReasons();
}

absl::Status Run::ConfigureDestination() {
  if (remote_ != nullptr) return ReserveThere();
  if (sequential()) return absl::OkStatus();
  return Explain("setting the destination QEMU's migration capabilities",
                 destination_.Configure(DestinationSettings()).status());
}

// QEMU lists what blocks the mode that is set, so what was read in another mode says nothing.
absl::Status Run::CheckBlockedReasons() {
  if (source_before_->mode.value_or("normal") == "normal") return absl::OkStatus();
  absl::StatusOr<VmFacts> facts = source_.Observe();
  if (!facts.ok()) return Explain("reading blocked-reasons again", facts.status());
  if (!facts->blocked_reasons.known()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "blocked-reasons in mode normal are unknown: ", facts->blocked_reasons.detail));
  }
  if (facts->blocked_reasons.value->empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "in mode normal the source QEMU says: ", absl::StrJoin(*facts->blocked_reasons.value, "; ")));
}

absl::Status Run::ConnectStream() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return absl::InternalError(absl::StrCat("socketpair: ", strerror(errno)));
  }
  const absl::Cleanup close_ends = [&ends] {
    close(ends[0]);
    close(ends[1]);
  };
  incoming_ = true;
  absl::Status incoming = destination_.PrepareIncoming(ends[0]);
  if (!incoming.ok()) return Explain("migrate-incoming at the destination", incoming);
  if (absl::Status stop = CheckStop(); !stop.ok()) return stop;
  absl::Status outgoing = source_.StartOutgoing(ends[1]);
  // A refusal in QEMU's words means that nothing was begun, and what is under way is not ours.
  outgoing_ = !absl::IsFailedPrecondition(outgoing);
  return Explain("migrate at the source", outgoing);
}

}  // namespace vuf
