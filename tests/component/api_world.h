// The whole API on a real unix socket, over a host and QEMUs that are fakes.
#ifndef VUFD_TESTS_COMPONENT_API_WORLD_H_
#define VUFD_TESTS_COMPONENT_API_WORLD_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "server/audit/fake_audit_log.h"
#include "server/base/clock.h"
#include "server/decision/shadow.h"
#include "server/decisions/durable_log.h"
#include "server/discovery/fake_discovery.h"
#include "server/discovery/fake_process_watch.h"
#include "server/discovery/fake_qemu_finder.h"
#include "server/hypervisor/fake_hypervisor.h"
#include "server/metrics/metrics.h"
#include "server/migration/gather.h"
#include "server/migration/incoming.h"
#include "server/migration/migrator.h"
#include "server/registry/registry.h"
#include "server/security/gate.h"
#include "server/security/limiter.h"
#include "server/security/role_store.h"
#include "server/security/tls_store.h"
#include "server/service/api_server.h"
#include "server/store/fake_store.h"
#include "tests/testing/temp_directory.h"
#include "vuf/v1/back_end_profile.grpc.pb.h"
#include "vuf/v1/decision.grpc.pb.h"
#include "vuf/v1/endpoint.grpc.pb.h"
#include "vuf/v1/migration.grpc.pb.h"
#include "vuf/v1/planning.grpc.pb.h"
#include "vuf/v1/policy.grpc.pb.h"
#include "vuf/v1/vm.grpc.pb.h"

namespace vuf {

// A client's context with a deadline that only a hung server reaches.
std::unique_ptr<grpc::ClientContext> Context(absl::Duration timeout = absl::Seconds(20));

// As seen now: the safe world is from 2023, and old evidence is no evidence.
BackEndFacts SeenNow(BackEndFacts facts);

// Holds the safe world of //tests/testing: its source and destination are QEMUs that answer, with
// their back-ends; nothing is registered yet.
class ApiWorld {
 public:
  struct Options {
    // Null: the fake one.
    HypervisorConnector* connector = nullptr;
    absl::Duration monitor_timeout = absl::Seconds(5);
    // Not null: the API is on TCP, too, at a port of `server->tls_port()`.
    const TlsStore* tls = nullptr;
    // Empty: the roles that hold without a file.
    std::string roles_file = {};
    ClientLimits limits = {100000, 100000, 10000};
    // VMs may leave for other hosts and come in from them.
    PeerSide peers = {};
    // Fills the store and the host before anything starts.
    std::function<void(ApiWorld&)> prepare = {};
  };
  ApiWorld() : ApiWorld(Options()) {}
  explicit ApiWorld(const Options& options);
  ~ApiWorld();

  std::string source() const;
  std::string destination() const;
  // Registers the source as "vms/guest".
  v1::Vm RegisterSource();
  v1::Endpoint AddEndpoint(const std::string& id, const std::string& path);
  v1::CreateMigrationRequest MigrationRequest(const std::string& request_id) const;
  // Follows a migration to its end.
  v1::Migration Await(const std::string& name);

  TempDirectory directory;
  SystemClock clock;
  FakeStore store;
  FakeConnector qemu;
  FakeDiscovery host;
  FakeProcessWatch processes;
  FakeQemuFinder qemus_on_host;
  Metrics metrics;
  FakeAuditLog audit;
  std::unique_ptr<RoleStore> roles;
  std::unique_ptr<Limiter> limiter;
  std::unique_ptr<Gate> gate;
  std::unique_ptr<Registry> registry;
  std::unique_ptr<DecisionLog> log;
  std::unique_ptr<Gatherer> gatherer;
  std::unique_ptr<Incoming> incoming;
  std::unique_ptr<Migrator> migrator;
  std::unique_ptr<ApiServer> server;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::VmService::Stub> vms;
  std::unique_ptr<v1::EndpointService::Stub> endpoints;
  std::unique_ptr<v1::BackEndProfileService::Stub> profiles;
  std::unique_ptr<v1::MigrationService::Stub> migrations;
  std::unique_ptr<v1::MigrationPolicyService::Stub> policies;
  std::unique_ptr<v1::PlanningService::Stub> planning;
  std::unique_ptr<v1::DecisionService::Stub> decisions;

 private:
  void FillHost();
  void OpenIncoming(const Options& options, HypervisorConnector* connector);
  void Serve(const Options& options, HypervisorConnector* connector);
};

}  // namespace vuf

#endif  // VUFD_TESTS_COMPONENT_API_WORLD_H_
