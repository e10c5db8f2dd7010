// The hand-over to a QEMU that is started after the source has saved its state and quit.
#include <algorithm>

#include "absl/strings/str_format.h"
#include "server/decision/keeper.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

void CheckKeeper(const World& world, Report& report) {
  if (!world.facts().request.sequential) return;
  for (const DeviceView& device : world.source_devices()) {
    const auto kind = report.Need(device, fact::kKind);
    if (!kind || IsKeeper(device)) continue;
    report.Add(device.subject(),
               absl::StrFormat("The device's back-end is %s, not a keeper.", ToText(*kind)),
               {kind.Cite()});
  }
}

void CheckStateless(const World& world, Report& report) {
  if (!world.facts().request.sequential) return;
  for (const DeviceView& device : world.source_devices()) {
    if (!IsKeeper(device)) continue;
    report.Add(device.subject(), "The destination is to be started after the source has quit.");
  }
}

void CheckPermit(const World& world, Report& report) {
  if (!world.source_is_record()) return;
  const auto& permits = world.facts().request.own_permits;
  for (const DeviceView& device : world.destination_devices()) {
    const auto keeper = NeedKeeper(device, report);
    if (!keeper) continue;
    const auto it = permits.find(device->subject());
    const std::string own = it == permits.end() ? "" : it->second;
    const bool saved = (*keeper)->phase == KeeperFacts::Phase::kSaved;
    if (saved && !own.empty() && (*keeper)->permit == own) continue;
    report.Add(device.subject(),
               absl::StrFormat("The keeper is in phase %s under permit \"%s\" instead of saved "
                               "under \"%s\".",
                               ToText((*keeper)->phase), (*keeper)->permit, own),
               {keeper->Cite()});
  }
}

void CheckDriverGone(const World& world, Report& report) {
  if (!world.source_is_record()) return;
  for (const DeviceView& device : world.destination_devices()) {
    const auto keeper = NeedKeeper(device, report);
    if (!keeper) continue;
    const auto& front_ends = (*keeper)->front_ends;
    const bool driven = std::any_of(front_ends.begin(), front_ends.end(), [](const auto& one) {
      return one.role == KeeperFacts::Role::kDriver;
    });
    if (!driven) continue;
    report.Add(device.subject(), "A front-end still drives the keeper's session.",
               {keeper->Cite()});
  }
}

}  // namespace

VUFD_RULE(SEQUENTIAL_NEEDS_KEEPER) = {
    .hazards = "42, 73",
    .side = "source",
    .scope = Scope::kSource,
    .cause =
        "While there is no QEMU, somebody must keep the guest's session; a plain back-end exits "
        "with the source. Its state in a file would name files that may change meanwhile.",
    .remedy =
        "Migrate to a destination that runs beside the source, or serve every vhost-user-fs "
        "device of the VM through a keeper.",
    .check = CheckKeeper,
};

VUFD_RULE(SEQUENTIAL_NEEDS_STATELESS) = {
    .hazards = "42",
    .against = Against::kStateful,
    .side = "source",
    .scope = Scope::kSource,
    .cause =
        "A back-end's state in a file names files that may change before somebody loads it. Only "
        "a session that stays in its keeper is still right then.",
    .remedy = "Permit the stateless mode, or migrate to a destination that runs beside the source.",
    .check = CheckStateless,
};

VUFD_RULE(KEEPER_PERMIT_LOST) = {
    .hazards = "74",
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kDestination,
    .cause =
        "The source has quit, and its keeper no longer waits for this migration's destination: "
        "the permit has expired or was taken back, or somebody else has presented the marker.",
    .remedy =
        "Ask for the migration with the same file again, which renews the permit. If the keeper "
        "names another permit, look for the migration that it belongs to first.",
    .check = CheckPermit,
};

VUFD_RULE(KEEPER_DRIVER_REMAINS) = {
    .hazards = "73",
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kDestination,
    .cause =
        "The source should have quit, but a QEMU is still connected that could take the session "
        "back and run the guest a second time.",
    .remedy = "Make certain that the source QEMU has ended, then try again.",
    .check = CheckDriverGone,
};

}  // namespace vuf
