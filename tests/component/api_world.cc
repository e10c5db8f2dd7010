#include "tests/component/api_world.h"

#include <stdlib.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"
#include "server/profile/profile.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

template <typename T>
void Stamp(Evidence<T>& evidence, absl::Time at) {
  evidence.observed_at = at;
}

}  // namespace

BackEndFacts SeenNow(BackEndFacts facts) {
  const absl::Time now = absl::Now();
  Stamp(facts.socket, now);
  Stamp(facts.process, now);
  Stamp(facts.first_start_ticks, now);
  Stamp(facts.process_state, now);
  Stamp(facts.executable, now);
  Stamp(facts.executable_deleted, now);
  Stamp(facts.version_line, now);
  Stamp(facts.kind, now);
  Stamp(facts.version, now);
  Stamp(facts.options, now);
  Stamp(facts.features, now);
  Stamp(facts.effective_capabilities, now);
  Stamp(facts.share, now);
  Stamp(facts.file_handles, now);
  Stamp(facts.submounts, now);
  Stamp(facts.ids, now);
  Stamp(facts.security_label, now);
  Stamp(facts.descriptors, now);
  Stamp(facts.open_files, now);
  Stamp(facts.front_ends, now);
  return facts;
}

std::unique_ptr<grpc::ClientContext> Context(absl::Duration timeout) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  return context;
}

void ApiWorld::OpenIncoming(const Options& options, HypervisorConnector* connector) {
  Incoming::Options in;
  in.stream_host = "127.0.0.1";
  in.qmp_timeout = options.monitor_timeout;
  auto opened = Incoming::Open({gatherer.get(), connector, registry.get(), &store, &clock,
                                options.peers.port, log.get(), EvaluateWithShadow},
                               in);
  EXPECT_TRUE(opened.ok()) << opened.status();
  incoming = *std::move(opened);
}

ApiWorld::ApiWorld(const Options& world) : metrics("test", absl::Now()) {
  HypervisorConnector* const connector = world.connector == nullptr ? &qemu : world.connector;
  const absl::Duration monitor_timeout = world.monitor_timeout;
  FillHost();
  if (world.prepare) world.prepare(*this);
  auto opened = Registry::Open(&store, &clock, ShippedProfiles());
  EXPECT_TRUE(opened.ok()) << opened.status();
  registry = *std::move(opened);
  gatherer = std::make_unique<Gatherer>(connector, &host, registry.get(), &clock, monitor_timeout,
                                        world.peers);
  auto log_opened = DurableDecisionLog::Open(&store, &clock, {}, [](auto...) {});
  EXPECT_TRUE(log_opened.ok()) << log_opened.status();
  log = *std::move(log_opened);
  if (world.peers.port != nullptr) OpenIncoming(world, connector);
  Migrator::Options options;
  options.peers = world.peers;
  options.decisions = log.get();
  options.qmp_timeout = monitor_timeout;
  auto started = Migrator::Open(gatherer.get(), connector, registry.get(), &store, &clock, options,
                                [this](const v1::Migration& m) { metrics.MigrationChanged(m); });
  EXPECT_TRUE(started.ok()) << started.status();
  migrator = *std::move(started);
  Serve(world, connector);
  channel = grpc::CreateChannel(absl::StrCat("unix:", directory.Path("api.sock")),
                                grpc::InsecureChannelCredentials());
  vms = v1::VmService::NewStub(channel);
  endpoints = v1::EndpointService::NewStub(channel);
  profiles = v1::BackEndProfileService::NewStub(channel);
  migrations = v1::MigrationService::NewStub(channel);
  policies = v1::MigrationPolicyService::NewStub(channel);
  planning = v1::PlanningService::NewStub(channel);
  decisions = v1::DecisionService::NewStub(channel);
}

void ApiWorld::Serve(const Options& options, HypervisorConnector* connector) {
  auto bindings = RoleStore::Open(options.roles_file, [](const absl::Status&) {});
  EXPECT_TRUE(bindings.ok()) << bindings.status();
  roles = *std::move(bindings);
  limiter = std::make_unique<Limiter>(options.limits, &clock);
  gate = std::make_unique<Gate>(roles.get(), limiter.get(),
                                [this](const char* reason) { metrics.CallRefused(reason); });
  ApiServer::Options api;
  api.listen_socket = directory.Path("api.sock");
  api.monitor_timeout = options.monitor_timeout;
  api.requests_in_flight = options.limits.requests_in_flight;
  api.discovery_period = absl::Hours(1);
  api.tls_address = "localhost:0";
  auto serving = ApiServer::Start(
      {registry.get(), migrator.get(), gatherer.get(), connector, &host, &processes, &qemus_on_host,
       &metrics, &clock, log.get(), gate.get(), &audit, options.tls, incoming.get()},
      api);
  EXPECT_TRUE(serving.ok()) << serving.status();
  server = *std::move(serving);
}

ApiWorld::~ApiWorld() {
  server->BeginStop();
  migrator->Shutdown();
  if (incoming != nullptr) incoming->Shutdown();
}

void ApiWorld::FillHost() {
  const Facts facts = SafeFacts();
  Evidence<std::string> boot_id = facts.boot_id;
  Stamp(boot_id, absl::Now());
  host.SetBootId(boot_id);
  for (const VmFacts& vm : {facts.source, *facts.destination}) {
    qemu.AddVm(vm);
    Evidence<bool> paused = vm.started_paused;
    Stamp(paused, absl::Now());
    host.SetStartedPaused(vm.qmp_socket, paused);
    for (const FsDeviceFacts& device : *vm.devices.value) {
      host.SetBackEnd(device.chardev.value->socket_path, SeenNow(device.back_end));
    }
  }
  qemu.Link(source(), destination());
}

std::string ApiWorld::source() const { return SafeSource().qmp_socket; }
std::string ApiWorld::destination() const { return SafeDestination().qmp_socket; }

v1::Vm ApiWorld::RegisterSource() {
  v1::RegisterVmRequest request;
  request.mutable_vm()->set_qmp_socket(source());
  request.set_vm_id("guest");
  v1::Vm vm;
  const grpc::Status status = vms->RegisterVm(Context().get(), request, &vm);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return vm;
}

v1::Endpoint ApiWorld::AddEndpoint(const std::string& id, const std::string& path) {
  v1::CreateEndpointRequest request;
  request.set_endpoint_id(id);
  request.mutable_endpoint()->set_socket_path(path);
  v1::Endpoint endpoint;
  const grpc::Status status = endpoints->CreateEndpoint(Context().get(), request, &endpoint);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return endpoint;
}

v1::CreateMigrationRequest ApiWorld::MigrationRequest(const std::string& request_id) const {
  v1::CreateMigrationRequest request;
  request.set_request_id(request_id);
  request.mutable_migration()->set_vm("vms/guest");
  request.mutable_migration()->mutable_destination()->mutable_same_host()->set_qmp_socket(
      destination());
  request.mutable_migration()->add_allowed_modes(v1::MIGRATION_MODE_STATEFUL);
  return request;
}

v1::Migration ApiWorld::Await(const std::string& name) {
  v1::WatchMigrationRequest request;
  request.set_name(name);
  const auto context = Context();
  const auto reader = migrations->WatchMigration(context.get(), request);
  v1::WatchMigrationResponse message;
  while (reader->Read(&message)) {
  }
  const grpc::Status status = reader->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  return message.migration();
}

}  // namespace vuf
