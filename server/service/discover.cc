#include "server/service/discover.h"

#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/migration_state.h"
#include "server/convert/convert.h"
#include "server/metrics/metrics.h"
#include "server/service/validate.h"

namespace vuf {
namespace {

constexpr char kNoUuid[] = "00000000-0000-0000-0000-000000000000";

absl::StatusOr<std::set<std::string>> Matches(const std::vector<std::string>& globs) {
  std::set<std::string> paths;
  for (const std::string& pattern : globs) {
    glob_t found = {};
    const absl::Cleanup free_found = [&found] { globfree(&found); };
    const int result = glob(pattern.c_str(), 0, nullptr, &found);
    if (result == GLOB_NOMATCH) continue;
    if (result != 0) {
      return absl::ResourceExhaustedError(
          absl::StrCat("socket_glob: ", Quoted(pattern), " cannot be expanded"));
    }
    paths.insert(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    if (paths.size() > VmFinder::kMaxMatches) {
      return absl::ResourceExhaustedError(absl::StrCat("socket_glob: ", Quoted(pattern),
                                                       " matches more than ", VmFinder::kMaxMatches,
                                                       " paths"));
    }
  }
  return paths;
}

std::string WhyNoSocket(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return strerror(errno);
  return S_ISSOCK(info.st_mode) ? "" : "not a socket";
}

v1::DiscoveredVm Failed(v1::DiscoveredVm entry, absl::string_view error) {
  entry.set_outcome(v1::DiscoveredVm::OUTCOME_FAILED);
  entry.set_error(ValidUtf8(error));
  return entry;
}

const v1::Vm* FindBySocket(const Registry::Snapshot& snapshot, const std::string& path) {
  for (const auto& [name, vm] : snapshot.vms) {
    if (vm.qmp_socket() == path) return &vm;
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<VmFacts> AskMonitor(HypervisorConnector* connector, const std::string& qmp_socket,
                                   absl::Time deadline) {
  absl::StatusOr<std::unique_ptr<Hypervisor>> monitor = connector->Connect(qmp_socket, deadline);
  if (!monitor.ok()) {
    // NOT_FOUND is kept for names: a path that does not exist is a state of the host.
    if (absl::IsNotFound(monitor.status())) {
      return absl::FailedPreconditionError(monitor.status().message());
    }
    return monitor.status();
  }
  return (*monitor)->Observe(deadline);
}

std::string ChooseVmId(const VmFacts& facts, const Registry::Snapshot& snapshot) {
  const std::string by_name = IdFrom(facts.guest_name.value.value_or(""));
  const std::string uuid = facts.uuid.value.value_or(kNoUuid);
  const std::string by_uuid = uuid.empty() || uuid == kNoUuid ? "" : absl::StrCat("vm-", uuid);
  const bool name_is_free =
      !by_name.empty() && snapshot.vms.count(absl::StrCat("vms/", by_name)) == 0;
  return name_is_free || by_uuid.empty() ? by_name : by_uuid;
}

absl::StatusOr<std::vector<v1::DiscoveredVm>> VmFinder::Discover(
    const std::vector<std::string>& globs, absl::Time deadline,
    const std::function<bool()>& cancelled) {
  const absl::StatusOr<std::set<std::string>> paths = Matches(globs);
  if (!paths.ok()) return paths.status();
  std::vector<v1::DiscoveredVm> found;
  for (const std::string& path : *paths) {
    if (cancelled()) return absl::CancelledError("cancelled");
    if (absl::Now() >= deadline) {
      v1::DiscoveredVm entry;
      entry.set_qmp_socket(ValidUtf8(path));
      found.push_back(Failed(std::move(entry), "not looked at: the deadline has passed"));
      continue;
    }
    found.push_back(Examine(path, std::min(deadline, absl::Now() + monitor_timeout_)));
  }
  return found;
}

absl::StatusOr<std::vector<v1::DiscoveredVm>> VmFinder::DiscoverHost(
    const std::vector<std::string>& globs, absl::Time deadline,
    const std::function<bool()>& cancelled) {
  absl::StatusOr<std::vector<v1::DiscoveredVm>> found = Discover(globs, deadline, cancelled);
  if (!found.ok()) return found.status();
  std::set<std::string> seen;
  for (const v1::DiscoveredVm& entry : *found) seen.insert(entry.qmp_socket());
  const absl::StatusOr<QemuSighting> host = qemus_->Find(deadline);
  if (!host.ok()) return host.status();
  for (const QemuProcess& qemu : host->qemus) {
    if (cancelled()) return absl::CancelledError("cancelled");
    const bool listed = absl::c_any_of(
        qemu.monitors, [&](const QemuMonitor& monitor) { return seen.count(monitor.path) != 0; });
    if (listed) continue;
    found->push_back(ExamineQemu(qemu, std::min(deadline, absl::Now() + monitor_timeout_)));
  }
  if (host->closed == 0) return found;
  found->push_back(Failed({}, absl::StrCat(host->closed,
                                           " processes do not show vufd what they "
                                           "are: there may be more QEMUs; run vufd as root in the "
                                           "host's pid namespace")));
  return found;
}

v1::DiscoveredVm VmFinder::ExamineQemu(const QemuProcess& qemu, absl::Time deadline) {
  v1::DiscoveredVm entry;
  // A VM that is known by one of its monitors is not asked at another.
  for (const QemuMonitor& monitor : qemu.monitors) {
    if (std::optional<v1::DiscoveredVm> known = Recognise(monitor.path)) return *std::move(known);
  }
  std::vector<std::string> reasons;
  for (const QemuMonitor& monitor : qemu.monitors) {
    if (monitor.why_not.empty() && absl::Now() < deadline) {
      return Examine(monitor.path, deadline, qemu.process);
    }
    reasons.push_back(monitor.why_not.empty() ? "not looked at: the deadline has passed"
                                              : monitor.why_not);
    if (entry.qmp_socket().empty()) entry.set_qmp_socket(ValidUtf8(monitor.path));
  }
  if (reasons.empty()) {
    reasons.push_back(
        "its command line has none (with -readconfig there may be one all the same: "
        "register it by its path)");
  }
  return Failed(std::move(entry),
                absl::StrCat("no usable monitor of QEMU process ", qemu.process.pid, " (",
                             qemu.program, "): ", absl::StrJoin(reasons, "; ")));
}

std::optional<v1::DiscoveredVm> VmFinder::Recognise(const std::string& path) const {
  v1::DiscoveredVm entry;
  entry.set_qmp_socket(ValidUtf8(path));
  const std::shared_ptr<const Registry::Snapshot> snapshot = registry_->snapshot();
  if (const v1::Vm* const known = FindBySocket(*snapshot, path)) {
    entry.set_outcome(v1::DiscoveredVm::OUTCOME_KNOWN);
    *entry.mutable_vm() = *known;
    return entry;
  }
  if (!InMigration(path)) return std::nullopt;
  entry.set_outcome(v1::DiscoveredVm::OUTCOME_INCOMING);
  return entry;
}

bool VmFinder::InMigration(const std::string& path) const {
  const std::vector<v1::Migration> migrations = migrator_->List();
  return std::any_of(migrations.begin(), migrations.end(), [&](const v1::Migration& migration) {
    return !IsFinal(migration.state()) && MonitorOf(migration.destination()) == path;
  });
}

v1::DiscoveredVm VmFinder::Examine(const std::string& path, absl::Time deadline,
                                   const std::optional<ProcessId>& process) {
  v1::DiscoveredVm entry;
  entry.set_qmp_socket(ValidUtf8(path));
  absl::Status status = CheckSocketPath("path", path);
  if (!status.ok() || entry.qmp_socket() != path) {
    return Failed(std::move(entry), status.ok() ? "the path is not valid UTF-8" : status.message());
  }
  const std::string why_not = WhyNoSocket(path);
  if (!why_not.empty()) return Failed(std::move(entry), why_not);
  if (std::optional<v1::DiscoveredVm> known = Recognise(path)) return *std::move(known);
  const absl::StatusOr<VmFacts> facts = AskMonitor(connector_, path, deadline);
  if (!facts.ok()) return Failed(std::move(entry), facts.status().message());
  if (process.has_value() && facts->process.value.value_or(*process).pid != process->pid) {
    return Failed(std::move(entry),
                  absl::StrCat("process ", facts->process.value->pid,
                               " answers there, not QEMU process ", process->pid));
  }
  const std::string state = facts->run_state.value.value_or("");
  if (state == "inmigrate") {
    entry.set_outcome(v1::DiscoveredVm::OUTCOME_INCOMING);
    return entry;
  }
  if (state == "postmigrate" || state == "finish-migrate") {
    return Failed(std::move(entry),
                  absl::StrCat("its run state is ", state, ": the guest has moved elsewhere"));
  }
  const absl::StatusOr<v1::Vm> vm = RegisterFound(path, *facts, deadline);
  if (!vm.ok()) return Failed(std::move(entry), vm.status().message());
  entry.set_outcome(v1::DiscoveredVm::OUTCOME_REGISTERED);
  *entry.mutable_vm() = *vm;
  return entry;
}

absl::StatusOr<v1::Vm> VmFinder::RegisterFound(const std::string& path, const VmFacts& facts,
                                               absl::Time deadline) {
  const std::string id = ChooseVmId(facts, *registry_->snapshot());
  if (id.empty()) {
    return absl::FailedPreconditionError(
        "this QEMU has neither -name nor -uuid to make an id from; register it with a vm_id");
  }
  v1::Vm vm;
  FillObserved(facts, &vm);
  vm.clear_run_state();
  vm.clear_devices();
  vm.clear_observe_error();
  vm.set_name(absl::StrCat("vms/", id));
  vm.set_qmp_socket(path);
  return registry_->CreateVm(std::move(vm), RequestKey(), deadline);
}

}  // namespace vuf
