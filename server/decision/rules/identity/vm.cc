// Is the destination a second QEMU for the same VM?
#include "absl/strings/str_format.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

constexpr char kNoUuid[] = "00000000-0000-0000-0000-000000000000";

bool IsSet(const std::string& uuid) { return !uuid.empty() && uuid != kNoUuid; }

void CheckNoVmFs(const World& world, Report& report) {
  const auto devices = report.Need(world.source(), fact::kDevices);
  if (!devices || !devices->empty()) return;
  report.Add(world.source().subject(), "The VM has no vhost-user-fs device.", {devices.Cite()});
}

void CheckIsSource(const World& world, Report& report) {
  if (!world.destination() || !world.same_machine()) return;
  const VmView destination = *world.destination();
  const bool same_socket =
      !destination->qmp_socket.empty() && destination->qmp_socket == world.source()->qmp_socket;
  const auto from = report.Need(world.source(), fact::kQemuProcess);
  const auto to = report.Need(destination, fact::kQemuProcess);
  // A source that has quit leaves its pid to others.
  const bool same_process =
      from && to && (world.source_is_record() ? *from == *to : from->pid == to->pid);
  if (!same_socket && !same_process) return;
  std::vector<CitedFact> evidence;
  if (same_process) evidence = {from.Cite(), to.Cite()};
  report.Add(destination.subject(),
             same_process
                 ? absl::StrFormat("Source and destination are the same QEMU, pid %d.", to->pid)
                 : absl::StrFormat("Source and destination have the same QMP socket, %s.",
                                   destination->qmp_socket),
             std::move(evidence));
}

void CheckUuid(const World& world, Report& report) {
  if (!world.destination()) return;
  const auto from = report.Need(world.source(), fact::kUuid);
  const auto to = report.Need(*world.destination(), fact::kUuid);
  if (!from || !to || *from == *to) return;
  report.Add(
      world.destination()->subject(),
      absl::StrFormat("The VM's UUID is %s at the source and %s at the destination.", *from, *to),
      {from.Cite(), to.Cite()});
}

void CheckUuidSet(const World& world, Report& report) {
  for (const VmView& vm : world.vms()) {
    const auto uuid = report.Need(vm, fact::kUuid);
    if (!uuid || IsSet(*uuid)) continue;
    report.Add(vm.subject(), "QEMU was started without -uuid.", {uuid.Cite()});
  }
}

}  // namespace

VUFD_RULE(VM_HAS_NO_FS_DEVICE) = {
    .side = "source",
    .scope = Scope::kSource,
    .cause = "vufd judges the state of vhost-user-fs devices; about other VMs it can say nothing.",
    .remedy = "Migrate this VM without vufd.",
    .check = CheckNoVmFs,
};

VUFD_RULE(DESTINATION_IS_SOURCE) = {
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .cause = "The destination is the QEMU that is to be migrated.",
    .remedy = "Start a second QEMU with -S -incoming defer, and name its QMP socket.",
    .check = CheckIsSource,
};

VUFD_RULE(UUID_DIFFERS) = {
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .cause = "The destination QEMU was started for another VM.",
    .remedy = "Name the right destination, or start it with the source's -uuid.",
    .check = CheckUuid,
};

VUFD_RULE(UUID_NOT_SET) = {
    .severity = Severity::kWarning,
    .scope = Scope::kEachSide,
    .cause = "Without a UUID it cannot be told whether the destination was started for this VM.",
    .remedy = "Start QEMU with -uuid, on both sides the same.",
    .check = CheckUuidSet,
};

}  // namespace vuf
