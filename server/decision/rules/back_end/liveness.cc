// Is the back-end alive, and does it still have the session?
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

void CheckConnected(const World& world, Report& report) {
  for (const DeviceView& device : world.devices()) {
    const auto chardev = report.Need(device, fact::kChardev);
    if (!chardev) continue;
    if (chardev->connected && !absl::StartsWith(chardev->filename, "disconnected:")) continue;
    report.Add(
        device.subject(),
        absl::StrFormat("QEMU has lost the connection to the back-end: \"%s\".", chardev->filename),
        {chardev.Cite()});
  }
}

template <ProcessState kState>
void CheckState(const World& world, Report& report) {
  for (const DeviceView& device : world.devices()) {
    const auto state = report.Need(device, fact::kProcessState);
    if (!state || *state != kState) continue;
    const auto process = report.Need(device, fact::kProcess);
    report.Add(device.subject(),
               absl::StrFormat("The back-end's process %d is %s.", process ? process->pid : 0,
                               ToText(kState)),
               {state.Cite()});
  }
}

// A virtiofsd with the sandbox "namespace" binds its socket first and forks the process that serves
// it then, so QEMU may be older than that one. It never forks a second; of others that is not
// known.
bool ForksOnce(BackEndKind kind) {
  return kind == BackEndKind::kVirtiofsd || kind == BackEndKind::kVirtiofsdC;
}

void CheckStartedAfterQemu(const World& world, Report& report) {
  for (const DeviceView& device : world.devices()) {
    const auto back_end = report.Need(device, fact::kProcess);
    const auto first = report.Need(device, fact::kFirstStartTicks);
    const auto kind = report.Need(device, fact::kKind);
    const auto qemu = report.Need(device.vm, fact::kQemuProcess);
    if (!back_end || !first || !kind || !qemu) continue;
    const uint64_t began = ForksOnce(*kind) ? *first : back_end->start_ticks;
    if (began <= qemu->start_ticks) continue;
    report.Add(device.subject(),
               absl::StrFormat("The back-end (pid %d, tick %u) started after QEMU (pid %d, tick "
                               "%u), so it cannot be the one that QEMU began with.",
                               back_end->pid, back_end->start_ticks, qemu->pid, qemu->start_ticks),
               {back_end.Cite(), qemu.Cite()});
  }
}

}  // namespace

VUFD_RULE(BACK_END_DISCONNECTED) = {
    .hazards = "18, 24",
    .scope = Scope::kEachSide,
    .cause =
        "The back-end is gone, and with it the guest's session; the guest's file system "
        "hangs. QEMU 10.0.2 aborts when it is told to migrate now, and the VM is lost.",
    .remedy =
        "At the destination: start a new back-end, then a new QEMU. At the source: the "
        "session cannot be repaired; restart the VM.",
    .check = CheckConnected,
};

VUFD_RULE(BACK_END_STOPPED) = {
    .hazards = "19",
    .retry_class = RetryClass::kOperator,
    .scope = Scope::kEachSide,
    .cause =
        "The back-end is stopped (SIGSTOP or a debugger). QEMU and its monitor would hang "
        "until it goes on.",
    .remedy = "Let it go on (kill -CONT), and find out who stopped it.",
    .check = CheckState<ProcessState::kStopped>,
};

VUFD_RULE(BACK_END_FROZEN) = {
    .hazards = "19",
    .retry_class = RetryClass::kOperator,
    .scope = Scope::kEachSide,
    .cause =
        "The back-end's control group is frozen (a paused container, systemctl freeze). QEMU and "
        "its monitor would hang until it is thawed.",
    .remedy =
        "Thaw it (echo 0 > .../cgroup.freeze, systemctl thaw, or unpause the container), and find "
        "out who froze it.",
    .check = CheckState<ProcessState::kFrozen>,
};

// A busy back-end is in this state now and then; refusing would refuse busy guests at random.
VUFD_RULE(BACK_END_UNINTERRUPTIBLE) = {
    .hazards = "19",
    .severity = Severity::kWarning,
    .retry_class = RetryClass::kWait,
    .scope = Scope::kEachSide,
    .cause =
        "The back-end waits in the kernel (state D), for storage as a rule. If that lasts, QEMU "
        "and its monitor hang at the switch-over until it goes on, and the guest with them.",
    .remedy = "Try again in a moment; if it stays so, look at the storage of the shared directory.",
    .check = CheckState<ProcessState::kUninterruptible>,
};

VUFD_RULE(BACK_END_ZOMBIE) = {
    .hazards = "18",
    .scope = Scope::kEachSide,
    .cause = "The back-end has exited, and its parent has not noticed.",
    .remedy =
        "At the destination: start a new back-end, then a new QEMU. At the source: the "
        "session cannot be repaired; restart the VM.",
    .check = CheckState<ProcessState::kZombie>,
};

VUFD_RULE(BACK_END_STARTED_AFTER_QEMU) = {
    .hazards = "20, 64",
    .scope = Scope::kEachSide,
    .cause =
        "The back-end was restarted and QEMU reconnected. The session died with the first one; "
        "vhost-user-fs cannot set up another, so the guest's file system is dead although "
        "everything looks connected.",
    .remedy = "Restart this QEMU, back-end first.",
    .check = CheckStartedAfterQemu,
};

}  // namespace vuf
