// How a migration moves the VMs of the fake.
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "server/hypervisor/fake_vm.h"

namespace vuf {
namespace {

constexpr char kLoadError[] = "load of migration failed: Input/output error";

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
