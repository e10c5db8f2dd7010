// The QMP monitors that a QEMU's command line asks for.
#ifndef VUFD_SERVER_DISCOVERY_QEMU_MONITORS_H_
#define VUFD_SERVER_DISCOVERY_QEMU_MONITORS_H_

#include <optional>
#include <string>
#include <vector>

namespace vuf {

// Exactly one of the three is set.
struct MonitorOption {
  // The unix socket on which QEMU listens, as it is written there.
  std::string path;
  // The descriptor of such a socket, given to QEMU by whoever started it (libvirt).
  std::optional<int> descriptor;
  // Why vufd cannot use it.
  std::string why_not;
};

// In the order of the command line. Monitors for people (HMP) are left out.
std::vector<MonitorOption> QmpMonitors(const std::vector<std::string>& arguments);

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_QEMU_MONITORS_H_
