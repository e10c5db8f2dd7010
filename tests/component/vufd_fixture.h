// The vufd binary, with its real store.
#ifndef VUFD_TESTS_COMPONENT_VUFD_FIXTURE_H_
#define VUFD_TESTS_COMPONENT_VUFD_FIXTURE_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"
#include "tests/component/api_world.h"
#include "tests/component/process.h"

namespace vuf {

inline constexpr char kBinary[] = "server/vufd";

// A port that is free now. Somebody may take it before vufd does, but nobody on a test host wants
// just this one.
inline int FreePort() {
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

inline std::string HttpGet(int port, const std::string& path, const std::string& host = "x") {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string all;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    const std::string request = absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: ", host, "\r\n\r\n");
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
    WriteConfig(config_);
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
  const std::string config_ =
      absl::StrCat("listen_socket: \"", Socket(), "\"\nstate_directory: \"",
                   directory_.Path("state"), "\"\nhttp_address: \"127.0.0.1:", port_, "\"\n");
  int processes_ = 0;
};

}  // namespace vuf

#endif  // VUFD_TESTS_COMPONENT_VUFD_FIXTURE_H_
