// One safe world, one thing spoiled: exactly the reason that belongs to it.
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/decision/evaluate.h"
#include "server/decision/hazards.h"
#include "server/decision/rule.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

using Codes = std::set<std::string>;

struct Row {
  const char* what;
  std::function<void(Facts&)> spoil;
  Codes codes;
};

VmFacts& Src(Facts& facts) { return facts.source; }
VmFacts& Dst(Facts& facts) { return *facts.destination; }
FsDeviceFacts& Fs(VmFacts& vm, size_t i = 0) { return (*vm.devices.value)[i]; }
BackEndFacts& Be(VmFacts& vm, size_t i = 0) { return Fs(vm, i).back_end; }
std::string& Opt(VmFacts& vm, const char* name) { return (*Be(vm).options.value)[name]; }
bool& Cap(VmFacts& vm, const char* name) { return (*vm.capabilities.value)[name]; }

// Of device fs0 on both sides.
void SetOption(Facts& f, const char* name, const char* value) {
  Opt(Src(f), name) = value;
  Opt(Dst(f), name) = value;
}

void RequestRows(std::vector<Row>& rows) {
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

void HypervisorRows(std::vector<Row>& rows) {
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

void CapabilityRows(std::vector<Row>& rows) {
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
      {"multifd", "CAPABILITY_IN_THE_WAY"},
      {"release-ram", "CAPABILITY_IN_THE_WAY"}};
  for (const auto& [name, code] : must_be_off) {
    const char* const capability = name;
    rows.push_back({name, [capability](Facts& f) { Cap(Src(f), capability) = true; }, {code}});
    rows.push_back({name, [capability](Facts& f) { Cap(Dst(f), capability) = true; }, {code}});
  }
  rows.push_back({"cpr",
                  [](Facts& f) { *Dst(f).migration_mode.value = "cpr-reboot"; },
                  {"MIGRATION_MODE_NOT_NORMAL"}});
}

void StatelessRows(std::vector<Row>& rows) {
  const auto ask_stateless = [](Facts& f) {
    f.request.allow_stateful = false;
    f.request.allow_stateless = true;
  };
  const Codes never = {"STATELESS_NOT_SUPPORTED_BY_QEMU", "BACK_END_NOT_STATELESS"};
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
  rows.push_back({"keeper",
                  [](Facts& f) {
                    Be(Src(f)).kind.value = BackEndKind::kKeeper;
                    Be(Dst(f)).kind.value = BackEndKind::kKeeper;
                  },
                  {"KEEPER_NOT_PROVEN"}});
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

void BackEndRows(std::vector<Row>& rows) {
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
      {ProcessState::kZombie, "BACK_END_ZOMBIE"},
      {ProcessState::kUnknown, "FACT_UNKNOWN"}};
  for (const auto& [state, code] : states) {
    const ProcessState value = state;
    rows.push_back({code, [value](Facts& f) { Be(Dst(f)).process_state.value = value; }, {code}});
  }
  rows.push_back({"restarted",
                  [](Facts& f) {
                    Be(Src(f)).process.value->start_ticks = Src(f).process.value->start_ticks + 11;
                  },
                  {"BACK_END_STARTED_AFTER_QEMU"}});
  rows.push_back({"forked when QEMU was starting",
                  [](Facts& f) {
                    Be(Src(f)).process.value->start_ticks = Src(f).process.value->start_ticks + 10;
                  },
                  {}});
}

void IdentityRows(std::vector<Row>& rows) {
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
  rows.push_back({"two VMs",
                  [](Facts& f) {
                    f.vms_by_socket_path["/run/vuf/source-fs0.sock"] = {"vms/a", "vms/b"};
                  },
                  {"ENDPOINT_USED_BY_SEVERAL_VMS"}});
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

void DeviceRows(std::vector<Row>& rows) {
  rows.push_back({"missing",
                  [](Facts& f) { Dst(f).devices.value->clear(); },
                  {"DEVICE_MISSING_AT_DESTINATION"}});
  rows.push_back(
      {"extra", [](Facts& f) { Dst(f) = SafeDestination(2); }, {"DEVICE_MISSING_AT_SOURCE"}});
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
}

void ShareRows(std::vector<Row>& rows) {
  rows.push_back(
      {"share", [](Facts& f) { Be(Dst(f)).share.value->root.inode += 1; }, {"SHARE_DIFFERS"}});
  rows.push_back({"share elsewhere",
                  [](Facts& f) { Be(Dst(f)).share.value->root.device += 1; },
                  {"SHARE_DIFFERS"}});
  rows.push_back({"mount",
                  [](Facts& f) { Be(Dst(f)).share.value->mount_read_only = true; },
                  {"SHARE_MOUNT_DIFFERS"}});
  rows.push_back({"find-paths",
                  [](Facts& f) { Opt(Src(f), "migration-mode") = "find-paths"; },
                  {"SHARE_MAY_CHANGE"}});
  rows.push_back({"find-paths, verified",
                  [](Facts& f) {
                    Opt(Src(f), "migration-mode") = "find-paths";
                    Opt(Src(f), "migration-verify-handles") = "true";
                  },
                  {}});
  rows.push_back({"find-paths, read-only",
                  [](Facts& f) {
                    Opt(Src(f), "migration-mode") = "find-paths";
                    SetOption(f, "readonly", "true");
                  },
                  {}});
  rows.push_back({"mode",
                  [](Facts& f) { Opt(Src(f), "migration-mode") = "by-mail"; },
                  {"MIGRATION_MODE_UNKNOWN"}});
  rows.push_back({"CapEff",
                  [](Facts& f) { Be(Dst(f)).effective_capabilities.value = 0xdb; },
                  {"BACK_END_LACKS_DAC_READ_SEARCH"}});
  rows.push_back({"CapEff with find-paths",
                  [](Facts& f) {
                    Opt(Src(f), "migration-mode") = "find-paths";
                    Be(Dst(f)).effective_capabilities.value = 0;
                  },
                  {"SHARE_MAY_CHANGE"}});
  rows.push_back({"overlay",
                  [](Facts& f) {
                    Be(Src(f)).share.value->file_system = "overlay";
                    Be(Dst(f)).share.value->file_system = "overlay";
                  },
                  {"FILE_HANDLES_DOUBTFUL"}});
  rows.push_back({"guest-error",
                  [](Facts& f) { Opt(Dst(f), "migration-on-error") = "guest-error"; },
                  {"LOST_FILES_GO_UNNOTICED"}});
}

void OptionRows(std::vector<Row>& rows) {
  rows.push_back({"thread pool",
                  [](Facts& f) { Opt(Src(f), "thread-pool-size") = "4"; },
                  {"BACK_END_HAS_THREAD_POOL"}});
  rows.push_back({"thread pool?",
                  [](Facts& f) { Opt(Src(f), "thread-pool-size") = "many"; },
                  {"BACK_END_HAS_THREAD_POOL"}});
  rows.push_back(
      {"ACL", [](Facts& f) { SetOption(f, "posix-acl", "auto"); }, {"BACK_END_HAS_POSIX_ACL"}});
  rows.push_back({"label",
                  [](Facts& f) { SetOption(f, "security-label", "always"); },
                  {"BACK_END_HAS_SECURITY_LABEL"}});
  rows.push_back({"off as it was written before 1.14",
                  [](Facts& f) {
                    Opt(Src(f), "security-label") = "false";
                    Opt(Src(f), "posix-acl") = "false";
                  },
                  {}});
  rows.push_back({"writeback",
                  [](Facts& f) { Opt(Src(f), "writeback") = "true"; },
                  {"NEGOTIATED_OPTION_MISSING"}});
  rows.push_back({"submounts",
                  [](Facts& f) { Opt(Dst(f), "announce-submounts") = "false"; },
                  {"NEGOTIATED_OPTION_MISSING"}});
  for (const char* name : {"readonly", "xattr", "xattrmap", "translate-uid", "uid-map"}) {
    rows.push_back(
        {name, [name](Facts& f) { Opt(Dst(f), name) = "true"; }, {"OPTION_DIFFERS_HARMFULLY"}});
  }
  for (const char* name : {"cache", "allow-mmap", "killpriv-v2", "rlimit-nofile"}) {
    rows.push_back({name, [name](Facts& f) { Opt(Dst(f), name) = "x"; }, {"OPTION_DIFFERS"}});
  }
  rows.push_back({"unheard of",
                  [](Facts& f) { Opt(Dst(f), "frobnicate") = "true"; },
                  {"OPTION_UNRECOGNISED_DIFFERS"}});
  rows.push_back(
      {"sandbox", [](Facts& f) { Opt(Dst(f), "sandbox") = "none"; }, {"SANDBOX_DIFFERS"}});
  rows.push_back({"handles",
                  [](Facts& f) { Opt(Dst(f), "inode-file-handles") = "never"; },
                  {"INODE_FILE_HANDLES_DIFFER"}});
  rows.push_back({"option not observed",
                  [](Facts& f) { Be(Src(f)).options.value->erase("thread-pool-size"); },
                  {"FACT_UNKNOWN"}});
}

void ProcedureRows(std::vector<Row>& rows) {
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

std::vector<Row> AllRows() {
  std::vector<Row> rows;
  RequestRows(rows);
  HypervisorRows(rows);
  CapabilityRows(rows);
  StatelessRows(rows);
  BackEndRows(rows);
  IdentityRows(rows);
  DeviceRows(rows);
  ShareRows(rows);
  OptionRows(rows);
  ProcedureRows(rows);
  return rows;
}

const Rule* FindRule(const std::string& code) {
  for (const RegisteredRule& rule : AllRules()) {
    if (code == rule.code) return rule.rule;
  }
  return nullptr;
}

Codes CodesOf(const Verdict& verdict) {
  Codes codes;
  for (const Finding& finding : verdict.blockers) codes.insert(finding.code);
  for (const Finding& finding : verdict.warnings) codes.insert(finding.code);
  return codes;
}

TEST(RulesTest, OneThingSpoiledGivesItsReasonAndNoOther) {
  for (const Row& row : AllRows()) {
    SCOPED_TRACE(row.what);
    Facts facts = SafeFacts();
    row.spoil(facts);
    const Verdict verdict = Evaluate(facts);
    EXPECT_EQ(CodesOf(verdict), row.codes);
    bool blocked = false;
    for (const std::string& code : row.codes) {
      const Rule* rule = FindRule(code);
      ASSERT_NE(rule, nullptr) << code;
      blocked = blocked || rule->severity == Severity::kBlocker;
    }
    EXPECT_EQ(verdict.allow, !blocked);
    EXPECT_EQ(verdict.blockers.empty(), !blocked);
    EXPECT_EQ(verdict.mode, blocked ? Mode::kNone : Mode::kStateful);
  }
}

TEST(RulesTest, EveryFindingSaysWhatAndWhatToDo) {
  for (const Row& row : AllRows()) {
    SCOPED_TRACE(row.what);
    Facts facts = SafeFacts();
    row.spoil(facts);
    Verdict verdict = Evaluate(facts);
    std::vector<Finding> findings = verdict.blockers;
    findings.insert(findings.end(), verdict.warnings.begin(), verdict.warnings.end());
    for (const Finding& finding : findings) {
      EXPECT_FALSE(finding.subject.empty());
      EXPECT_FALSE(finding.remedy.empty());
      ASSERT_FALSE(finding.message.empty());
      EXPECT_EQ(finding.message.back(), '.') << finding.message;
      EXPECT_EQ(finding.message.find("\n"), std::string::npos);
      for (const CitedFact& fact : finding.evidence) {
        EXPECT_FALSE(fact.fact.empty());
        EXPECT_TRUE(fact.unknown || fact.source != Source::kNobody) << fact.fact;
      }
    }
  }
}

// Rows that take a whole part of the world away hide what would be said about it.
bool HasBothDevices(const Facts& facts) {
  return facts.request.has_destination && facts.destination.has_value() &&
         !facts.source.devices.value->empty() && !facts.destination->devices.value->empty();
}

TEST(RulesTest, TwoThingsSpoiledGiveBothReasons) {
  for (const Row& row : AllRows()) {
    SCOPED_TRACE(row.what);
    Facts facts = SafeFacts();
    row.spoil(facts);
    if (!HasBothDevices(facts) || row.codes.count("TAG_DIFFERS") > 0) continue;
    *Fs(Dst(facts)).tag.value = "other";
    Codes both = row.codes;
    both.insert("TAG_DIFFERS");
    const Verdict verdict = Evaluate(facts);
    EXPECT_EQ(CodesOf(verdict), both);
    EXPECT_FALSE(verdict.allow);
  }
}

TEST(RulesTest, EveryCodeHasARow) {
  Codes exercised;
  for (const Row& row : AllRows()) exercised.insert(row.codes.begin(), row.codes.end());
  for (const RegisteredRule& rule : AllRules()) {
    EXPECT_EQ(exercised.count(rule.code), 1u) << rule.code << " has no row in this file";
  }
}

TEST(RulesTest, EveryRuleInTheSourcesIsInTheTable) {
  size_t in_sources = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator("server/decision/rules")) {
    if (entry.path().extension() != ".cc") continue;
    std::ifstream in(entry.path());
    ASSERT_TRUE(in) << entry.path();
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    for (size_t at = 0; (at = text.find("VUFD_RULE(", at)) != std::string::npos; ++at) ++in_sources;
  }
  EXPECT_GE(in_sources, 60u);
  EXPECT_EQ(AllRules().size(), in_sources);
}

TEST(RulesTest, EveryHazardIsCoveredOrDeclaredUndetected) {
  std::set<int> covered;
  for (const RegisteredRule& rule : AllRules()) {
    for (const std::string& number :
         std::vector<std::string>(absl::StrSplit(rule.rule->hazards, ", ", absl::SkipEmpty()))) {
      covered.insert(std::stoi(number));
    }
  }
  for (const UndetectedHazard& hazard : kUndetectedHazards) {
    EXPECT_TRUE(covered.insert(hazard.number).second) << hazard.number << " is declared twice";
  }
  for (int i = 1; i <= kHazards; ++i) EXPECT_EQ(covered.count(i), 1u) << "hazard " << i;
}

TEST(RulesTest, EveryRuleIsDescribed) {
  for (const RegisteredRule& rule : AllRules()) {
    SCOPED_TRACE(rule.code);
    EXPECT_STRNE(rule.rule->cause, "");
    EXPECT_STRNE(rule.rule->remedy, "");
    EXPECT_THAT(rule.rule->side,
                testing::AnyOf(testing::StrEq("source"), testing::StrEq("destination"),
                               testing::StrEq("either"), testing::StrEq("request")));
  }
}

}  // namespace
}  // namespace vuf
