#include "server/hypervisor/fake_vm.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace vuf {
namespace {

constexpr char kGone[] = "the monitor is gone: end of file";

template <typename T>
void Stamp(Evidence<T>& evidence, absl::Time now) {
  if (evidence.known()) evidence.observed_at = now;
}

void StampDevice(FsDeviceFacts& device, absl::Time now) {
  Stamp(device.tag, now);
  Stamp(device.request_queues, now);
  Stamp(device.queue_size, now);
  Stamp(device.driver_running, now);
  Stamp(device.pci_address, now);
  Stamp(device.chardev_label, now);
  Stamp(device.chardev, now);
  Stamp(device.migration_property, now);
}

}  // namespace

FakeVm::FakeVm(VmFacts vm_facts) : facts(std::move(vm_facts)) {
  if (!facts.monitor.known()) facts.monitor = Known(std::string("QMP"), Source::kQmp, absl::Now());
  if (!facts.run_state.known()) {
    facts.run_state = Known(std::string("running"), Source::kQmp, absl::Now());
  }
  migration.status = facts.migration_status.value.value_or("");
  if (facts.capabilities.known()) settings.capabilities = *facts.capabilities.value;
  for (const char* name :
       {"return-path", "events", "pause-before-switchover", "x-ignore-shared", "auto-converge"}) {
    settings.capabilities.emplace(name, false);
  }
  settings.mode = facts.migration_mode.value.value_or("normal");
  settings.downtime_limit = absl::Milliseconds(300);
  settings.max_bandwidth = 134217728;
  settings.cpu_throttle_initial = 20;
  settings.max_cpu_throttle = 99;
  ever_ran = run_state() == "running";
}

bool FakeVm::has(const std::string& capability) const {
  const auto it = settings.capabilities.find(capability);
  return it != settings.capabilities.end() && it->second;
}

void FakeVm::Emit(const std::string& event) { events.push_back({event, ""}); }

void FakeVm::SetStatus(const std::string& status, const std::string& error) {
  migration.status = status;
  migration.error_desc = error;
  if (has("events")) events.push_back({"MIGRATION", status});
}

void FakeVm::SetRunState(const std::string& run_state) { facts.run_state.value = run_state; }

void FakeVm::Stop(const std::string& run_state) {
  SetRunState(run_state);
  Emit("STOP");
}

void FakeVm::Run() {
  SetRunState("running");
  ever_ran = true;
  Emit("RESUME");
  if (back_ends != nullptr && back_ends->start) back_ends->start(facts.qmp_socket);
}

void FakeVm::End() {
  gone = absl::UnavailableError(kGone);
  if (back_ends != nullptr && back_ends->gone) back_ends->gone(facts.qmp_socket);
}

absl::Status FakeVm::Save() const {
  if (back_ends == nullptr || !back_ends->save) return absl::OkStatus();
  return back_ends->save(facts.qmp_socket);
}

absl::Status FakeVm::Load() const {
  if (back_ends == nullptr || !back_ends->load) return absl::OkStatus();
  return back_ends->load(facts.qmp_socket);
}

VmFacts FakeVm::Snapshot(absl::Time now) const {
  VmFacts out = facts;
  out.migration_status = Known(migration.status, Source::kQmp, now);
  if (out.capabilities.known()) out.capabilities.value = settings.capabilities;
  if (out.migration_mode.known() && !out.migration_mode.value->empty()) {
    out.migration_mode.value = settings.mode.value_or("");
  }
  Stamp(out.monitor, now);
  Stamp(out.process, now);
  Stamp(out.uuid, now);
  Stamp(out.guest_name, now);
  Stamp(out.qemu_version, now);
  Stamp(out.run_state, now);
  Stamp(out.machine_type, now);
  Stamp(out.blocked_reasons, now);
  Stamp(out.capabilities, now);
  Stamp(out.migration_mode, now);
  Stamp(out.tls_creds, now);
  Stamp(out.memory_backends, now);
  Stamp(out.devices, now);
  if (out.devices.known()) {
    for (FsDeviceFacts& device : *out.devices.value) StampDevice(device, now);
  }
  return out;
}

absl::StatusOr<MigrationSettings> FakeVm::Configure(const MigrationSettings& wanted) {
  MigrationSettings before;
  for (const auto& [name, state] : wanted.capabilities) {
    const auto it = settings.capabilities.find(name);
    if (it == settings.capabilities.end()) {
      return absl::FailedPreconditionError(
          absl::StrCat("QEMU has no migration capability \"", name, "\""));
    }
    before.capabilities[name] = it->second;
  }
  if (FakeInProgress(*this) && !wanted.capabilities.empty()) {
    return absl::FailedPreconditionError(
        "migrate-set-capabilities: QEMU says: There's a migration process in progress");
  }
  for (const auto& [name, state] : wanted.capabilities) settings.capabilities[name] = state;
  if (wanted.mode) before.mode = std::exchange(settings.mode, wanted.mode);
  if (wanted.downtime_limit) {
    before.downtime_limit = std::exchange(settings.downtime_limit, wanted.downtime_limit);
  }
  if (wanted.max_bandwidth) {
    before.max_bandwidth = std::exchange(settings.max_bandwidth, wanted.max_bandwidth);
  }
  if (wanted.cpu_throttle_initial) {
    before.cpu_throttle_initial =
        std::exchange(settings.cpu_throttle_initial, wanted.cpu_throttle_initial);
  }
  if (wanted.max_cpu_throttle) {
    before.max_cpu_throttle = std::exchange(settings.max_cpu_throttle, wanted.max_cpu_throttle);
  }
  return before;
}

absl::Status FakeVm::PrepareIncoming() {
  if (run_state() != "inmigrate") {
    return absl::FailedPreconditionError(
        "migrate-incoming: QEMU says: '-incoming' was not specified on the command line");
  }
  if (incoming_prepared || migration.status == "failed") {
    return absl::FailedPreconditionError(
        "migrate-incoming: QEMU says: The incoming migration has already been started");
  }
  incoming_prepared = true;
  SetStatus("setup");
  return absl::OkStatus();
}

}  // namespace vuf
