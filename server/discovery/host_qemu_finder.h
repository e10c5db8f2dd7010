// QemuFinder on a real host: /proc and NETLINK_SOCK_DIAG.
#ifndef VUFD_SERVER_DISCOVERY_HOST_QEMU_FINDER_H_
#define VUFD_SERVER_DISCOVERY_HOST_QEMU_FINDER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/discovery/procfs.h"
#include "server/discovery/qemu_finder.h"
#include "server/discovery/qemu_monitors.h"
#include "server/discovery/sock_diag.h"
#include "server/discovery/socket_view.h"

namespace vuf {

// Thread-safe. Sees QEMUs in containers too when vufd is in the host's pid and network namespaces.
class HostQemuFinder : public QemuFinder {
 public:
  static constexpr size_t kMaxQemus = 1024;

  explicit HostQemuFinder(std::unique_ptr<SocketTable> sockets, std::string proc_root = "/proc")
      : procfs_(std::move(proc_root)), sockets_(std::move(sockets)) {}

  absl::StatusOr<QemuSighting> Find(absl::Time deadline) override;

 private:
  struct Candidate {
    ProcessId process;
    std::string program;
    std::vector<MonitorOption> options;
    // By the name of its executable, not only by its arguments.
    bool certain = false;
  };

  // What the process shows of itself; nothing when it is no QEMU.
  std::optional<Candidate> Identify(int pid, size_t& closed) const;
  std::optional<QemuProcess> Look(const Candidate& candidate, const SocketView& view) const;
  QemuMonitor LookAtMonitor(int pid, const MonitorOption& option,
                            const absl::StatusOr<std::vector<uint64_t>>& own,
                            const SocketView& view) const;
  // The listening socket of `path`, which must be among `own`.
  absl::StatusOr<uint64_t> FindListener(int pid, const std::string& path, const FileSighting& file,
                                        const std::vector<uint64_t>& own,
                                        const SocketView& view) const;
  // What vufd calls the file that the process calls `path`.
  absl::StatusOr<std::string> OwnName(int pid, const std::string& path,
                                      const FileSighting& file) const;

  const Procfs procfs_;
  const std::unique_ptr<SocketTable> sockets_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_HOST_QEMU_FINDER_H_
