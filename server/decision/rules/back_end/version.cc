// What is known of versions of the Rust virtiofsd.
#include <algorithm>
#include <optional>

#include "absl/strings/str_format.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"
#include "server/decision/tables.h"

namespace vuf {
namespace {

std::optional<Read<Version>> VirtiofsdVersion(const DeviceView& device, Report& report) {
  const auto kind = report.Need(device, fact::kKind);
  if (!kind || *kind != BackEndKind::kVirtiofsd) return std::nullopt;
  const auto version = report.Need(device, fact::kVersion);
  if (!version) return std::nullopt;
  return version;
}

void CheckTooOld(const World& world, Report& report) {
  for (const DeviceView& device : world.devices()) {
    const auto version = VirtiofsdVersion(device, report);
    if (!version || **version >= kVirtiofsdMigrates) continue;
    report.Add(device.subject(),
               absl::StrFormat("virtiofsd %s cannot migrate; %s is the first that can.",
                               (*version)->ToString(), kVirtiofsdMigrates.ToString()),
               {version->Cite()});
  }
}

void CheckStateFormat(const World& world, Report& report) {
  for (const DevicePair& pair : world.pairs()) {
    const auto from = VirtiofsdVersion(pair.source, report);
    const auto to = VirtiofsdVersion(pair.destination, report);
    if (!from || !to || **from < kVirtiofsdStateV2 || **to >= kVirtiofsdStateV2) continue;
    report.Add(pair.destination.subject(),
               absl::StrFormat("virtiofsd %s at the destination cannot read the state of %s at the "
                               "source.",
                               (*to)->ToString(), (*from)->ToString()),
               {from->Cite(), to->Cite()});
  }
}

void CheckKicks(const World& world, Report& report) {
  for (const DeviceView& device : world.devices()) {
    const auto version = VirtiofsdVersion(device, report);
    if (!version || **version >= kVirtiofsdKeepsKicks) continue;
    report.Add(device.subject(),
               absl::StrFormat("virtiofsd %s may lose a notification at the switch-over.",
                               (*version)->ToString()),
               {version->Cite()});
  }
}

void CheckTried(const World& world, Report& report) {
  for (const DeviceView& device : world.devices()) {
    const auto version = VirtiofsdVersion(device, report);
    if (!version) continue;
    const bool tried = std::any_of(std::begin(kVirtiofsdTried), std::end(kVirtiofsdTried),
                                   [&](const auto& range) { return range.Contains(**version); });
    if (tried) continue;
    report.Add(device.subject(),
               absl::StrFormat("virtiofsd %s is of a series that vufd was not tried with.",
                               (*version)->ToString()),
               {version->Cite()});
  }
}

void CheckReplaced(const World& world, Report& report) {
  for (const DeviceView& device : world.devices()) {
    const auto deleted = report.Need(device, fact::kExecutableDeleted);
    if (!deleted || !*deleted) continue;
    report.Add(device.subject(),
               absl::StrFormat("The executable of the running back-end (%s) has been removed or "
                               "replaced since it started.",
                               device->back_end.executable.value.value_or("unknown")),
               {deleted.Cite()});
  }
}

}  // namespace

VUFD_RULE(BACK_END_TOO_OLD) = {
    .hazards = "14",
    .against = Against::kStateful,
    .scope = Scope::kEachSide,
    .cause = "virtiofsd cannot hand over its state before version 1.11.",
    .remedy = "Run the VM with virtiofsd 1.14 or later; at the source, with a restart of the VM.",
    .check = CheckTooOld,
};

VUFD_RULE(BACK_END_STATE_FORMAT) = {
    .hazards = "15",
    .against = Against::kStateful,
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kPair,
    .cause = "virtiofsd 1.12 and later write their state in a format that 1.11 cannot read.",
    .remedy = "Start the destination's device with the source's virtiofsd version or a newer one.",
    .check = CheckStateFormat,
};

VUFD_RULE(BACK_END_MAY_LOSE_KICK) = {
    .severity = Severity::kWarning,
    .against = Against::kStateful,
    .scope = Scope::kEachSide,
    .cause =
        "virtiofsd before 1.14 can swallow a kick that the guest sends while the rings are "
        "being restarted. The migration succeeds, but the guest's file system hangs for good "
        "(6 of 60 migrations of a busy guest with 1.13.2, none of 100 with 1.14.0).",
    .remedy =
        "Use virtiofsd 1.14 or later, at the destination above all; else migrate while the "
        "guest leaves the file system alone.",
    .check = CheckKicks,
};

VUFD_RULE(BACK_END_UNTRIED) = {
    .severity = Severity::kWarning,
    .against = Against::kStateful,
    .scope = Scope::kEachSide,
    .cause = "The rules were tried with virtiofsd 1.13 and 1.14 only.",
    .remedy = "Try a migration of a VM that does not matter first.",
    .check = CheckTried,
};

VUFD_RULE(BACK_END_EXECUTABLE_REPLACED) = {
    .hazards = "16",
    .severity = Severity::kWarning,
    .scope = Scope::kEachSide,
    .cause =
        "The back-end was upgraded on disk while the old one goes on running. What is "
        "installed now is not what runs.",
    .remedy =
        "Nothing needs to be done for a migration to the upgraded back-end; judge by the "
        "version in the verdict, not by the package's.",
    .check = CheckReplaced,
};

}  // namespace vuf
