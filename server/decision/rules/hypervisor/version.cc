// QEMU's version and machine type.
#include <algorithm>

#include "absl/strings/str_format.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"
#include "server/decision/tables.h"

namespace vuf {
namespace {

void CheckTooOld(const World& world, Report& report) {
  for (const VmView& vm : world.vms()) {
    const auto version = report.Need(vm, fact::kQemuVersion);
    if (!version || *version >= kQemuCarriesState) continue;
    report.Add(vm.subject(),
               absl::StrFormat("QEMU %s cannot migrate a vhost-user-fs device; %s is the first "
                               "that can.",
                               version->ToString(), kQemuCarriesState.ToString()),
               {version.Cite()});
  }
}

void CheckTried(const World& world, Report& report) {
  for (const VmView& vm : world.vms()) {
    const auto version = report.Need(vm, fact::kQemuVersion);
    if (!version || *version < kQemuCarriesState) continue;
    const bool tried = std::any_of(std::begin(kQemuTried), std::end(kQemuTried),
                                   [&](const auto& range) { return range.Contains(*version); });
    if (tried) continue;
    report.Add(vm.subject(),
               absl::StrFormat("QEMU %s is of a series that vufd was not tried with.",
                               version->ToString()),
               {version.Cite()});
  }
}

void CheckDowngrade(const World& world, Report& report) {
  if (!world.destination()) return;
  const VmView destination = *world.destination();
  const auto from = report.Need(world.source(), fact::kQemuVersion);
  const auto to = report.Need(destination, fact::kQemuVersion);
  if (!from || !to) return;
  if (std::tie(to->major, to->minor) >= std::tie(from->major, from->minor)) return;
  report.Add(destination.subject(),
             absl::StrFormat("The destination's QEMU %s is older than the source's %s.",
                             to->ToString(), from->ToString()),
             {from.Cite(), to.Cite()});
}

void CheckMachineType(const World& world, Report& report) {
  for (const VmView& vm : world.vms()) report.Need(vm, fact::kMachineType);
  if (!world.destination()) return;
  const auto from = report.Need(world.source(), fact::kMachineType);
  const auto to = report.Need(*world.destination(), fact::kMachineType);
  if (!from || !to || *from == *to) return;
  report.Add(world.destination()->subject(),
             absl::StrFormat("The machine type is %s at the source and %s at the destination.",
                             *from, *to),
             {from.Cite(), to.Cite()});
}

}  // namespace

VUFD_RULE(QEMU_TOO_OLD) = {
    .hazards = "1",
    .scope = Scope::kEachSide,
    .cause = "Before 8.2, QEMU marks vhost-user-fs devices as unmigratable.",
    .remedy =
        "Run the VM with QEMU 8.2 or later (10.0 or later is recommended); this needs a "
        "restart of the VM.",
    .check = CheckTooOld,
};

VUFD_RULE(QEMU_UNTRIED) = {
    .severity = Severity::kWarning,
    .scope = Scope::kEachSide,
    .cause = "The rules were tried with QEMU 7.2, 10.0 and 11.1 only.",
    .remedy = "Try a migration of a VM that does not matter first.",
    .check = CheckTried,
};

VUFD_RULE(DESTINATION_QEMU_OLDER) = {
    .hazards = "8",
    .severity = Severity::kWarning,
    .side = "destination",
    .cause =
        "QEMU supports migration to an older version only as far as the machine type hides "
        "the difference; if it does not, loading fails and the guest stays at the source.",
    .remedy = "Start the destination with the source's QEMU version or a newer one.",
    .check = CheckDowngrade,
};

VUFD_RULE(MACHINE_TYPE_DIFFERS) = {
    .hazards = "8",
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .cause = "A QEMU with another machine type cannot load the guest.",
    .remedy =
        "Start the destination QEMU with the source's -machine, versioned (for example "
        "pc-q35-10.0, not q35).",
    .check = CheckMachineType,
};

}  // namespace vuf
