// All objects of one agent, in the order in which they need each other.
#ifndef VUFD_SERVER_AGENT_H_
#define VUFD_SERVER_AGENT_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/agent_security.h"
#include "server/audit/audit_log.h"
#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/decisions/durable_log.h"
#include "server/discovery/host_discovery.h"
#include "server/discovery/host_process_watch.h"
#include "server/discovery/host_qemu_finder.h"
#include "server/http/http_server.h"
#include "server/http/tls_http.h"
#include "server/hypervisor/hypervisor.h"
#include "server/keeper/keeper.h"
#include "server/keeper/keeper_client.h"
#include "server/metrics/metrics.h"
#include "server/migration/gather.h"
#include "server/migration/guarded_connector.h"
#include "server/migration/incoming.h"
#include "server/migration/migrator.h"
#include "server/peer/grpc_peer.h"
#include "server/qmp/qmp_hypervisor.h"
#include "server/registry/registry.h"
#include "server/security/live_files.h"
#include "server/service/api_server.h"
#include "server/service/policy_file.h"
#include "server/store/store.h"

namespace vuf {

class Agent {
 public:
  // What a test puts between an agent and its adapters: each makes a decorator of what it is given.
  // Empty: nothing.
  struct Between {
    std::function<std::unique_ptr<Store>(std::unique_ptr<Store>)> store;
    std::function<std::unique_ptr<HypervisorConnector>(HypervisorConnector*)> hypervisors;
    // Only for what migrations ask of keepers; evidence is gathered without.
    std::function<std::unique_ptr<KeeperPort>(KeeperPort*)> keepers;
    std::function<std::unique_ptr<PeerPort>(PeerPort*)> peers;
  };

  // Serving when it returns. Takes the state directory first, so that a second agent changes
  // nothing before it is refused.
  static absl::StatusOr<std::unique_ptr<Agent>> Start(const Config& config,
                                                      const Between& between = {});

  // Says NOT_SERVING, takes no new calls, brings migrations to an end, waits for calls.
  void Stop();

 private:
  Agent();
  absl::Status OpenState(const Config& config, const Between& between);
  // Null: no migrations between hosts.
  PeerPort* peers() const {
    return between_peers_ == nullptr ? peers_.get() : between_peers_.get();
  }
  absl::Status OpenMigrator(const Config& config);
  absl::Status OpenIncoming(const Config& config);
  absl::Status OpenDecisions(const Config& config);
  absl::Status OpenAudit(const Config& config);
  absl::Status OpenPolicyFile(const Config& config);
  // As /healthz and the status page have it.
  std::string Health() const;
  std::string Status() const;
  // `any_name`: whoever gets through may see the status page, by whatever name it called.
  HttpServer::Handlers HttpHandlers(bool any_name);
  absl::Status StartHttp(const Config& config);
  absl::Status StartApi(const Config& config);

  const SystemClock clock_;
  const absl::Time start_ = clock_.Now();
  QmpConnector qmp_;
  SeqpacketKeeper keepers_;
  HostDiscovery discovery_;
  HostProcessWatch processes_;
  HostQemuFinder qemus_;
  Metrics metrics_;
  std::atomic<bool> serving_{false};
  std::unique_ptr<Store> store_;
  // Decorators; null: there is none.
  std::unique_ptr<HypervisorConnector> between_hypervisors_;
  std::unique_ptr<KeeperPort> between_keepers_;
  std::unique_ptr<PeerPort> between_peers_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<GuardedConnector> connector_;
  std::unique_ptr<AgentSecurity> security_;
  // Null: no migrations between hosts.
  std::unique_ptr<GrpcPeer> peers_;
  std::unique_ptr<Gatherer> gatherer_;
  std::unique_ptr<DecisionLog> decisions_;
  // Null: the same.
  std::unique_ptr<Incoming> incoming_;
  std::unique_ptr<PolicyFile> policy_file_;
  std::unique_ptr<Poller> policy_poller_;
  std::unique_ptr<Migrator> migrator_;
  std::unique_ptr<AuditLog> audit_;
  std::unique_ptr<ApiServer> api_;
  // Null: not served.
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<TlsHttp> tls_http_;
  std::unique_ptr<HttpServer> https_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_AGENT_H_
