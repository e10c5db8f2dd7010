// What is wrong with the request, with QEMU, or with its state.
#include <utility>

#include "server/decision/rule_rows.h"
#include "tests/testing/safe_facts.h"

namespace vuf {

void RequestRows(RuleRows& rows) {
  rows.push_back(
      {"no mode",
       [](Facts& f) { f.request.allow_stateful = false; },
       {"NO_MODE_PERMITTED", "STATELESS_NOT_SUPPORTED_BY_QEMU", "BACK_END_NOT_STATELESS"}});
  rows.push_back({"no destination",
                  [](Facts& f) { f.request.has_destination = false; },
                  {"DESTINATION_NOT_GIVEN"}});
  rows.push_back({"destination without facts",
                  [](Facts& f) { f.destination.reset(); },
                  {"DESTINATION_NOT_GIVEN"}});
  rows.push_back({"unknown",
                  [](Facts& f) { Src(f).uuid = Unknown<std::string>("no answer"); },
                  {"FACT_UNKNOWN"}});
  rows.push_back({"vouched for by nobody",
                  [](Facts& f) { Src(f).uuid.source = Source::kNobody; },
                  {"FACT_UNKNOWN"}});
  rows.push_back(
      {"process 0", [](Facts& f) { Be(Dst(f)).process.value = ProcessId{}; }, {"FACT_UNKNOWN"}});
  rows.push_back({"no socket file",
                  [](Facts& f) { *Be(Src(f)).socket.value = SocketFacts{}; },
                  {"FACT_UNKNOWN"}});
  rows.push_back(
      {"old", [](Facts& f) { Src(f).uuid.observed_at -= absl::Minutes(1); }, {"EVIDENCE_STALE"}});
  rows.push_back({"from the future",
                  [](Facts& f) { Src(f).uuid.observed_at += absl::Minutes(1); },
                  {"EVIDENCE_STALE"}});
}

void HypervisorRows(RuleRows& rows) {
  rows.push_back({"no monitor",
                  [](Facts& f) { Src(f).monitor = Unknown<std::string>("refused"); },
                  {"MONITOR_UNREACHABLE"}});
  rows.push_back({"QEMU 8.1",
                  [](Facts& f) {
                    *Src(f).qemu_version.value = {8, 1, 5};
                  },
                  {"QEMU_TOO_OLD"}});
  rows.push_back({"newer QEMU",
                  [](Facts& f) {
                    *Dst(f).qemu_version.value = {12, 0, 0};
                  },
                  {"QEMU_UNTRIED"}});
  rows.push_back({"older QEMU",
                  [](Facts& f) {
                    *Src(f).qemu_version.value = {11, 1, 3};
                  },
                  {"DESTINATION_QEMU_OLDER"}});
  rows.push_back({"machine",
                  [](Facts& f) { *Dst(f).machine_type.value = "pc-q35-9.2-machine"; },
                  {"MACHINE_TYPE_DIFFERS"}});
  const auto blocked = [](const char* words) {
    return [words](Facts& f) { Src(f).blocked_reasons.value = {words}; };
  };
  rows.push_back({"log all",
                  blocked("Migration disabled: vhost lacks VHOST_F_LOG_ALL feature."),
                  {"BACK_END_LACKS_DIRTY_LOG"}});
  rows.push_back({"log shmfd",
                  blocked("Migration disabled: vhost-user backend lacks "
                          "VHOST_USER_PROTOCOL_F_LOG_SHMFD feature."),
                  {"BACK_END_LACKS_DIRTY_LOG"}});
  rows.push_back({"unmigratable",
                  blocked("non-migratable device: 0000:00:01.0/vhost-user-vsock"),
                  {"UNMIGRATABLE_DEVICE"}});
  rows.push_back({"DAX",
                  blocked("Migration disabled: devices with VIRTIO Shared Memory Regions do not "
                          "support migration yet."),
                  {"SHARED_MEMORY_REGION"}});
  rows.push_back({"other reason", blocked("VFIO says no"), {"QEMU_BLOCKS_MIGRATION"}});
  rows.push_back({"private memory",
                  [](Facts& f) { (*Src(f).memory_backends.value)[0].share = false; },
                  {"MEMORY_NOT_SHARED"}});
  rows.push_back({"no memory backend",
                  [](Facts& f) { Dst(f).memory_backends.value->clear(); },
                  {"MEMORY_NOT_SHARED"}});
}

void CapabilityRows(RuleRows& rows) {
  for (const char* name : {"return-path", "events", "pause-before-switchover"}) {
    rows.push_back({name,
                    [name](Facts& f) { Src(f).capabilities.value->erase(name); },
                    {"QEMU_LACKS_CAPABILITY"}});
    rows.push_back({name,
                    [name](Facts& f) { Dst(f).capabilities.value->erase(name); },
                    {"QEMU_LACKS_CAPABILITY"}});
  }
  const std::pair<const char*, const char*> must_be_off[] = {
      {"postcopy-ram", "POSTCOPY_ENABLED"},
      {"background-snapshot", "BACKGROUND_SNAPSHOT_ENABLED"},
      {"x-ignore-shared", "IGNORE_SHARED_ENABLED"},
      {"vhost-user-fs", "FS_CAPABILITY_ENABLED"},
      {"multifd", "CAPABILITY_IN_THE_WAY"},
      {"release-ram", "CAPABILITY_IN_THE_WAY"}};
  for (const auto& [name, code] : must_be_off) {
    const char* const capability = name;
    rows.push_back({name, [capability](Facts& f) { Cap(Src(f), capability) = true; }, {code}});
    rows.push_back({name, [capability](Facts& f) { Cap(Dst(f), capability) = true; }, {code}});
  }
  for (const bool source : {true, false}) {
    rows.push_back({"TLS",
                    [source](Facts& f) { *(source ? Src(f) : Dst(f)).tls_creds.value = "tls0"; },
                    {"TLS_CREDENTIALS_SET"}});
  }
  rows.push_back({"cpr",
                  [](Facts& f) { *Dst(f).migration_mode.value = "cpr-reboot"; },
                  {"MIGRATION_MODE_NOT_NORMAL"}});
}

void ProcedureRows(RuleRows& rows) {
  rows.push_back({"vufd migrates",
                  [](Facts& f) { f.running_migration = "migrations/m1"; },
                  {"MIGRATION_RUNNING"}});
  for (const char* status : {"active", "setup", "pre-switchover", "postcopy-paused", "new-one"}) {
    rows.push_back({status,
                    [status](Facts& f) { Src(f).migration_status.value = status; },
                    {"QEMU_IS_MIGRATING"}});
  }
  for (const char* status : {"none", "failed", "cancelled", "completed"}) {
    rows.push_back({status, [status](Facts& f) { Src(f).migration_status.value = status; }, {}});
  }
  rows.push_back({"paused", [](Facts& f) { *Src(f).run_state.value = "paused"; }, {}});
  for (const char* state : {"postmigrate", "inmigrate", "io-error", "guest-panicked", "suspended",
                            "finish-migrate", "shutdown", "prelaunch"}) {
    rows.push_back(
        {state, [state](Facts& f) { *Src(f).run_state.value = state; }, {"RUN_STATE_UNSUITABLE"}});
  }
  rows.push_back({"running destination",
                  [](Facts& f) { *Dst(f).run_state.value = "running"; },
                  {"DESTINATION_NOT_WAITING"}});
  for (const char* status : {"failed", "setup", "active"}) {
    rows.push_back({status,
                    [status](Facts& f) { Dst(f).migration_status.value = status; },
                    {"DESTINATION_USED_UP"}});
  }
  rows.push_back({"without -S",
                  [](Facts& f) { Dst(f).started_paused.value = false; },
                  {"DESTINATION_STARTS_BY_ITSELF"}});
}

}  // namespace vuf
