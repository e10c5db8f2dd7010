// What a vufd that has just started answers while migrations of the run before are being settled.
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "gtest/gtest.h"
#include "tests/component/api_world.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr int kMigrations = 50;
constexpr int kEndpoints = 1000;

std::string Monitor(int i) { return absl::StrCat("/run/left-", i, ".qmp"); }
std::string Name(int i) { return absl::StrCat("migrations/m000000", 1000 + i); }

// 50 migrations whose QEMUs go on copying memory, and a registry of 1,000 endpoints.
void LeaveBehind(ApiWorld& world) {
  std::vector<Change> changes;
  for (int i = 0; i < kEndpoints; ++i) {
    v1::Endpoint endpoint;
    endpoint.set_name(absl::StrCat("endpoints/e", i));
    endpoint.set_socket_path(absl::StrCat("/run/e", i, ".sock"));
    endpoint.set_generation(1);
    changes.push_back({Table::kEndpoints, endpoint.name(), endpoint.SerializeAsString()});
  }
  for (int i = 0; i < kMigrations; ++i) {
    VmFacts vm = SafeFacts().source;
    vm.qmp_socket = Monitor(i);
    vm.process.value = ProcessId{5000 + i, 77};
    world.qemu.AddVm(vm);
    v1::Migration migration;
    migration.set_name(Name(i));
    migration.set_vm(absl::StrCat("vms/left-", i));
    migration.set_state(v1::Migration::STATE_TRANSFERRING);
    v1::QemuProcess& source = *migration.mutable_source_qemu();
    source.set_qmp_socket(Monitor(i));
    source.set_pid(5000 + i);
    source.set_start_ticks(77);
    source.set_boot_id(*world.host.BootId().value);
    source.set_run_state("running");
    *migration.mutable_destination_qemu() = source;
    migration.mutable_destination_qemu()->set_qmp_socket("/run/gone.qmp");
    changes.push_back({Table::kMigrations, Name(i), migration.SerializeAsString()});
  }
  EXPECT_TRUE(world.store.Write(changes).ok());
}

class ReadinessTest : public ::testing::Test {
 protected:
  // One of the QEMUs is silent until it is let go.
  ReadinessTest()
      : world_(Options([this](ApiWorld& world) {
          LeaveBehind(world);
          world.qemu.Before(Monitor(7), FakeCall::kConnect,
                            [this] { let_go_.WaitForNotification(); });
        })) {}
  ~ReadinessTest() override { LetGo(); }

  static ApiWorld::Options Options(const std::function<void(ApiWorld&)>& prepare) {
    ApiWorld::Options options;
    options.prepare = prepare;
    return options;
  }
  void LetGo() {
    if (!let_go_.HasBeenNotified()) let_go_.Notify();
  }
  bool Serving(const std::string& service) {
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(service);
    grpc::health::v1::HealthCheckResponse response;
    EXPECT_TRUE(grpc::health::v1::Health::NewStub(world_.channel)
                    ->Check(Context().get(), request, &response)
                    .ok());
    return response.status() == grpc::health::v1::HealthCheckResponse::SERVING;
  }
  v1::Migration::State StateOf(int i) {
    v1::GetMigrationRequest request;
    request.set_name(Name(i));
    v1::Migration migration;
    EXPECT_TRUE(world_.migrations->GetMigration(Context().get(), request, &migration).ok());
    return migration.state();
  }
  grpc::Status Create() {
    v1::CreateEndpointRequest request;
    request.set_endpoint_id("new");
    request.mutable_endpoint()->set_socket_path("/run/new.sock");
    v1::Endpoint endpoint;
    return world_.endpoints->CreateEndpoint(Context().get(), request, &endpoint);
  }
  grpc::Status Cancel(int i) {
    v1::CancelMigrationRequest request;
    request.set_name(Name(i));
    v1::Migration migration;
    return world_.migrations->CancelMigration(Context().get(), request, &migration);
  }

  absl::Notification let_go_;
  ApiWorld world_;
};

TEST_F(ReadinessTest, ReadsAreAnsweredAndChangesAreRefusedUntilAllIsSettled) {
  EXPECT_FALSE(Serving(""));
  EXPECT_FALSE(Serving("vuf.v1.MigrationService"));
  EXPECT_EQ(StateOf(7), v1::Migration::STATE_TRANSFERRING);
  v1::ListEndpointsRequest list;
  list.set_page_size(kEndpoints);
  v1::ListEndpointsResponse listed;
  EXPECT_TRUE(world_.endpoints->ListEndpoints(Context().get(), list, &listed).ok());
  EXPECT_THAT(listed.endpoints(), SizeIs(kEndpoints));
  for (const grpc::Status& refused : {Create(), Cancel(7)}) {
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_THAT(refused.error_message(), HasSubstr("RECONCILING"));
    EXPECT_THAT(refused.error_details(), HasSubstr("google.rpc.RetryInfo"));
  }
  EXPECT_FALSE(world_.migrator->Settled());
}

// All are settled at once: a QEMU that is silent holds up only its own migration.
TEST_F(ReadinessTest, ASilentQemuHoldsUpNoOtherMigration) {
  for (int i = 0; i < kMigrations; ++i) {
    if (i == 7) continue;
    v1::WatchMigrationRequest request;
    request.set_name(Name(i));
    auto context = Context();
    auto watch = world_.migrations->WatchMigration(context.get(), request);
    v1::WatchMigrationResponse seen;
    while (watch->Read(&seen) && !seen.migration().has_end_time()) {
    }
    EXPECT_EQ(StateOf(i), v1::Migration::STATE_FAILED);
  }
  EXPECT_EQ(StateOf(7), v1::Migration::STATE_TRANSFERRING);
  EXPECT_FALSE(Serving(""));
}

TEST_F(ReadinessTest, ThenEverythingIsServed) {
  LetGo();
  world_.migrator->AwaitSettled();
  grpc::health::v1::HealthCheckRequest request;
  grpc::health::v1::HealthCheckResponse response;
  const auto context = Context();
  const auto watch =
      grpc::health::v1::Health::NewStub(world_.channel)->Watch(context.get(), request);
  while (response.status() != grpc::health::v1::HealthCheckResponse::SERVING) {
    ASSERT_TRUE(watch->Read(&response));
  }
  context->TryCancel();
  EXPECT_TRUE(Serving("vuf.v1.MigrationService"));
  EXPECT_EQ(StateOf(7), v1::Migration::STATE_FAILED);
  EXPECT_TRUE(Create().ok());
}

}  // namespace
}  // namespace vuf
