// Visits every piece of evidence in the facts of a safe world, for tests.
#ifndef VUFD_SERVER_DECISION_EACH_FACT_H_
#define VUFD_SERVER_DECISION_EACH_FACT_H_

#include <string>

#include "server/model/facts.h"

namespace vuf {

template <typename Visit>
void ForEachBackEndFact(const std::string& at, BackEndFacts& back_end, Visit visit) {
  visit(at + "socket", back_end.socket);
  visit(at + "process", back_end.process);
  visit(at + "first_start_ticks", back_end.first_start_ticks);
  visit(at + "process_state", back_end.process_state);
  visit(at + "executable", back_end.executable);
  visit(at + "executable_deleted", back_end.executable_deleted);
  visit(at + "version_line", back_end.version_line);
  visit(at + "kind", back_end.kind);
  visit(at + "version", back_end.version);
  visit(at + "options", back_end.options);
  visit(at + "features", back_end.features);
  visit(at + "effective_capabilities", back_end.effective_capabilities);
  visit(at + "share", back_end.share);
  visit(at + "file_handles", back_end.file_handles);
  visit(at + "submounts", back_end.submounts);
  visit(at + "ids", back_end.ids);
  visit(at + "security_label", back_end.security_label);
  visit(at + "descriptors", back_end.descriptors);
  visit(at + "open_files", back_end.open_files);
  visit(at + "front_ends", back_end.front_ends);
  visit(at + "profile_modes", back_end.profile_modes);
  visit(at + "keeper", back_end.keeper);
  visit(at + "kept", back_end.kept);
}

template <typename Visit>
void ForEachVmFact(const std::string& at, VmFacts& vm, Visit visit) {
  for (FsDeviceFacts& device : *vm.devices.value) {
    const std::string below = at + device.id + ".";
    visit(below + "tag", device.tag);
    visit(below + "request_queues", device.request_queues);
    visit(below + "queue_size", device.queue_size);
    visit(below + "driver_running", device.driver_running);
    visit(below + "pci_address", device.pci_address);
    visit(below + "chardev_label", device.chardev_label);
    visit(below + "chardev", device.chardev);
    visit(below + "migration_property", device.migration_property);
    ForEachBackEndFact(below + "back_end.", device.back_end, visit);
  }
  visit(at + "monitor", vm.monitor);
  visit(at + "process", vm.process);
  visit(at + "uuid", vm.uuid);
  visit(at + "guest_name", vm.guest_name);
  visit(at + "qemu_version", vm.qemu_version);
  visit(at + "run_state", vm.run_state);
  visit(at + "machine_type", vm.machine_type);
  visit(at + "started_paused", vm.started_paused);
  visit(at + "migration_status", vm.migration_status);
  visit(at + "blocked_reasons", vm.blocked_reasons);
  visit(at + "capabilities", vm.capabilities);
  visit(at + "migration_mode", vm.migration_mode);
  visit(at + "tls_creds", vm.tls_creds);
  visit(at + "memory_backends", vm.memory_backends);
  visit(at + "devices", vm.devices);
}

// Calls `visit` with the name and a reference of each. Both sides must have known devices.
template <typename Visit>
void ForEachFact(Facts& facts, Visit visit) {
  visit("boot_id", facts.boot_id);
  visit("policy", facts.policy);
  if (facts.other_host.has_value()) visit("other_host.boot_id", facts.other_host->boot_id);
  ForEachVmFact("source.", facts.source, visit);
  ForEachVmFact("destination.", *facts.destination, visit);
}

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_EACH_FACT_H_
