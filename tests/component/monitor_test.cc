// What may answer at the path of a monitor, with the real QMP adapter.
#include <string>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/qmp/qmp_hypervisor.h"
#include "server/qmp/testing/fake_qmp_server.h"
#include "tests/component/api_world.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;

class MonitorTest : public ::testing::Test {
 protected:
  grpc::Status Register(const std::string& path) {
    v1::RegisterVmRequest request;
    request.mutable_vm()->set_qmp_socket(path);
    request.set_vm_id("guest");
    v1::Vm vm;
    return world_.vms->RegisterVm(Context().get(), request, &vm);
  }

  SystemClock clock_;
  QmpConnector connector_{&clock_};
  FakeQmpServer qmp_;
  ApiWorld world_{ApiWorld::Options{&connector_, absl::Milliseconds(500)}};
};

TEST_F(MonitorTest, Nothing) {
  const grpc::Status status = Register(world_.directory.Path("none.qmp"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION) << status.error_message();
  EXPECT_THAT(status.error_message(), HasSubstr("none.qmp"));
}

TEST_F(MonitorTest, ADirectory) {
  const grpc::Status status = Register("/tmp");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION) << status.error_message();
}

TEST_F(MonitorTest, Garbage) {
  qmp_.SetGreeting("SSH-2.0-OpenSSH_9.2\r\n");
  const grpc::Status status = Register(qmp_.path());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION) << status.error_message();
  EXPECT_THAT(status.error_message(), HasSubstr("SSH-2.0"));
}

TEST_F(MonitorTest, Silence) {
  qmp_.SetGreeting("");
  const absl::Time begin = absl::Now();
  EXPECT_EQ(Register(qmp_.path()).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(5));
}

TEST_F(MonitorTest, DiscoveryGoesOnPastWhatIsNoMonitor) {
  v1::DiscoverVmsRequest request;
  request.set_socket_glob(world_.directory.Path("*"));
  v1::DiscoverVmsResponse response;
  const grpc::Status status = world_.vms->DiscoverVms(Context().get(), request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  // The API's own socket is all there is in the directory.
  ASSERT_EQ(response.discovered_size(), 1);
  EXPECT_EQ(response.discovered(0).outcome(), v1::DiscoveredVm::OUTCOME_FAILED);
  EXPECT_NE(response.discovered(0).error(), "");
}

}  // namespace
}  // namespace vuf
