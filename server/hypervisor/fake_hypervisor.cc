#include "server/hypervisor/fake_hypervisor.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace vuf {
namespace {

// A descriptor that is closed already is a bug of the caller that QEMU would only show by hanging.
absl::Status CheckStream(int fd) {
  if (fcntl(fd, F_GETFD) >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("stream_fd ", fd, " is not an open descriptor"));
}

bool IsFile(int fd) {
  struct stat info;
  return fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

}  // namespace

absl::Status FakeHypervisor::Usable() const {
  if (!failed_.ok()) return failed_;
  const FakeVm& vm = world_->At(vm_);
  if (vm.generation != generation_) {
    return absl::UnavailableError("the monitor is gone: end of file");
  }
  return vm.gone;
}

absl::Status FakeHypervisor::Keep(absl::Status status) {
  if (absl::IsDeadlineExceeded(status) || absl::IsUnavailable(status)) failed_ = status;
  return status;
}

absl::Status FakeHypervisor::Call(FakeCall call, absl::Time deadline,
                                  const std::function<absl::Status(FakeVm&)>& effect) {
  world_->RunHook(vm_, call);
  MutexLock lock(&world_->mu_);
  if (absl::Status usable = Usable(); !usable.ok()) return Keep(usable);
  if (absl::Now() >= deadline) {
    return Keep(absl::DeadlineExceededError("the deadline was over before the call"));
  }
  world_->Record(vm_, call);
  if (absl::Status injected = world_->calls_.Injected(vm_, call, false); !injected.ok()) {
    return Keep(injected);
  }
  const absl::Status status = effect(world_->At(vm_));
  world_->Changed();
  if (absl::Status injected = world_->calls_.Injected(vm_, call, true); !injected.ok()) {
    return Keep(injected);
  }
  return status;
}

absl::StatusOr<VmFacts> FakeHypervisor::Observe(absl::Time deadline) {
  return Snapshot(FakeCall::kObserve, deadline);
}

absl::StatusOr<VmFacts> FakeHypervisor::ObserveAgain(const VmFacts&, absl::Time deadline) {
  return Snapshot(FakeCall::kObserveAgain, deadline);
}

absl::StatusOr<VmFacts> FakeHypervisor::Snapshot(FakeCall call, absl::Time deadline) {
  VmFacts facts;
  const absl::Time now = world_->Now();
  const absl::Status status = Call(call, deadline, [&](FakeVm& vm) {
    facts = vm.Snapshot(now);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return facts;
}

absl::StatusOr<MigrationInfo> FakeHypervisor::QueryMigration(absl::Time deadline) {
  MigrationInfo info;
  const absl::Status status = Call(FakeCall::kQueryMigration, deadline, [&](FakeVm& vm) {
    info = vm.migration;
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return info;
}

absl::StatusOr<std::string> FakeHypervisor::QueryRunState(absl::Time deadline) {
  std::string run_state;
  const absl::Status status = Call(FakeCall::kQueryRunState, deadline, [&](FakeVm& vm) {
    run_state = vm.run_state();
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return run_state;
}

absl::StatusOr<Standing> FakeHypervisor::QueryStanding(absl::Time deadline) {
  Standing standing;
  const absl::Time now = world_->Now();
  const absl::Status status = Call(FakeCall::kQueryStanding, deadline, [&](FakeVm& vm) {
    standing.migration = vm.migration;
    standing.run_state = vm.run_state();
    const VmFacts facts = vm.Snapshot(now);
    if (!facts.devices.known()) return absl::OkStatus();
    for (const FsDeviceFacts& device : *facts.devices.value) {
      if (!device.chardev_label.known() || !device.chardev.known()) continue;
      standing.chardevs.emplace(*device.chardev_label.value, *device.chardev.value);
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return standing;
}

absl::StatusOr<MigrationSettings> FakeHypervisor::QuerySettings(absl::Time deadline) {
  MigrationSettings settings;
  const absl::Status status = Call(FakeCall::kQuerySettings, deadline, [&](FakeVm& vm) {
    settings = vm.settings;
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return settings;
}

absl::StatusOr<MigrationSettings> FakeHypervisor::Configure(const MigrationSettings& settings,
                                                            absl::Time deadline) {
  MigrationSettings before;
  const absl::Status status = Call(FakeCall::kConfigure, deadline, [&](FakeVm& vm) {
    absl::StatusOr<MigrationSettings> result = vm.Configure(settings);
    if (!result.ok()) return result.status();
    before = *std::move(result);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return before;
}

absl::Status FakeHypervisor::PrepareIncoming(int stream_fd, absl::Time deadline) {
  if (absl::Status stream = CheckStream(stream_fd); !stream.ok()) return stream;
  return Call(FakeCall::kPrepareIncoming, deadline, [stream_fd](FakeVm& vm) {
    absl::Status prepared = vm.PrepareIncoming();
    if (prepared.ok() && IsFile(stream_fd)) FakeLoadFile(vm);
    return prepared;
  });
}

absl::Status FakeHypervisor::StartOutgoing(int stream_fd, absl::Time deadline) {
  if (absl::Status stream = CheckStream(stream_fd); !stream.ok()) return stream;
  return Call(FakeCall::kStartOutgoing, deadline,
              [this, stream_fd](FakeVm& vm) ABSL_EXCLUSIVE_LOCKS_REQUIRED(world_->mu_) {
                vm.to_file = IsFile(stream_fd);
                return FakeStart(vm, world_->DestinationOf(vm));
              });
}

absl::StatusOr<MonitorEvent> FakeHypervisor::Await(absl::Time deadline) {
  world_->RunHook(vm_, FakeCall::kAwait);
  MutexLock lock(&world_->mu_);
  world_->Record(vm_, FakeCall::kAwait);
  if (absl::Status injected = world_->calls_.Injected(vm_, FakeCall::kAwait, false);
      !injected.ok()) {
    return Keep(injected);
  }
  while (true) {
    const FakeVm& vm = world_->At(vm_);
    // What came before the end of file can still be read.
    if (failed_.ok() && vm.generation == generation_ && next_event_ < vm.events.size()) {
      return vm.events[next_event_++];
    }
    if (absl::Status usable = Usable(); !usable.ok()) return Keep(usable);
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return MonitorEvent{};
    world_->changed_.WaitFor(&world_->mu_, std::min(left, absl::Hours(1)));
  }
}

absl::Status FakeHypervisor::Perform(Act act, FakeVm& vm) {
  switch (act) {
    case Act::kMigrateContinue:
      return FakeContinue(vm, world_->DestinationOf(vm));
    case Act::kMigrateCancel:
      FakeCancel(vm, world_->DestinationOf(vm));
      return absl::OkStatus();
    case Act::kCont:
      return FakeCont(vm);
    case Act::kQuit:
      vm.Emit("SHUTDOWN");
      vm.End();
      return absl::OkStatus();
  }
  return absl::InvalidArgumentError("no such act");
}

absl::Status FakeHypervisor::Do(Act act, absl::Time deadline) {
  FakeCall call = FakeCall::kQuit;
  if (act == Act::kMigrateContinue) call = FakeCall::kMigrateContinue;
  if (act == Act::kMigrateCancel) call = FakeCall::kMigrateCancel;
  if (act == Act::kCont) call = FakeCall::kCont;
  return Call(call, deadline, [&](FakeVm& vm) ABSL_EXCLUSIVE_LOCKS_REQUIRED(world_->mu_) {
    return Perform(act, vm);
  });
}

}  // namespace vuf
