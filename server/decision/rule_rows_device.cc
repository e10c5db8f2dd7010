// What is wrong with a device or with its back-end.
#include <utility>

#include "server/decision/rule_rows.h"
#include "tests/testing/safe_facts.h"

namespace vuf {

void StatelessRows(RuleRows& rows) {
  const auto ask_stateless = [](Facts& f) {
    f.request.allow_stateful = false;
    f.request.allow_stateless = true;
  };
  const std::set<std::string> never = {"STATELESS_NOT_SUPPORTED_BY_QEMU", "BACK_END_NOT_STATELESS"};
  rows.push_back({"stateless", ask_stateless, never});
  rows.push_back({"a back-end that keeps its session",
                  [=](Facts& f) {
                    ask_stateless(f);
                    Be(Src(f)).profile_modes.value->stateless = true;
                  },
                  {"STATELESS_NOT_SUPPORTED_BY_QEMU"}});
  rows.push_back({"patched QEMU",
                  [=](Facts& f) {
                    ask_stateless(f);
                    Be(Src(f)).profile_modes.value->stateless = true;
                    *Fs(Src(f)).migration_property.value = "external";
                    *Fs(Dst(f)).migration_property.value = "external";
                  },
                  {"STATELESS_NEEDS_SEQUENTIAL_HAND_OVER"}});
  rows.push_back({"property left behind",
                  [](Facts& f) {
                    *Fs(Src(f)).migration_property.value = "external";
                    *Fs(Dst(f)).migration_property.value = "external";
                  },
                  {"MIGRATION_PROPERTY_SET"}});
  rows.push_back({"property at one side",
                  [](Facts& f) { *Fs(Src(f)).migration_property.value = "external"; },
                  {"MIGRATION_PROPERTY_SET", "MIGRATION_PROPERTY_DIFFERS"}});
  const auto endpoint = [](Facts& f) {
    RegisteredEndpoint registered = {"endpoints/e", "/run/vuf/source-fs0.sock"};
    registered.process = *Be(Src(f)).process.value;
    registered.socket_file = Be(Src(f)).socket.value->bound_file;
    registered.boot_id = *f.boot_id.value;
    return registered;
  };
  rows.push_back({"registered as it is",
                  [=](Facts& f) {
                    ask_stateless(f);
                    f.endpoints = {endpoint(f)};
                  },
                  never});
  rows.push_back(
      {"other process than registered",
       [=](Facts& f) {
         ask_stateless(f);
         f.endpoints = {endpoint(f)};
         f.endpoints[0].process->start_ticks -= 1;
       },
       {"STATELESS_NOT_SUPPORTED_BY_QEMU", "BACK_END_NOT_STATELESS", "BACK_END_RESTARTED"}});
  rows.push_back({"registered before the restart",
                  [=](Facts& f) {
                    ask_stateless(f);
                    f.endpoints = {endpoint(f)};
                    f.endpoints[0].boot_id = "another";
                  },
                  {"STATELESS_NOT_SUPPORTED_BY_QEMU", "BACK_END_NOT_STATELESS", "HOST_RESTARTED"}});
}

void BackEndRows(RuleRows& rows) {
  rows.push_back({"unknown kind",
                  [](Facts& f) {
                    Be(Src(f)).kind.value = BackEndKind::kUnknown;
                    Be(Dst(f)).kind.value = BackEndKind::kUnknown;
                  },
                  {"BACK_END_KIND_UNKNOWN"}});
  rows.push_back({"C virtiofsd",
                  [](Facts& f) {
                    Be(Src(f)).kind.value = BackEndKind::kVirtiofsdC;
                    Be(Dst(f)).kind.value = BackEndKind::kVirtiofsdC;
                  },
                  {"BACK_END_KIND_CANNOT_MIGRATE"}});
  rows.push_back({"kinds",
                  [](Facts& f) { Be(Dst(f)).kind.value = BackEndKind::kProfiled; },
                  {"BACK_END_KINDS_DIFFER"}});
  rows.push_back({"profile",
                  [](Facts& f) { Be(Src(f)).profile_modes.value->stateful = false; },
                  {"BACK_END_NOT_STATEFUL"}});
  for (const bool source : {true, false}) {
    rows.push_back({"features",
                    [source](Facts& f) {
                      Be(source ? Src(f) : Dst(f)).features.value->erase("migrate-precopy");
                    },
                    {"BACK_END_LACKS_DEVICE_STATE"}});
  }
  rows.push_back({"1.10",
                  [](Facts& f) {
                    *Be(Src(f)).version.value = {1, 10, 1};
                  },
                  {"BACK_END_TOO_OLD", "BACK_END_MAY_LOSE_KICK", "BACK_END_UNTRIED"}});
  rows.push_back({"1.14 to 1.11",
                  [](Facts& f) {
                    *Be(Dst(f)).version.value = {1, 11, 0};
                  },
                  {"BACK_END_STATE_FORMAT", "BACK_END_MAY_LOSE_KICK", "BACK_END_UNTRIED"}});
  rows.push_back({"1.13",
                  [](Facts& f) {
                    *Be(Dst(f)).version.value = {1, 13, 2};
                  },
                  {"BACK_END_MAY_LOSE_KICK"}});
  rows.push_back({"1.15",
                  [](Facts& f) {
                    *Be(Dst(f)).version.value = {1, 15, 0};
                  },
                  {"BACK_END_UNTRIED"}});
  rows.push_back({"upgraded",
                  [](Facts& f) { Be(Src(f)).executable_deleted.value = true; },
                  {"BACK_END_EXECUTABLE_REPLACED"}});
  rows.push_back({"disconnected",
                  [](Facts& f) { Fs(Src(f)).chardev.value->connected = false; },
                  {"BACK_END_DISCONNECTED"}});
  const std::pair<ProcessState, const char*> states[] = {
      {ProcessState::kStopped, "BACK_END_STOPPED"},
      {ProcessState::kUninterruptible, "BACK_END_UNINTERRUPTIBLE"},
      {ProcessState::kFrozen, "BACK_END_FROZEN"},
      {ProcessState::kZombie, "BACK_END_ZOMBIE"},
      {ProcessState::kUnknown, "FACT_UNKNOWN"}};
  for (const auto& [state, code] : states) {
    const ProcessState value = state;
    rows.push_back({code, [value](Facts& f) { Be(Dst(f)).process_state.value = value; }, {code}});
  }
  rows.push_back({"restarted",
                  [](Facts& f) {
                    const uint64_t later = Src(f).process.value->start_ticks + 1;
                    Be(Src(f)).process.value->start_ticks = later;
                    Be(Src(f)).first_start_ticks.value = later;
                  },
                  {"BACK_END_STARTED_AFTER_QEMU"}});
  rows.push_back({"forked by a virtiofsd that is older than QEMU",
                  [](Facts& f) {
                    Be(Src(f)).process.value->start_ticks = Src(f).process.value->start_ticks + 50;
                  },
                  {}});
}

void IdentityRows(RuleRows& rows) {
  rows.push_back({"no path",
                  [](Facts& f) { Fs(Src(f)).chardev.value->socket_path.clear(); },
                  {"ENDPOINT_UNRESOLVABLE"}});
  rows.push_back({"server",
                  [](Facts& f) { Fs(Src(f)).chardev.value->filename += ",server=on"; },
                  {"ENDPOINT_UNRESOLVABLE"}});
  rows.push_back({"rebound",
                  [](Facts& f) { Be(Src(f)).socket.value->file_at_path.inode += 1; },
                  {"SOCKET_REBOUND"}});
  rows.push_back({"socket file gone",
                  [](Facts& f) { Be(Dst(f)).socket.value->file_at_path = {}; },
                  {"SOCKET_REBOUND"}});
  for (const int front_ends : {0, 2}) {
    rows.push_back({"front-ends",
                    [front_ends](Facts& f) { Be(Dst(f)).front_ends.value = front_ends; },
                    {"BACK_END_NOT_EXCLUSIVE"}});
  }
  rows.push_back({"same back-end",
                  [](Facts& f) { Be(Dst(f)).process.value = Be(Src(f)).process.value; },
                  {"BACK_END_NOT_DISTINCT"}});
  rows.push_back({"same socket",
                  [](Facts& f) { Be(Dst(f)).socket.value = Be(Src(f)).socket.value; },
                  {"BACK_END_NOT_DISTINCT"}});
  rows.push_back({"no devices",
                  [](Facts& f) {
                    Src(f).devices.value->clear();
                    Dst(f).devices.value->clear();
                  },
                  {"VM_HAS_NO_FS_DEVICE"}});
  rows.push_back({"same monitor",
                  [](Facts& f) { Dst(f).qmp_socket = Src(f).qmp_socket; },
                  {"DESTINATION_IS_SOURCE"}});
  rows.push_back({"same QEMU",
                  [](Facts& f) { Dst(f).process.value = Src(f).process.value; },
                  {"DESTINATION_IS_SOURCE"}});
  rows.push_back({"other VM",
                  [](Facts& f) { *Dst(f).uuid.value = "11111111-3c1d-4d2e-9a53-0d6b7f1c2a10"; },
                  {"UUID_DIFFERS"}});
  rows.push_back({"no UUID",
                  [](Facts& f) {
                    Src(f).uuid.value = "00000000-0000-0000-0000-000000000000";
                    Dst(f).uuid.value = "00000000-0000-0000-0000-000000000000";
                  },
                  {"UUID_NOT_SET"}});
}

void DeviceRows(RuleRows& rows) {
  rows.push_back({"missing",
                  [](Facts& f) { Dst(f).devices.value->clear(); },
                  {"DEVICE_MISSING_AT_DESTINATION"}});
  rows.push_back({"extra",
                  [](Facts& f) {
                    VmFacts two = SafeDestination(2);
                    Dst(f).devices.value->push_back(Fs(two, 1));
                  },
                  {"DEVICE_MISSING_AT_SOURCE"}});
  rows.push_back({"type",
                  [](Facts& f) { Fs(Dst(f)).type = "vhost-user-fs-device"; },
                  {"DEVICE_TYPE_DIFFERS"}});
  rows.push_back({"address",
                  [](Facts& f) { *Fs(Dst(f)).pci_address.value = "0000:00:07.0"; },
                  {"PCI_ADDRESS_DIFFERS"}});
  rows.push_back({"tag", [](Facts& f) { *Fs(Dst(f)).tag.value = "other"; }, {"TAG_DIFFERS"}});
  rows.push_back(
      {"queues", [](Facts& f) { Fs(Dst(f)).request_queues.value = 2; }, {"REQUEST_QUEUES_DIFFER"}});
  rows.push_back(
      {"queue size", [](Facts& f) { Fs(Dst(f)).queue_size.value = 1024; }, {"QUEUE_SIZE_DIFFERS"}});
  rows.push_back({"no driver",
                  [](Facts& f) { Fs(Src(f)).driver_running.value = false; },
                  {"DRIVER_NOT_RUNNING"}});
  rows.push_back({"no driver of a paused guest",
                  [](Facts& f) {
                    Fs(Src(f)).driver_running.value = false;
                    *Src(f).run_state.value = "paused";
                  },
                  {}});
  rows.push_back({"ring",
                  [](Facts& f) {
                    Fs(f.source).ring_size.value = 1024;
                    Dst(f).qemu_version.value = Version{11, 1, 3};
                  },
                  {"RING_TOO_LARGE"}});
}

}  // namespace vuf
