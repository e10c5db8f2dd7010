#include "server/service/api_server.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/server_builder.h"
#include "server/security/door.h"
#include "server/security/unix_listener.h"
#include "server/service/back_end_watcher.h"
#include "server/service/decision_service.h"
#include "server/service/deps.h"
#include "server/service/endpoint_service.h"
#include "server/service/listen_socket.h"
#include "server/service/migration_service.h"
#include "server/service/peer_service.h"
#include "server/service/planning_service.h"
#include "server/service/policy_service.h"
#include "server/service/profile_service.h"
#include "server/service/readiness.h"
#include "server/service/refresher.h"
#include "server/service/vm_service.h"

namespace vuf {
namespace {

constexpr size_t kMonitorThreads = 16;
constexpr size_t kMonitorQueue = 128;
constexpr size_t kWriteThreads = 8;
constexpr size_t kWriteQueue = 256;
// A connection may have so many calls more than its client may: one that is over its limit is told
// so, and may still cancel. What is beyond that waits at the client, where its deadline ends it:
// here, a queue of calls that are late already would leave no time for any.
constexpr int kStreamsOverLimit = 64;

}  // namespace

// Destroyed from the last member to the first: whoever calls goes before whoever is called.
struct ApiServer::Objects {
  Objects(const Parts& parts, const Options& options)
      : parts(parts),
        calls(parts.metrics, parts.gate, parts.audit,
              [this](const char* method) { return CheckReady(*this->parts.migrator, method); }),
        observer(parts.discovery, parts.registry, parts.clock),
        finder(parts.connector, parts.qemus, parts.registry, parts.migrator,
               options.monitor_timeout),
        watches(&calls),
        registry_subscription(parts.registry->Subscribe([this] { watches.Notify(); })),
        migrator_subscription(parts.migrator->Subscribe([this] { watches.Notify(); })),
        monitor_pool(kMonitorThreads, kMonitorQueue),
        write_pool(kWriteThreads, kWriteQueue),
        vms(Deps(options)),
        endpoints(Deps(options)),
        profiles(Deps(options)),
        migrations(Deps(options)),
        policies(Deps(options)),
        planning(Deps(options)),
        decisions(Deps(options)),
        peers(Deps(options)) {}

  ~Objects() {
    parts.registry->Unsubscribe(registry_subscription);
    parts.migrator->Unsubscribe(migrator_subscription);
  }

  ServiceDeps Deps(const Options& options) {
    return {parts.registry,
            parts.migrator,
            parts.gatherer,
            parts.connector,
            parts.discovery,
            parts.metrics,
            parts.clock,
            &observer,
            &finder,
            &calls,
            &watches,
            &monitor_pool,
            &write_pool,
            options.qmp_socket_globs,
            options.monitor_timeout,
            parts.decisions,
            parts.incoming};
  }

  // Whoever adds one adds its methods to server/security/methods.cc.
  std::vector<std::pair<const char*, grpc::Service*>> Services() {
    return {{v1::VmService::service_full_name(), &vms},
            {v1::EndpointService::service_full_name(), &endpoints},
            {v1::BackEndProfileService::service_full_name(), &profiles},
            {v1::MigrationService::service_full_name(), &migrations},
            {v1::MigrationPolicyService::service_full_name(), &policies},
            {v1::PlanningService::service_full_name(), &planning},
            {v1::DecisionService::service_full_name(), &decisions},
            {v1::PeerService::service_full_name(), &peers}};
  }

  const Parts parts;
  Calls calls;
  EndpointObserver observer;
  VmFinder finder;
  WatchHub watches;
  const uint64_t registry_subscription;
  const uint64_t migrator_subscription;
  WorkerPool monitor_pool;
  WorkerPool write_pool;
  VmServiceShell vms;
  EndpointServiceShell endpoints;
  ProfileServiceShell profiles;
  MigrationServiceShell migrations;
  PolicyServiceShell policies;
  PlanningServiceShell planning;
  DecisionServiceShell decisions;
  PeerServiceShell peers;
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<UnixListener> unix_listener;
  int tls_port = 0;
  std::vector<std::string> service_names;
  std::unique_ptr<Readiness> readiness;
  std::unique_ptr<Refresher> refresher;
  std::unique_ptr<BackEndWatcher> back_end_watcher;
};

absl::Status ApiServer::Listen(Objects& objects, const Options& options) {
  if (absl::Status prepared = PrepareListenSocket(options.listen_socket); !prepared.ok()) {
    return prepared;
  }
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(options.max_request_bytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             static_cast<int>(options.requests_in_flight) + kStreamsOverLimit);
  // Otherwise a second agent would share the port instead of being told.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  absl::StatusOr<std::unique_ptr<UnixListener>> listener =
      UnixListener::Listen(options.listen_socket, objects.parts.gate, builder);
  if (!listener.ok()) return listener.status();
  if (objects.parts.tls != nullptr) {
    builder.AddListeningPort(options.tls_address, TlsDoor(objects.parts.tls, objects.parts.gate),
                             &objects.tls_port);
  }
  for (const auto& [name, service] : objects.Services()) {
    builder.RegisterService(service);
    objects.service_names.emplace_back(name);
  }
  objects.server = builder.BuildAndStart();
  if (objects.server == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("tls.listen_address: cannot listen on \"", options.tls_address, "\""));
  }
  objects.unix_listener = *std::move(listener);
  objects.unix_listener->Start();
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ApiServer>> ApiServer::Start(const Parts& parts,
                                                            const Options& options) {
  auto objects = std::make_unique<Objects>(parts, options);
  if (absl::Status listening = Listen(*objects, options); !listening.ok()) return listening;
  objects->refresher =
      std::make_unique<Refresher>(&objects->finder, &objects->observer, parts.metrics,
                                  options.qmp_socket_globs, options.discovery_period);
  objects->back_end_watcher = std::make_unique<BackEndWatcher>(parts.processes, &objects->observer,
                                                               parts.registry, parts.metrics);
  grpc::HealthCheckServiceInterface* const health = objects->server->GetHealthCheckService();
  for (const std::string& service : objects->service_names) {
    health->SetServingStatus(service, false);
  }
  health->SetServingStatus(false);
  objects->readiness =
      std::make_unique<Readiness>(parts.migrator, [health] { health->SetServingStatus(true); });
  return std::unique_ptr<ApiServer>(new ApiServer(std::move(objects)));
}

ApiServer::ApiServer(std::unique_ptr<Objects> objects) : objects_(std::move(objects)) {}

ApiServer::~ApiServer() { Stop(absl::Now()); }

const std::vector<std::string>& ApiServer::services() const { return objects_->service_names; }

int ApiServer::tls_port() const { return objects_->tls_port; }

void ApiServer::BeginStop() {
  if (objects_->readiness != nullptr) objects_->readiness->Stop();
  objects_->server->GetHealthCheckService()->SetServingStatus(false);
  objects_->watches.Stop();
}

void ApiServer::Stop(absl::Time deadline) {
  if (objects_->server == nullptr) return;
  BeginStop();
  objects_->readiness.reset();
  objects_->back_end_watcher.reset();
  objects_->refresher.reset();
  objects_->unix_listener->Stop();
  objects_->server->Shutdown(absl::ToChronoTime(deadline));
  objects_->server->Wait();
  objects_->server.reset();
}

}  // namespace vuf
