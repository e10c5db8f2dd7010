#include "server/hypervisor/fake_vm.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace vuf {
namespace {

constexpr char kLoadError[] = "load of migration failed: Input/output error";
constexpr char kGone[] = "the monitor is gone: end of file";

template <typename T>
void Stamp(Evidence<T>& evidence, absl::Time now) {
  if (evidence.known()) evidence.observed_at = now;
}

void StampDevice(FsDeviceFacts& device, absl::Time now) {
  Stamp(device.tag, now);
  Stamp(device.request_queues, now);
  Stamp(device.queue_size, now);
  Stamp(device.pci_address, now);
  Stamp(device.chardev_label, now);
  Stamp(device.chardev, now);
  Stamp(device.migration_property, now);
}

void FailDestination(FakeVm* destination, const std::string& why) {
  if (destination == nullptr || !destination->incoming_prepared) return;
  destination->incoming_prepared = false;
  destination->SetStatus("failed", why);
}

// QEMU lets a guest that ran go on by itself.
void Resume(FakeVm& vm) {
  if (vm.run_state() == vm.run_state_before) return;
  if (vm.run_state_before == "running") {
    vm.Run();
  } else {
    vm.SetRunState(vm.run_state_before);
  }
}

void Complete(FakeVm& source) {
  source.SetRunState("postmigrate");
  source.SetStatus("completed");
}

void CompleteDestination(FakeVm* destination) {
  if (destination == nullptr) return;
  destination->incoming_prepared = false;
  destination->SetStatus("completed");
  if (destination->facts.started_paused.value.value_or(true)) {
    destination->SetRunState("paused");
  } else {
    destination->Run();
  }
}

void FailSource(FakeVm& source, const std::string& why) {
  source.SetStatus("failed", why);
  Resume(source);
}

void LoseDestination(FakeVm& source, FakeVm* destination) {
  if (source.has("return-path")) {
    FailSource(source, "Sibling indicated error 1");
  } else {
    Complete(source);
  }
  FailDestination(destination, kLoadError);
}

void FailSave(FakeVm& source, FakeVm* destination) {
  FailSource(source, "pre-save failed: vhost-user-fs-backend");
  FailDestination(destination, kLoadError);
}

// The back-ends come first, so that what fails for another reason finds them handed on. False: they
// have refused.
bool HandOn(FakeVm& source, FakeVm* destination) {
  if (!source.Save().ok()) {
    FailSave(source, destination);
    return false;
  }
  if (source.outcome == FakeOutcome::kStuckAtSwitchover || destination == nullptr) return true;
  if (destination->Load().ok()) return true;
  LoseDestination(source, destination);
  return false;
}

void SwitchOver(FakeVm& source, FakeVm* destination) {
  if (!HandOn(source, destination)) return;
  switch (source.outcome) {
    case FakeOutcome::kCompletes:
    case FakeOutcome::kNeverConverges:
    case FakeOutcome::kFailsWhileActive:
      Complete(source);
      return CompleteDestination(destination);
    case FakeOutcome::kFailsAtSwitchover:
      return FailSave(source, destination);
    case FakeOutcome::kDestinationLoadFails:
      return LoseDestination(source, destination);
    case FakeOutcome::kDestinationDies:
      LoseDestination(source, destination);
      if (destination != nullptr) destination->End();
      return;
    case FakeOutcome::kSourceDiesAfterSwitchover:
      CompleteDestination(destination);
      return source.End();
    case FakeOutcome::kDestinationNeverReports:
      return Complete(source);
    case FakeOutcome::kStuckAtSwitchover:
      return;
  }
}

}  // namespace

FakeVm::FakeVm(VmFacts vm_facts) : facts(std::move(vm_facts)) {
  if (!facts.monitor.known()) facts.monitor = Known(std::string("QMP"), Source::kQmp, absl::Now());
  if (!facts.run_state.known()) {
    facts.run_state = Known(std::string("running"), Source::kQmp, absl::Now());
  }
  migration.status = facts.migration_status.value.value_or("");
  if (facts.capabilities.known()) settings.capabilities = *facts.capabilities.value;
  for (const char* name : {"return-path", "events", "pause-before-switchover", "x-ignore-shared"}) {
    settings.capabilities.emplace(name, false);
  }
  settings.mode = facts.migration_mode.value.value_or("normal");
  settings.downtime_limit = absl::Milliseconds(300);
  settings.max_bandwidth = 134217728;
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

bool FakeInProgress(const FakeVm& vm) {
  const std::string& status = vm.migration.status;
  return !status.empty() && status != "none" && status != "completed" && status != "failed" &&
         status != "cancelled";
}

absl::Status FakeStart(FakeVm& source, FakeVm* destination) {
  if (FakeInProgress(source)) {
    return absl::FailedPreconditionError(
        "migrate: QEMU says: There's a migration process in progress");
  }
  if (source.run_state() == "inmigrate") {
    return absl::FailedPreconditionError(
        "migrate: QEMU says: Guest is waiting for an incoming migration");
  }
  if (source.run_state() == "postmigrate") {
    return absl::FailedPreconditionError(
        "migrate: QEMU says: Can't migrate the vm that was paused due to previous migration");
  }
  source.run_state_before = source.run_state();
  source.SetStatus("setup");
  const bool heard = destination != nullptr && destination->incoming_prepared;
  if (!heard && !source.to_file) {
    FailSource(source, "Unable to write to socket: Broken pipe");
    return absl::OkStatus();
  }
  source.SetStatus("active");
  if (heard) destination->SetStatus("active");
  source.migration.ram_total = uint64_t{256} << 20;
  source.migration.ram_transferred = uint64_t{64} << 20;
  source.migration.ram_remaining = uint64_t{192} << 20;
  if (source.outcome == FakeOutcome::kNeverConverges) return absl::OkStatus();
  FakeConverge(source, destination);
  return absl::OkStatus();
}

void FakeLoadFile(FakeVm& vm) {
  if (vm.outcome == FakeOutcome::kDestinationDies) return vm.End();
  if (vm.outcome == FakeOutcome::kDestinationNeverReports) return vm.SetStatus("active");
  if (vm.outcome == FakeOutcome::kDestinationLoadFails || !vm.Load().ok()) {
    return FailDestination(&vm, kLoadError);
  }
  CompleteDestination(&vm);
}

void FakeConverge(FakeVm& source, FakeVm* destination) {
  if (source.migration.status != "active") return;
  // QEMU 10.0 and 11.1, measured: a file cannot answer.
  if (source.to_file && source.has("return-path")) {
    return FailSource(source, "Channel error: Input/output error");
  }
  if (source.outcome == FakeOutcome::kFailsWhileActive) {
    FailSource(source, "Unable to write to socket: Connection reset by peer");
    FailDestination(destination, kLoadError);
    return;
  }
  source.migration.ram_transferred = source.migration.ram_total;
  source.migration.ram_remaining = 0;
  source.Stop("finish-migrate");
  source.SetStatus("pre-switchover");
  if (!source.has("pause-before-switchover")) (void)FakeContinue(source, destination);
}

absl::Status FakeContinue(FakeVm& source, FakeVm* destination) {
  if (source.migration.status != "pre-switchover") {
    return absl::FailedPreconditionError(absl::StrCat(
        "migrate-continue: QEMU says: Migration not in expected state: ", source.migration.status));
  }
  source.SetStatus("device");
  SwitchOver(source, destination);
  return absl::OkStatus();
}

void FakeCancel(FakeVm& source, FakeVm* destination) {
  if (!FakeInProgress(source)) return;
  source.SetStatus("cancelling");
  Resume(source);
  source.SetStatus("cancelled");
  FailDestination(destination, kLoadError);
}

absl::Status FakeCont(FakeVm& vm) {
  if (vm.run_state() == "finish-migrate") {
    return absl::FailedPreconditionError("cont: QEMU says: Migration is not finalized yet");
  }
  if (vm.run_state() == "inmigrate") {
    // QEMU takes it as: run as soon as the guest is here.
    vm.facts.started_paused.value = false;
    return absl::OkStatus();
  }
  if (vm.run_state() != "running") vm.Run();
  return absl::OkStatus();
}

}  // namespace vuf
