// Discovery on a real host: /proc, NETLINK_SOCK_DIAG, and the executables of the back-ends.
#ifndef VUFD_SERVER_DISCOVERY_HOST_DISCOVERY_H_
#define VUFD_SERVER_DISCOVERY_HOST_DISCOVERY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/discovery/discovery.h"
#include "server/discovery/executable.h"
#include "server/discovery/keeper_observer.h"
#include "server/discovery/process_observer.h"
#include "server/discovery/procfs.h"
#include "server/discovery/sock_diag.h"
#include "server/discovery/socket_holders.h"
#include "server/discovery/socket_view.h"
#include "server/keeper/keeper.h"

namespace vuf {

struct HostDiscoveryOptions {
  std::string proc_root = "/proc";
  // Base names of the executables that are asked for their version: those that profiles name and
  // that understand --version and --print-capabilities.
  std::set<std::string> executable_names = {"virtiofsd"};
  // For one such question.
  absl::Duration run_limit = absl::Seconds(2);
};

// Thread-safe. Sees what vufd may see: as root in the host's pid and network namespaces
// everything; otherwise what is hidden is unknown, with the reason.
class HostDiscovery : public Discovery {
 public:
  // Without `keepers` what a keeper would say is unknown.
  HostDiscovery(const HostDiscoveryOptions& options, std::unique_ptr<SocketTable> sockets,
                const Clock* clock, KeeperPort* keepers = nullptr);

  Evidence<std::string> BootId() override;
  bool IsGone(const ProcessId& process) override;
  void ObserveBackEnds(VmFacts& vm, Look look, absl::Time deadline) override;
  EndpointSighting ObserveEndpoint(const std::string& path, absl::Time deadline) override;
  std::vector<std::optional<SocketSighting>> ObserveSockets(const std::vector<std::string>& paths,
                                                            absl::Time deadline) override;

 private:
  absl::Status VerifyQemu(VmFacts& vm) const;
  absl::Status ObserveDevices(VmFacts& vm, Look look, absl::Time deadline);
  // Fills `file` of the memory that is in files.
  void ObserveMemory(VmFacts& vm) const;
  // The path of the device's back-end, from its character device or QEMU's command line.
  absl::StatusOr<std::string> SocketPath(int qemu_pid, const FsDeviceFacts& device) const;
  // The one of `peers` (the other ends of QEMU's sockets) that was bound to `path`.
  absl::StatusOr<SocketFacts> FindPeer(int qemu_pid, const std::string& path,
                                       const std::vector<const UnixSocket*>& peers) const;
  // Fills what is known of the one process that serves the sockets `inodes`.
  void ObserveHolder(const absl::StatusOr<SocketHolders>& holders, const std::set<uint64_t>& inodes,
                     Look look, absl::Time deadline, BackEndFacts& facts) const;
  // Fills who serves `sockets`, at least one, at `path`.
  void ObserveServer(const std::string& path, const SocketSighting& sockets, const SocketView& view,
                     absl::Time deadline, EndpointSighting& sighting);

  const Procfs procfs_;
  ExecutableInspector inspector_;
  const std::unique_ptr<SocketTable> sockets_;
  const Clock* const clock_;
  HolderFinder holders_;
  // Of connections of keepers to what is behind them.
  HolderFinder kept_holders_;
  const ProcessObserver observer_;
  const KeeperObserver keeper_observer_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_HOST_DISCOVERY_H_
