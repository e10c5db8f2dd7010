// The gRPC server: all services on a unix socket and, when it is wanted, on TCP with mutual TLS,
// with health and reflection.
#ifndef VUFD_SERVER_SERVICE_API_SERVER_H_
#define VUFD_SERVER_SERVICE_API_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/server.h"
#include "server/audit/audit_log.h"
#include "server/base/clock.h"
#include "server/decisions/decision_log.h"
#include "server/discovery/discovery.h"
#include "server/discovery/process_watch.h"
#include "server/discovery/qemu_finder.h"
#include "server/hypervisor/hypervisor.h"
#include "server/metrics/metrics.h"
#include "server/migration/gather.h"
#include "server/migration/incoming.h"
#include "server/migration/migrator.h"
#include "server/registry/registry.h"
#include "server/security/gate.h"
#include "server/security/tls_store.h"

namespace vuf {

class ApiServer {
 public:
  struct Parts {
    Registry* registry;
    Migrator* migrator;
    Gatherer* gatherer;
    HypervisorConnector* connector;
    Discovery* discovery;
    ProcessWatch* processes;
    QemuFinder* qemus;
    Metrics* metrics;
    const Clock* clock;
    DecisionLog* decisions;
    const Gate* gate;
    AuditLog* audit;
    // Null: no TCP.
    const TlsStore* tls;
    // Null: not set up for other hosts.
    Incoming* incoming = nullptr;
  };
  struct Options {
    std::string listen_socket;
    std::vector<std::string> qmp_socket_globs;
    absl::Duration discovery_period = absl::Seconds(10);
    absl::Duration monitor_timeout = absl::Seconds(5);
    // "HOST:PORT"; port 0: any that is free. Used when there is a TlsStore.
    std::string tls_address;
    int max_request_bytes = (1 << 20) + (64 << 10);
    // What a client may have under way, by the gate.
    uint32_t requests_in_flight = ClientLimits().requests_in_flight;
  };

  // Serving when it returns. The socket has mode 0660. A socket file that nobody answers is
  // removed; FAILED_PRECONDITION when somebody does, or when the path is something else.
  // UNAVAILABLE when the TCP address cannot be listened on.
  static absl::StatusOr<std::unique_ptr<ApiServer>> Start(const Parts& parts,
                                                          const Options& options);
  ~ApiServer();
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  // Full names of the services of vufd's own that are served.
  const std::vector<std::string>& services() const;
  // The TCP port; 0 without TCP.
  int tls_port() const;
  // Health says NOT_SERVING and watchers are ended; other calls still work.
  void BeginStop();
  // No new calls; those under way may take until `deadline`.
  void Stop(absl::Time deadline);

 private:
  struct Objects;

  explicit ApiServer(std::unique_ptr<Objects> objects);
  static absl::Status Listen(Objects& objects, const Options& options);

  const std::unique_ptr<Objects> objects_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_API_SERVER_H_
