// The vufd binary on TCP: its start, its reload, its audit log.
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/vuf_client.h"
#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"
#include "server/audit/verify.h"
#include "tests/component/tls_world.h"
#include "tests/component/vufd_fixture.h"

namespace vuf {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// With TLS at a port of its own, and a certificate for it.
class VufdTlsTest : public VufdTest {
 protected:
  VufdTlsTest() : tls_port_(FreePort()) {
    const TestCertificate agent = ca_.IssueAgent();
    std::ofstream(directory_.Path("tls.crt")) << agent.certificate;
    std::ofstream(directory_.Path("tls.key")) << agent.key;
    std::ofstream(directory_.Path("ca.crt")) << ca_.certificate();
    std::ofstream(directory_.Path("roles"))
        << "bindings { identity: \"spiffe://test/a\" roles: ROLE_OPERATOR }\n"
        << "bindings { identity: \"uid:" << getuid() << "\" roles: ROLE_VIEWER }\n";
    WriteConfig(absl::StrCat(
        "listen_socket: \"", Socket(), "\"\nstate_directory: \"", directory_.Path("state"),
        "\"\nroles_file: \"", directory_.Path("roles"), "\"\nhttp_address: \"127.0.0.1:", port_,
        "\"\ntls { listen_address: \"localhost:", tls_port_, "\" certificate_file: \"",
        directory_.Path("tls.crt"), "\" private_key_file: \"", directory_.Path("tls.key"),
        "\" client_ca_file: \"", directory_.Path("ca.crt"), "\" }\n"));
  }
  std::shared_ptr<grpc::Channel> TlsChannel() const {
    const TestCertificate client = ca_.IssueClient("spiffe://test/a");
    return grpc::CreateChannel(
        absl::StrCat("localhost:", tls_port_),
        grpc::SslCredentials({ca_.certificate(), client.key, client.certificate}));
  }
  std::string ErrorAtStart() {
    const auto vufd = Spawn();
    EXPECT_EQ(vufd->Wait(), 1);
    const auto check = Spawn({"--check-config"});
    EXPECT_EQ(check->Wait(), 2);
    EXPECT_EQ(check->Errors(), vufd->Errors());
    return vufd->Errors();
  }

  const int tls_port_;
  const TestCa ca_{"CA"};
};

TEST_F(VufdTlsTest, ChangesByTlsAreServedAndAuditedAndSurviveAKill) {
  const auto vufd = Serve();
  v1::RemoveVmRequest request;
  request.set_name("vms/none");
  EXPECT_EQ(CallRaw(TlsChannel(), "vuf.v1.VmService/RemoveVm", request.SerializeAsString())
                .status.error_code(),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(AddEndpoint("a").error_code(), grpc::StatusCode::PERMISSION_DENIED);
  vufd->Signal(SIGKILL);
  vufd->Wait();
  std::vector<std::string> lines;
  const auto report =
      VerifyAudit(directory_.Path("state/audit"), "", [&lines](const AuditLine& line) {
        if (line.kind != AuditLine::Kind::kCall) return;
        lines.push_back(
            absl::StrCat(line.record.actor, " ", line.record.outcome, " ", line.record.resource));
      });
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(report->problems, ::testing::IsEmpty());
  EXPECT_THAT(lines,
              ::testing::ElementsAre("spiffe://test/a NOT_FOUND vms/none",
                                     absl::StrCat("uid:", getuid(), " PERMISSION_DENIED a")));
}

TEST_F(VufdTlsTest, ClientLibraryComesInByTls) {
  const auto vufd = Serve();
  const TestCertificate client = ca_.IssueClient("spiffe://test/a");
  std::ofstream(directory_.Path("me.crt")) << client.certificate;
  std::ofstream(directory_.Path("me.key")) << client.key;
  ClientOptions options;
  options.server = absl::StrCat("localhost:", tls_port_);
  options.tls = {directory_.Path("ca.crt"), directory_.Path("me.crt"), directory_.Path("me.key")};
  const auto vufctl = VufClient::Create(options);
  ASSERT_TRUE(vufctl.ok()) << vufctl.status();
  EXPECT_TRUE((*vufctl)->ListVms().ok());
  options.tls->private_key_file = directory_.Path("none");
  EXPECT_THAT(
      std::string(VufClient::Create(options).status().message()),
      HasSubstr(absl::StrCat("private key \"", directory_.Path("none"), "\": cannot open")));
}

TEST_F(VufdTlsTest, CertificateIsTakenOverWhileItRuns) {
  const auto vufd = Serve();
  const TestCertificate next = ca_.IssueAgent();
  std::ofstream(directory_.Path("tls.key")) << next.key;
  std::ofstream(directory_.Path("tls.crt")) << next.certificate;
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  std::string seen;
  while (seen != next.certificate && absl::Now() < deadline) {
    const RpcResult result = CallRaw(TlsChannel(), "vuf.v1.VmService/ListVms");
    EXPECT_TRUE(result.status.ok()) << result.status.error_message();
    seen = result.server_certificate;
  }
  EXPECT_EQ(seen, next.certificate);
  EXPECT_THAT(HttpGet(port_, "/metrics"), HasSubstr("vufd_certificate_expiry_timestamp_seconds"));
}

TEST_F(VufdTlsTest, WhatIsWrongWithTheFilesIsToldAtTheStart) {
  std::filesystem::remove(directory_.Path("tls.key"));
  EXPECT_THAT(ErrorAtStart(),
              HasSubstr(absl::StrCat("tls.private_key_file \"", directory_.Path("tls.key"),
                                     "\": cannot open: No such file")));
  std::ofstream(directory_.Path("tls.key")) << ca_.IssueAgent().key;
  EXPECT_THAT(ErrorAtStart(), AllOf(HasSubstr("tls.private_key_file: is not the key"),
                                    HasSubstr(directory_.Path("tls.key"))));
  const TestCertificate old = ca_.Issue({"DNS:localhost", "x", -absl::Hours(2), -absl::Hours(1)});
  std::ofstream(directory_.Path("tls.crt")) << old.certificate;
  EXPECT_THAT(ErrorAtStart(), HasSubstr("tls.certificate_file: certificate 1 is expired since"));
  std::ofstream(directory_.Path("roles")) << "bindings { identity: \"everybody\" }";
  EXPECT_THAT(ErrorAtStart(), AllOf(HasSubstr("roles_file \""), HasSubstr("bindings[0].identity")));
}

TEST_F(VufdTlsTest, PortThatIsTakenIsAnErrorAtTheStart) {
  const auto first = Serve();
  WriteConfig(absl::StrCat(
      "listen_socket: \"", directory_.Path("other.sock"), "\"\nstate_directory: \"",
      directory_.path(), "\"\ntls { listen_address: \"localhost:", tls_port_,
      "\" certificate_file: \"", directory_.Path("tls.crt"), "\" private_key_file: \"",
      directory_.Path("tls.key"), "\" client_ca_file: \"", directory_.Path("ca.crt"), "\" }\n"));
  const auto second = Spawn();
  EXPECT_EQ(second->Wait(), 1);
  EXPECT_THAT(second->Errors(), HasSubstr("tls.listen_address: cannot listen on"));
}

}  // namespace
}  // namespace vuf
