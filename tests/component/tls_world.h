// The API on TCP with mutual TLS, with certificates and roles of the test.
#ifndef VUFD_TESTS_COMPONENT_TLS_WORLD_H_
#define VUFD_TESTS_COMPONENT_TLS_WORLD_H_

#include <memory>
#include <string>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "grpcpp/channel.h"
#include "grpcpp/support/status.h"
#include "tests/component/api_world.h"
#include "tests/testing/certificates.h"

namespace vuf {

struct RpcResult {
  grpc::Status status;
  // The server's certificate, as the client has seen it.
  std::string server_certificate;
};

class TlsWorld {
 public:
  // `roles` is the text of a roles file.
  explicit TlsWorld(const std::string& roles, ClientLimits limits = {100000, 100000, 10000});

  // The agent's files, all at once, as the kubelet replaces them.
  void WriteAgent(const TestCertificate& agent, const std::string& ca);
  void WriteRoles(const std::string& roles);
  // What the agent does every second.
  void Poll();

  // A connection of its own. A null `client` has no certificate.
  std::shared_ptr<grpc::Channel> Connect(const TestCertificate* client) const;
  std::shared_ptr<grpc::Channel> ConnectAs(const std::string& spiffe_id) const;

  TestCa ca{"test CA"};
  TempDirectory files;
  SystemClock clock;
  std::vector<std::string> refusals;
  std::unique_ptr<TlsStore> store;
  std::unique_ptr<ApiWorld> api;

 private:
  int version_ = 0;
};

// Calls a unary method with these bytes as the request: "vuf.v1.VmService/ListVms".
RpcResult CallRaw(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                  const std::string& request = "");

// The ErrorInfo of a refusal; empty when there is none.
google::rpc::ErrorInfo ErrorInfoOf(const grpc::Status& status);

}  // namespace vuf

#endif  // VUFD_TESTS_COMPONENT_TLS_WORLD_H_
