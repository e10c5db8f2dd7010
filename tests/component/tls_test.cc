// The API over real TLS: who gets in, and what happens when certificates are replaced.
#include <atomic>
#include <fstream>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"
#include "server/security/peer_channels.h"
#include "tests/component/tls_world.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kList[] = "vuf.v1.VmService/ListVms";
constexpr char kViewer[] = "spiffe://test/viewer";
constexpr char kRoles[] = R"(
    bindings { identity: "spiffe://test/viewer" roles: ROLE_VIEWER }
    bindings { identity: "dns:viewer.test" roles: ROLE_VIEWER }
    bindings { identity: "spiffe://test/peers/*" roles: ROLE_PEER roles: ROLE_VIEWER })";

class TlsTest : public ::testing::Test {
 protected:
  grpc::Status List(const TestCertificate* client) {
    return CallRaw(world_.Connect(client), kList).status;
  }
  grpc::StatusCode CodeOf(const TestCa::Options& client) {
    const TestCertificate certificate = world_.ca.Issue(client);
    return List(&certificate).error_code();
  }

  TlsWorld world_{kRoles};
};

TEST_F(TlsTest, ClientWithItsRoleIsServed) {
  EXPECT_EQ(CodeOf({absl::StrCat("URI:", kViewer)}), grpc::StatusCode::OK);
  EXPECT_EQ(CodeOf({"DNS:Viewer.TEST"}), grpc::StatusCode::OK);
  EXPECT_EQ(CodeOf({"URI:spiffe://test/peers/host-7"}), grpc::StatusCode::OK);
}

TEST_F(TlsTest, NoCertificateNoConnection) {
  EXPECT_EQ(List(nullptr).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, CertificateOfAnUnknownCaIsNotLetIn) {
  const TestCertificate client = TestCa("test CA").IssueClient(kViewer);
  EXPECT_EQ(List(&client).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, ExpiredCertificateIsNotLetIn) {
  EXPECT_EQ(CodeOf({absl::StrCat("URI:", kViewer), "x", -absl::Hours(2), -absl::Hours(1)}),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(CodeOf({absl::StrCat("URI:", kViewer), "x", absl::Hours(1), absl::Hours(2)}),
            grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, PlainTextIsNotLetIn) {
  const auto channel =
      grpc::CreateChannel(absl::StrCat("localhost:", world_.api->server->tls_port()),
                          grpc::InsecureChannelCredentials());
  EXPECT_EQ(CallRaw(channel, kList).status.error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, CommonNameIsNoIdentity) {
  const TestCertificate client = world_.ca.Issue({"", kViewer});
  const grpc::Status status = List(&client);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_THAT(status.error_message(), HasSubstr("subject alternative name"));
  EXPECT_EQ(ErrorInfoOf(status).reason(), "IDENTITY_REQUIRED");
}

TEST_F(TlsTest, SpiffeIdThatIsNotOneIsNobodyEvenWithADnsName) {
  EXPECT_EQ(CodeOf({"URI:spiffe://test/peers/../viewer,DNS:viewer.test"}),
            grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(CodeOf({"URI:spiffe://test/viewer,DNS:viewer.test"}), grpc::StatusCode::OK);
}

TEST_F(TlsTest, HealthIsOpenToEveryCertificate) {
  const TestCertificate client = world_.ca.Issue({""});
  EXPECT_TRUE(CallRaw(world_.Connect(&client), "grpc.health.v1.Health/Check").status.ok());
}

TEST_F(TlsTest, WithoutARoleItSaysWhichOneIsMissing) {
  const auto channel = world_.ConnectAs("spiffe://test/nobody");
  const grpc::Status status = CallRaw(channel, "vuf.v1.VmService/RemoveVm").status;
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  const google::rpc::ErrorInfo info = ErrorInfoOf(status);
  EXPECT_EQ(info.reason(), "ROLE_REQUIRED");
  EXPECT_EQ(info.metadata().at("identity"), "spiffe://test/nobody");
  EXPECT_EQ(info.metadata().at("method"), "vuf.v1.VmService/RemoveVm");
  EXPECT_EQ(info.metadata().at("role"), "ROLE_OPERATOR");
  EXPECT_THAT(status.error_message(), HasSubstr("has no role"));
}

TEST_F(TlsTest, RolesFileCountsForUnixCallersToo) {
  EXPECT_EQ(CallRaw(world_.api->channel, kList).status.error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  world_.WriteRoles(
      absl::StrCat("bindings { identity: \"uid:", getuid(), "\" roles: ROLE_VIEWER }"));
  world_.Poll();
  EXPECT_TRUE(CallRaw(world_.api->channel, kList).status.ok());
  world_.WriteRoles(
      absl::StrCat("bindings { identity: \"gid:", getgid(), "\" roles: ROLE_VIEWER }"));
  world_.Poll();
  EXPECT_TRUE(CallRaw(world_.api->channel, kList).status.ok());
}

TEST_F(TlsTest, NewRolesCountAtOnceAndABadFileChangesNothing) {
  const auto channel = world_.ConnectAs("spiffe://test/new");
  EXPECT_EQ(CallRaw(channel, kList).status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  world_.WriteRoles("bindings { identity: \"spiffe://test/new\" roles: ROLE_VIEWER }");
  world_.Poll();
  EXPECT_TRUE(CallRaw(channel, kList).status.ok());
  for (const char* const bad : {"bindings {", "bindings { identity: \"*\" roles: ROLE_VIEWER }"}) {
    world_.WriteRoles(bad);
    world_.Poll();
    EXPECT_TRUE(CallRaw(channel, kList).status.ok()) << bad;
  }
}

TEST_F(TlsTest, NewCertificateIsShownToNewConnectionsAndOldOnesGoOn) {
  const auto old_connection = world_.ConnectAs(kViewer);
  const std::string first = CallRaw(old_connection, kList).server_certificate;
  const TestCertificate next = world_.ca.IssueAgent();
  world_.WriteAgent(next, world_.ca.certificate());
  world_.Poll();
  EXPECT_EQ(CallRaw(world_.ConnectAs(kViewer), kList).server_certificate, next.certificate);
  const RpcResult again = CallRaw(old_connection, kList);
  EXPECT_TRUE(again.status.ok());
  EXPECT_EQ(again.server_certificate, first);
  EXPECT_NE(first, next.certificate);
}

TEST_F(TlsTest, ClientsOfACaThatWasTakenOutDoNotComeInAgain) {
  const auto old_connection = world_.ConnectAs(kViewer);
  ASSERT_TRUE(CallRaw(old_connection, kList).status.ok());
  world_.WriteAgent(world_.ca.IssueAgent(), TestCa("other CA").certificate());
  world_.Poll();
  EXPECT_EQ(CallRaw(world_.ConnectAs(kViewer), kList).status.error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(CallRaw(old_connection, kList).status.ok());
}

TEST_F(TlsTest, WhatDoesNotFitTogetherKeepsTheLastGoodPairAndIsToldOnce) {
  const std::string first = CallRaw(world_.ConnectAs(kViewer), kList).server_certificate;
  const TestCertificate good = world_.ca.IssueAgent();
  const std::string ca = world_.ca.certificate();
  struct {
    TestCertificate agent;
    std::string ca;
    const char* words;
  } const bad[] = {
      {{"garbage", good.key}, ca, "tls.certificate_file: has no certificate"},
      {{good.certificate.substr(0, 300), good.key}, ca, "tls.certificate_file: "},
      {{good.certificate, world_.ca.IssueAgent().key}, ca, "tls.private_key_file: is not the key"},
      {{good.certificate, good.key.substr(0, 60)}, ca, "tls.private_key_file: has no unencrypted"},
      {{good.certificate, good.key}, "", "tls.client_ca_file: has no certificate"},
      {world_.ca.Issue({"DNS:localhost", "x", -absl::Hours(2), -absl::Hours(1)}), ca, "is expired"},
  };
  for (const auto& [agent, ca_pem, words] : bad) {
    world_.refusals.clear();
    world_.WriteAgent(agent, ca_pem);
    world_.Poll();
    world_.Poll();
    EXPECT_THAT(world_.refusals, ElementsAre(HasSubstr(words)));
    EXPECT_EQ(CallRaw(world_.ConnectAs(kViewer), kList).server_certificate, first) << words;
  }
  world_.WriteAgent(good, ca);
  world_.Poll();
  EXPECT_EQ(CallRaw(world_.ConnectAs(kViewer), kList).server_certificate, good.certificate);
}

TEST_F(TlsTest, NoCallFailsWhileCertificatesAreReplaced) {
  std::atomic<bool> stop = false;
  std::atomic<int> done = 0;
  const TestCertificate client = world_.ca.IssueClient(kViewer);
  const auto load = [&] {
    while (!stop) {
      const grpc::Status status = List(&client);
      EXPECT_TRUE(status.ok()) << status.error_message();
      ++done;
    }
  };
  std::thread first(load);
  std::thread second(load);
  for (int i = 0; i < 10; ++i) {
    const int before = done;
    world_.WriteAgent(world_.ca.IssueAgent(), world_.ca.certificate());
    world_.Poll();
    while (done < before + 4) std::this_thread::yield();
  }
  stop = true;
  first.join();
  second.join();
  EXPECT_THAT(world_.refusals, IsEmpty());
}

TEST_F(TlsTest, AgentsOwnChannelShowsItsCertificateAndFollowsIt) {
  world_.WriteAgent(world_.ca.Issue({"URI:spiffe://test/peers/one,DNS:localhost"}),
                    world_.ca.certificate());
  world_.Poll();
  PeerChannels channels(world_.store.get());
  const std::string self = absl::StrCat("localhost:", world_.api->server->tls_port());
  const auto before = channels.To(self);
  ASSERT_TRUE(before.ok());
  EXPECT_TRUE(CallRaw(*before, kList).status.ok());
  EXPECT_EQ(channels.To(self), before);
  world_.WriteAgent(world_.ca.Issue({"URI:spiffe://test/nobody,DNS:localhost"}),
                    world_.ca.certificate());
  world_.Poll();
  EXPECT_EQ(CallRaw(*channels.To(self), kList).status.error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_TRUE(absl::IsFailedPrecondition(PeerChannels(nullptr).To(self).status()));
}

}  // namespace
}  // namespace vuf
