#include "server/migration/guarded_connector.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/clock.h"
#include "server/discovery/fake_discovery.h"
#include "server/profile/profile.h"
#include "server/store/fake_store.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;

constexpr char kPath[] = "/run/some.sock";

// Notes that it was asked, which is all that matters here.
class CountingConnector : public HypervisorConnector {
 public:
  absl::StatusOr<std::unique_ptr<Hypervisor>> Connect(const std::string&, absl::Time) override {
    ++calls;
    return absl::UnavailableError("asked");
  }
  int calls = 0;
};

class GuardedConnectorTest : public ::testing::Test {
 protected:
  absl::Status Connect() {
    return GuardedConnector(&connector_, &discovery_, registry_.get())
        .Connect(kPath, absl::InfiniteFuture())
        .status();
  }
  void ServedBy(Evidence<std::string> executable) {
    EndpointSighting sighting;
    sighting.state = EndpointSighting::State::kListening;
    sighting.socket_file = FileId{1, 2};
    sighting.back_end.executable = std::move(executable);
    discovery_.SetEndpoint(kPath, sighting);
  }

  FakeStore store_;
  FakeClock clock_{absl::UnixEpoch()};
  FakeDiscovery discovery_;
  CountingConnector connector_;
  std::unique_ptr<Registry> registry_ = Registry::Open(&store_, &clock_, ShippedProfiles()).value();
};

TEST_F(GuardedConnectorTest, ConnectsToAQemu) {
  ServedBy(Known(std::string("/usr/bin/qemu-system-x86_64"), Source::kProcfs, clock_.Now()));
  EXPECT_EQ(Connect().message(), "asked");
}

TEST_F(GuardedConnectorTest, LeavesABackEndAlone) {
  ServedBy(Known(std::string("/usr/libexec/virtiofsd"), Source::kProcfs, clock_.Now()));
  const absl::Status status = Connect();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/usr/libexec/virtiofsd, a back-end"));
  EXPECT_EQ(connector_.calls, 0);
}

TEST_F(GuardedConnectorTest, LeavesAloneWhatItCannotSee) {
  ServedBy(Unknown<std::string>("permission denied"));
  const absl::Status status = Connect();
  // Not FAILED_PRECONDITION, which says that the QEMU is gone.
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("permission denied"));
  EXPECT_EQ(connector_.calls, 0);
}

TEST_F(GuardedConnectorTest, LeavesARegisteredEndpointAloneWhateverServesIt) {
  ServedBy(Known(std::string("/opt/own-back-end"), Source::kProcfs, clock_.Now()));
  v1::Endpoint endpoint;
  endpoint.set_name("endpoints/own");
  endpoint.set_socket_path(kPath);
  ASSERT_TRUE(registry_->CreateEndpoint(endpoint, {}, absl::InfiniteFuture()).ok());
  const absl::Status status = Connect();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("endpoints/own"));
  EXPECT_EQ(connector_.calls, 0);
}

TEST_F(GuardedConnectorTest, LetsTheConnectorSayWhatIsWrongWithAPathThatLeadsNowhere) {
  EXPECT_EQ(Connect().message(), "asked");
}

}  // namespace
}  // namespace vuf
