// The port to finding the QEMUs that run on the host, whoever started them.
#ifndef VUFD_SERVER_DISCOVERY_QEMU_FINDER_H_
#define VUFD_SERVER_DISCOVERY_QEMU_FINDER_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/model/process.h"

namespace vuf {

struct QemuMonitor {
  // As vufd reaches it; where it does not, as QEMU's command line has it, or empty.
  std::string path;
  // Empty: QEMU itself listens there and nobody is connected.
  std::string why_not;
};

struct QemuProcess {
  ProcessId process;
  // Its executable, or its own name for it when vufd may not see that.
  std::string program;
  // QMP only.
  std::vector<QemuMonitor> monitors;
};

struct QemuSighting {
  // By pid.
  std::vector<QemuProcess> qemus;
  // Processes that do not show vufd what they are.
  size_t closed = 0;
};

class QemuFinder {
 public:
  virtual ~QemuFinder() = default;
  // Connects to nothing. RESOURCE_EXHAUSTED: more QEMUs than one host has.
  virtual absl::StatusOr<QemuSighting> Find(absl::Time deadline) = 0;
};

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_QEMU_FINDER_H_
