// What a migration sets at both QEMUs before it begins, and how it is put back.
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/convert/convert.h"
#include "server/migration/explain.h"
#include "server/migration/run.h"

namespace vuf {
namespace {

using Capabilities = std::map<std::string, bool>;

// QEMU before 8.2 has no such parameter.
std::optional<std::string> NormalMode(const VmFacts& vm) {
  if (vm.migration_mode.value.value_or("").empty()) return std::nullopt;
  return "normal";
}

// What was there as far as the decision saw it, for a Configure whose answer never came.
MigrationSettings Seen(const VmFacts& vm, const MigrationSettings& wanted) {
  MigrationSettings seen;
  for (const auto& [name, state] : wanted.capabilities) {
    if (!vm.capabilities.known()) continue;
    const auto it = vm.capabilities.value->find(name);
    if (it != vm.capabilities.value->end()) seen.capabilities[name] = it->second;
  }
  if (wanted.mode.has_value()) seen.mode = vm.migration_mode.value;
  return seen;
}

absl::Status Configure(Monitor& side, const VmFacts& vm, const MigrationSettings& wanted,
                       std::optional<MigrationSettings>& before) {
  before = Seen(vm, wanted);
  absl::StatusOr<MigrationSettings> replaced = side.Configure(wanted);
  if (!replaced.ok()) return replaced.status();
  before = *std::move(replaced);
  return absl::OkStatus();
}

// Whether guest memory travels is said in either case: another one's x-ignore-shared that was left
// on would give the destination blank memory.
//
// With shared memory the way back stays open all the same. Both QEMUs map one file, and until
// `cont` nothing at the destination writes to it: loading the state touches devices only (QEMU
// skips ROMs and resets while it waits for a migration), and its back-ends have no ring yet. So a
// source that is resumed, before the commit and after the destination was seen not to run, finds
// its memory as it left it.
void SetRamTransfer(const VmFacts& vm, bool shared, MigrationSettings& wanted) {
  const bool known = vm.capabilities.known();
  const auto it =
      known ? vm.capabilities.value->find(kIgnoreShared) : Capabilities::const_iterator();
  const bool on = known && it != vm.capabilities.value->end() && it->second;
  if (shared || on) wanted.capabilities[kIgnoreShared] = shared;
}

void FillProcess(const std::string& qmp_socket, const Evidence<ProcessId>& process,
                 const Evidence<std::string>& boot_id, v1::QemuProcess& out) {
  out.set_qmp_socket(qmp_socket);
  if (process.known()) {
    out.set_pid(process.value->pid);
    out.set_start_ticks(process.value->start_ticks);
  }
  out.set_boot_id(boot_id.value.value_or(""));
}

}  // namespace

// With the identities and the permits: a restart must know whose migration it may cancel, and which
// keepers may be waiting for it.
absl::Status Run::Prepare() {
  absl::StatusOr<std::vector<PermitAt>> permits = PlanPermits(decided_, verdict_, name());
  if (!permits.ok()) return permits.status();
  if (absl::Status usable = permits_.Use(*std::move(permits)); !usable.ok()) return usable;
  absl::Status written =
      parts_.ledger->Advance(name(), v1::Migration::STATE_PREPARING, [&](v1::Migration& migration) {
        FillProcess(source_.socket(), decided_.source.process, decided_.boot_id,
                    *migration.mutable_source_qemu());
        migration.mutable_source_qemu()->set_run_state(*decided_.source.run_state.value);
        FillProcess(destination_.socket(), decided_.destination->process, decided_.boot_id,
                    *migration.mutable_destination_qemu());
        RecordPermits(permits_.all(), migration);
      });
  if (!written.ok()) return Explain("writing the state PREPARING", written);
  if (absl::Status status = ConfigureSource(); !status.ok()) return status;
  if (absl::Status status = ConfigureDestination(); !status.ok()) return status;
  if (absl::Status stop = CheckStop(); !stop.ok()) return stop;
  return ArmPermits();
}

// Long enough for the end of the migration and the way back; a vufd that is gone by then leaves
// nothing behind that could still be used.
absl::Status Run::ArmPermits() {
  return permits_.ArmAll(deadline_ - parts_.clock->Now() + parts_.settle_timeout);
}

// return-path: without it the source reports success over a destination that failed.
// pause-before-switchover: the moment at which identities are checked a last time.
absl::Status Run::ConfigureSource() {
  MigrationSettings wanted;
  wanted.capabilities = {
      {"return-path", true}, {"events", true}, {"pause-before-switchover", true}};
  wanted.mode = NormalMode(decided_.source);
  SetRamTransfer(decided_.source, gather_.request.shared_ram, wanted);
  if (migration_.has_downtime_limit())
    wanted.downtime_limit = FromProto(migration_.downtime_limit());
  if (migration_.max_bandwidth_bytes_per_second() > 0) {
    wanted.max_bandwidth = migration_.max_bandwidth_bytes_per_second();
  }
  absl::Status status = Configure(source_, decided_.source, wanted, source_before_);
  if (!status.ok()) return Explain("setting the source QEMU's migration capabilities", status);
  return CheckBlockedReasons();
}

absl::Status Run::ConfigureDestination() {
  MigrationSettings wanted;
  wanted.capabilities = {{"return-path", true}, {"events", true}};
  wanted.mode = NormalMode(*decided_.destination);
  SetRamTransfer(*decided_.destination, gather_.request.shared_ram, wanted);
  return Explain("setting the destination QEMU's migration capabilities",
                 Configure(destination_, *decided_.destination, wanted, destination_before_));
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

std::string Run::Restore(Monitor& side, absl::string_view name,
                         std::optional<MigrationSettings>& before) {
  if (!before.has_value()) return "";
  absl::Status status = side.Configure(*before).status();
  if (!status.ok() && side.Reconnect().ok()) status = side.Configure(*before).status();
  before.reset();
  if (status.ok()) return "";
  return absl::StrCat(" The ", name,
                      "'s migration settings could not be put back: ", status.message(), ".");
}

}  // namespace vuf
