#include "absl/strings/str_format.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

void Check(const World& world, Report& report) {
  for (const VmView& vm : world.vms()) {
    if (vm->monitor.known()) {
      report.Need(vm, fact::kMonitor);
      continue;
    }
    report.Add(vm.subject(),
               absl::StrFormat("QEMU's monitor %s did not answer: %s.",
                               vm->qmp_socket.empty() ? "(no path)" : vm->qmp_socket,
                               vm->monitor.detail.empty() ? "nobody asked" : vm->monitor.detail),
               {CitedFact{fact::kMonitor.name, "", true, Source::kNobody, absl::InfinitePast(),
                          vm->monitor.detail}});
  }
}

}  // namespace

VUFD_RULE(MONITOR_UNREACHABLE) = {
    .hazards = "19",
    .retry_class = RetryClass::kOperator,
    .scope = Scope::kEachSide,
    .cause =
        "QEMU's QMP monitor could not be asked: no process listens, another client holds it, "
        "or QEMU hangs (a frozen back-end freezes QEMU's monitor too).",
    .remedy =
        "Check that QEMU runs with -qmp unix:PATH,server=on,wait=off, that vufd has this "
        "socket to itself, and that neither QEMU nor its back-ends are stopped.",
    .check = Check,
};

}  // namespace vuf
