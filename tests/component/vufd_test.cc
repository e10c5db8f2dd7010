// The vufd binary, with its real store: what an operator and an init system see.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/slice.h"
#include "gtest/gtest.h"
#include "server/audit/verify.h"
#include "tests/component/api_world.h"
#include "tests/component/process.h"
#include "tests/component/tls_world.h"

namespace vuf {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kBinary[] = "server/vufd";

// A port that is free now. Somebody may take it before vufd does, but nobody on a test host wants
// just this one.
int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  bind(fd, reinterpret_cast<sockaddr*>(&address), length);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  close(fd);
  return ntohs(address.sin_port);
}

std::string HttpGet(int port, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string all;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    const std::string request = absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\n\r\n");
    send(fd, request.data(), request.size(), MSG_NOSIGNAL);
    char buffer[4096];
    ssize_t n;
    while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0) {
      all.append(buffer, static_cast<size_t>(n));
    }
  }
  close(fd);
  return all;
}

class VufdTest : public ::testing::Test {
 protected:
  VufdTest() : port_(FreePort()) {
    std::filesystem::create_directory(directory_.Path("state"));
    WriteConfig(absl::StrCat("listen_socket: \"", Socket(), "\"\nstate_directory: \"",
                             directory_.Path("state"), "\"\nhttp_address: \"127.0.0.1:", port_,
                             "\"\n"));
  }

  std::string Socket() const { return directory_.Path("run/vufd.sock"); }
  void WriteConfig(const std::string& text) { std::ofstream(directory_.Path("config")) << text; }
  std::unique_ptr<Process> Spawn(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {kBinary, "--config=" + directory_.Path("config")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return std::make_unique<Process>(arguments,
                                     directory_.Path(absl::StrCat("errors", ++processes_)));
  }
  std::shared_ptr<grpc::Channel> Channel() const {
    // Each its own connection: one of a killed server must not be taken for the new one's.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel("unix:" + Socket(), grpc::InsecureChannelCredentials(),
                                     arguments);
  }
  bool IsServing() const {
    const auto stub = grpc::health::v1::Health::NewStub(Channel());
    const auto context = Context();
    context->set_wait_for_ready(true);
    grpc::health::v1::HealthCheckResponse response;
    return stub->Check(context.get(), grpc::health::v1::HealthCheckRequest(), &response).ok() &&
           response.status() == grpc::health::v1::HealthCheckResponse::SERVING;
  }
  std::unique_ptr<Process> Serve() {
    std::unique_ptr<Process> vufd = Spawn();
    EXPECT_TRUE(IsServing()) << vufd->Errors();
    return vufd;
  }
  grpc::Status AddEndpoint(const std::string& id) {
    v1::CreateEndpointRequest request;
    request.set_endpoint_id(id);
    request.mutable_endpoint()->set_socket_path(absl::StrCat("/run/none/", id, ".sock"));
    v1::Endpoint endpoint;
    return v1::EndpointService::NewStub(Channel())->CreateEndpoint(Context().get(), request,
                                                                   &endpoint);
  }
  int CountEndpoints() {
    v1::ListEndpointsResponse response;
    const grpc::Status status = v1::EndpointService::NewStub(Channel())->ListEndpoints(
        Context().get(), v1::ListEndpointsRequest(), &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.endpoints_size();
  }

  TempDirectory directory_;
  const int port_;
  int processes_ = 0;
};

TEST_F(VufdTest, CheckConfigSaysGoodOrBad) {
  EXPECT_EQ(Spawn({"--check-config"})->Wait(), 0);
  WriteConfig("listen_socket: \"relative\"\ncolour: \"blue\"\n");
  const auto bad = Spawn({"--check-config"});
  EXPECT_EQ(bad->Wait(), 2);
  EXPECT_THAT(bad->Errors(), AllOf(StartsWith("vufd: "), HasSubstr("colour")));
}

TEST_F(VufdTest, UnknownArgumentIsAUsageError) {
  const auto vufd = Spawn({"--fast"});
  EXPECT_EQ(vufd->Wait(), 2);
  EXPECT_THAT(vufd->Errors(), HasSubstr("unknown argument \"--fast\""));
}

TEST_F(VufdTest, StopsCleanlyAndQuickly) {
  const auto vufd = Serve();
  const absl::Time begin = absl::Now();
  vufd->Signal(SIGTERM);
  EXPECT_EQ(vufd->Wait(), 0);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(5));
}

TEST_F(VufdTest, SocketIsForOwnerAndGroup) {
  const auto vufd = Serve();
  struct stat info = {};
  ASSERT_EQ(stat(Socket().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
  ASSERT_EQ(stat(directory_.Path("run").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0007, 0u);
}

TEST_F(VufdTest, KilledAgentLosesNoAcknowledgedRegistration) {
  const auto first = Serve();
  for (int i = 0; i < 20; ++i) {
    const grpc::Status status = AddEndpoint(absl::StrCat("e", i));
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  first->Signal(SIGKILL);
  EXPECT_EQ(first->Wait(), -1);
  // The socket file of the killed one is still there, and no hindrance.
  const auto second = Serve();
  EXPECT_EQ(CountEndpoints(), 20);
}

TEST_F(VufdTest, DamagedStoreIsAnErrorNotAnEmptyRegistry) {
  {
    const auto vufd = Serve();
    ASSERT_TRUE(AddEndpoint("a").ok());
    vufd->Signal(SIGTERM);
    ASSERT_EQ(vufd->Wait(), 0);
  }
  for (const auto& file : std::filesystem::directory_iterator(directory_.Path("state"))) {
    const std::string path = file.path().string();
    if (path.find(".db") == std::string::npos && path.find(".sqlite") == std::string::npos)
      continue;
    std::ofstream(path, std::ios::binary) << std::string(8192, 'x');
  }
  const auto vufd = Spawn();
  EXPECT_EQ(vufd->Wait(), 1);
  EXPECT_THAT(vufd->Errors(), HasSubstr(directory_.Path("state")));
}

TEST_F(VufdTest, SecondAgentIsRefusedAndTheFirstGoesOn) {
  const auto first = Serve();
  const auto second = Spawn();
  EXPECT_EQ(second->Wait(), 1);
  EXPECT_THAT(second->Errors(), HasSubstr("in use"));
  EXPECT_TRUE(IsServing());
}

TEST_F(VufdTest, FileInPlaceOfTheSocketIsLeftAlone) {
  std::filesystem::create_directory(directory_.Path("run"));
  std::ofstream(Socket()) << "precious";
  const auto vufd = Spawn();
  EXPECT_EQ(vufd->Wait(), 1);
  EXPECT_THAT(vufd->Errors(), HasSubstr("not a socket"));
  EXPECT_TRUE(std::filesystem::is_regular_file(Socket()));
}

TEST_F(VufdTest, MetricsAndHealthAnswer) {
  const auto vufd = Serve();
  EXPECT_THAT(HttpGet(port_, "/healthz"), StartsWith("HTTP/1.1 200 "));
  ASSERT_TRUE(AddEndpoint("a").ok());
  const std::string metrics = HttpGet(port_, "/metrics");
  EXPECT_THAT(metrics, HasSubstr("vufd_build_info{version="));
  EXPECT_THAT(metrics, HasSubstr("vufd_registered_endpoints 1"));
  EXPECT_THAT(
      metrics,
      HasSubstr(
          "vufd_rpc_requests_total{code=\"OK\",method=\"EndpointService/CreateEndpoint\"} 1"));
}

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

TEST_F(VufdTest, ReflectionListsTheServices) {
  const auto vufd = Serve();
  grpc::GenericStub stub(Channel());
  grpc::CompletionQueue queue;
  const auto context = Context();
  const auto call = stub.PrepareCall(
      context.get(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  const auto step = [&queue] {
    void* tag;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  call->StartCall(nullptr);
  ASSERT_TRUE(step());
  // ServerReflectionRequest{list_services: ""}: field 7.
  const grpc::Slice request(std::string("\x3a\x00", 2));
  call->Write(grpc::ByteBuffer(&request, 1), nullptr);
  ASSERT_TRUE(step());
  grpc::ByteBuffer response;
  call->Read(&response, nullptr);
  ASSERT_TRUE(step());
  grpc::Slice answer;
  ASSERT_TRUE(response.DumpToSingleSlice(&answer).ok());
  const std::string text(reinterpret_cast<const char*>(answer.begin()), answer.size());
  EXPECT_THAT(text,
              AllOf(HasSubstr("vuf.v1.VmService"), HasSubstr("vuf.v1.EndpointService"),
                    HasSubstr("vuf.v1.BackEndProfileService"), HasSubstr("vuf.v1.MigrationService"),
                    HasSubstr("grpc.health.v1.Health")));
  context->TryCancel();
  grpc::Status status;
  call->Finish(&status, nullptr);
  step();
}

}  // namespace
}  // namespace vuf
