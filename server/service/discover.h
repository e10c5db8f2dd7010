// Finding QEMUs by the paths of their monitors, and registering them.
#ifndef VUFD_SERVER_SERVICE_DISCOVER_H_
#define VUFD_SERVER_SERVICE_DISCOVER_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/discovery/qemu_finder.h"
#include "server/hypervisor/hypervisor.h"
#include "server/migration/migrator.h"
#include "server/registry/registry.h"
#include "vuf/v1/vm.pb.h"

namespace vuf {

// What a monitor says of its VM, back-ends excepted. The codes of VmService.RegisterVm.
absl::StatusOr<VmFacts> AskMonitor(HypervisorConnector* connector, const std::string& qmp_socket,
                                   absl::Time deadline);
// A free id for a VM: from its name, or else its UUID. "" when it has neither.
std::string ChooseVmId(const VmFacts& facts, const Registry::Snapshot& snapshot);

class VmFinder {
 public:
  static constexpr size_t kMaxMatches = 1024;

  VmFinder(HypervisorConnector* connector, QemuFinder* qemus, Registry* registry,
           Migrator* migrator, absl::Duration monitor_timeout)
      : connector_(connector),
        qemus_(qemus),
        registry_(registry),
        migrator_(migrator),
        monitor_timeout_(monitor_timeout) {}

  // One entry per path that matches, in order. RESOURCE_EXHAUSTED: more than kMaxMatches.
  // `cancelled` is asked before each path; CANCELLED when it says so.
  absl::StatusOr<std::vector<v1::DiscoveredVm>> Discover(const std::vector<std::string>& globs,
                                                         absl::Time deadline,
                                                         const std::function<bool()>& cancelled);

  // The same, and then one entry for each QEMU on the host that has no monitor among those.
  absl::StatusOr<std::vector<v1::DiscoveredVm>> DiscoverHost(
      const std::vector<std::string>& globs, absl::Time deadline,
      const std::function<bool()>& cancelled);

 private:
  // With a `process`, nobody else may answer there.
  v1::DiscoveredVm Examine(const std::string& path, absl::Time deadline,
                           const std::optional<ProcessId>& process = std::nullopt);
  v1::DiscoveredVm ExamineQemu(const QemuProcess& qemu, absl::Time deadline);
  // What need not be asked: it is registered, or vufd itself is migrating to it.
  std::optional<v1::DiscoveredVm> Recognise(const std::string& path) const;
  absl::StatusOr<v1::Vm> RegisterFound(const std::string& path, const VmFacts& facts,
                                       absl::Time deadline);
  // A running migration uses this monitor, which serves one client at a time.
  bool InMigration(const std::string& path) const;

  HypervisorConnector* const connector_;
  QemuFinder* const qemus_;
  Registry* const registry_;
  Migrator* const migrator_;
  const absl::Duration monitor_timeout_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_DISCOVER_H_
