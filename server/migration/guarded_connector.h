// Connects to monitors only, never to a back-end: an idle virtiofsd exits when its first client
// leaves, so a path given by mistake, or a glob that is too wide, would end a guest's file system.
#ifndef VUFD_SERVER_MIGRATION_GUARDED_CONNECTOR_H_
#define VUFD_SERVER_MIGRATION_GUARDED_CONNECTOR_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/discovery/discovery.h"
#include "server/hypervisor/hypervisor.h"
#include "server/registry/registry.h"

namespace vuf {

class GuardedConnector : public HypervisorConnector {
 public:
  GuardedConnector(HypervisorConnector* connector, Discovery* discovery, const Registry* registry)
      : connector_(connector), discovery_(discovery), registry_(registry) {}

  // Looks first who serves the socket, and then may not connect. FAILED_PRECONDITION: a program
  // that a back-end profile names, a registered endpoint, or nobody that vufd can see. UNAVAILABLE:
  // somebody, but it cannot be told who; that must not be taken for a QEMU that has exited.
  absl::StatusOr<std::unique_ptr<Hypervisor>> Connect(const std::string& qmp_socket,
                                                      absl::Time deadline) override;

 private:
  absl::Status Check(const std::string& qmp_socket, absl::Time deadline);

  HypervisorConnector* const connector_;
  Discovery* const discovery_;
  const Registry* const registry_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_GUARDED_CONNECTOR_H_
