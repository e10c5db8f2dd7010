// The back-end behind a keeper. The session is there, so it must live on.
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "server/decision/keeper.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

void CheckDown(const World& world, Report& report) {
  for (const DeviceView& device : LiveDevices(world)) {
    const auto keeper = NeedKeeper(device, report);
    if (keeper && (*keeper)->back_end_socket_inode == 0) {
      report.Add(device.subject(), "The keeper has no connection to a back-end.", {keeper->Cite()});
    }
    if (!IsKeeper(device)) continue;
    const auto kept = report.Need(device, fact::kKept);
    if (!kept || kept->state != ProcessState::kZombie) continue;
    report.Add(device.subject(),
               absl::StrFormat("The back-end behind the keeper, process %d, has exited.",
                               kept->process.pid),
               {kept.Cite()});
  }
}

void CheckState(const World& world, Report& report, ProcessState state) {
  for (const DeviceView& device : LiveDevices(world)) {
    if (!IsKeeper(device)) continue;
    const auto kept = report.Need(device, fact::kKept);
    if (!kept || kept->state != state) continue;
    report.Add(device.subject(),
               absl::StrFormat("The back-end behind the keeper, process %d, is %s.",
                               kept->process.pid, ToText(state)),
               {kept.Cite()});
  }
}

void CheckStopped(const World& world, Report& report) {
  CheckState(world, report, ProcessState::kStopped);
}

void CheckFrozen(const World& world, Report& report) {
  CheckState(world, report, ProcessState::kFrozen);
}

void CheckUninterruptible(const World& world, Report& report) {
  CheckState(world, report, ProcessState::kUninterruptible);
}

void CheckUnanswered(const World& world, Report& report) {
  for (const DeviceView& device : LiveDevices(world)) {
    const auto keeper = NeedKeeper(device, report);
    if (!keeper || (*keeper)->unanswered == 0) continue;
    report.Add(
        device.subject(),
        absl::StrFormat("The back-end behind the keeper has not answered %u of its requests.",
                        (*keeper)->unanswered),
        {keeper->CiteAs("unanswered", ToText((*keeper)->unanswered))});
  }
}

void CheckDirtyLog(const World& world, Report& report) {
  for (const DeviceView& device : LiveDevices(world)) {
    const auto keeper = NeedKeeper(device, report);
    if (!keeper) continue;
    std::vector<std::string> missing;
    if (((*keeper)->back_end_features & kFeatureLogAll) == 0) missing.push_back("VHOST_F_LOG_ALL");
    if (((*keeper)->back_end_protocol_features & kProtocolLogShmfd) == 0) {
      missing.push_back("VHOST_USER_PROTOCOL_F_LOG_SHMFD");
    }
    if (missing.empty()) continue;
    report.Add(
        device.subject(),
        absl::StrFormat("The back-end behind the keeper lacks %s.",
                        absl::StrJoin(missing, " and ")),
        {keeper->CiteAs("features", ToText((*keeper)->back_end_features)),
         keeper->CiteAs("protocol features", ToText((*keeper)->back_end_protocol_features))});
  }
}

}  // namespace

VUFD_RULE(KEEPER_BACK_END_DOWN) = {
    .hazards = "18",
    .scope = Scope::kEachSide,
    .cause =
        "The back-end behind the keeper is gone, and with it the guest's session, which no keeper "
        "can keep.",
    .remedy =
        "The session cannot be repaired; restart the VM with a new back-end and a new keeper.",
    .check = CheckDown,
};

VUFD_RULE(KEEPER_BACK_END_STOPPED) = {
    .hazards = "19",
    .retry_class = RetryClass::kOperator,
    .scope = Scope::kEachSide,
    .cause =
        "The back-end behind the keeper is stopped (SIGSTOP or a debugger). The guest's requests "
        "would not be finished at the switch-over, and the hand-over would fail.",
    .remedy = "Let it go on (kill -CONT), and find out who stopped it.",
    .check = CheckStopped,
};

VUFD_RULE(KEEPER_BACK_END_FROZEN) = {
    .hazards = "19",
    .retry_class = RetryClass::kOperator,
    .scope = Scope::kEachSide,
    .cause =
        "The control group of the back-end behind the keeper is frozen (a paused container, "
        "systemctl freeze). The guest's requests would not be finished at the switch-over, and "
        "the hand-over would fail.",
    .remedy =
        "Thaw it (echo 0 > .../cgroup.freeze, systemctl thaw, or unpause the container), and find "
        "out who froze it.",
    .check = CheckFrozen,
};

VUFD_RULE(KEEPER_BACK_END_UNINTERRUPTIBLE) = {
    .hazards = "19",
    .severity = Severity::kWarning,
    .retry_class = RetryClass::kWait,
    .scope = Scope::kEachSide,
    .cause =
        "The back-end behind the keeper waits in the kernel (state D), for storage as a rule. If "
        "a request outlasts the keeper's drain limit, the hand-over fails and the guest stays at "
        "the source.",
    .remedy = "Try again in a moment; if it stays so, look at the storage of the shared directory.",
    .check = CheckUninterruptible,
};

VUFD_RULE(KEEPER_UNANSWERED) = {
    .severity = Severity::kWarning,
    .retry_class = RetryClass::kWait,
    .scope = Scope::kEachSide,
    .cause =
        "The back-end behind the keeper is slow, or hangs. The switch-over waits for its answers, "
        "and fails if they do not come.",
    .remedy = "Try again in a moment; if it stays so, look at what the back-end waits for.",
    .check = CheckUnanswered,
};

VUFD_RULE(KEEPER_BACK_END_LACKS_DIRTY_LOG) = {
    .hazards = "3",
    .scope = Scope::kEachSide,
    .cause =
        "The back-end behind the keeper cannot log which guest memory it writes; the destination "
        "would get stale memory.",
    .remedy = "Run a back-end behind the keeper that offers both features, as any virtiofsd does.",
    .check = CheckDirtyLog,
};

}  // namespace vuf
