#include "tests/component/tls_world.h"

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "google/rpc/status.pb.h"
#include "grpc/grpc_security_constants.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/slice.h"
#include "gtest/gtest.h"

namespace vuf {

TlsWorld::TlsWorld(const std::string& roles, ClientLimits limits) {
  WriteAgent(ca.IssueAgent(), ca.certificate());
  WriteRoles(roles);
  TlsStore::Events events;
  events.refused = [this](const absl::Status& why) { refusals.emplace_back(why.message()); };
  auto opened = TlsStore::Open(
      {files.Path("now/tls.crt"), files.Path("now/tls.key"), files.Path("now/ca.crt")}, &clock,
      events);
  EXPECT_TRUE(opened.ok()) << opened.status();
  store = *std::move(opened);
  ApiWorld::Options options;
  options.tls = store.get();
  options.roles_file = files.Path("roles");
  options.limits = limits;
  api = std::make_unique<ApiWorld>(options);
}

void TlsWorld::WriteAgent(const TestCertificate& agent, const std::string& ca_pem) {
  const std::string directory = absl::StrCat("version", ++version_);
  std::filesystem::create_directory(files.Path(directory));
  std::ofstream(files.Path(directory + "/tls.crt")) << agent.certificate;
  std::ofstream(files.Path(directory + "/tls.key")) << agent.key;
  std::ofstream(files.Path(directory + "/ca.crt")) << ca_pem;
  std::filesystem::create_directory_symlink(directory, files.Path("next"));
  std::filesystem::rename(files.Path("next"), files.Path("now"));
}

void TlsWorld::WriteRoles(const std::string& roles) {
  std::ofstream(files.Path("roles.new")) << roles;
  std::filesystem::rename(files.Path("roles.new"), files.Path("roles"));
}

void TlsWorld::Poll() {
  store->Poll();
  api->roles->Poll();
}

std::shared_ptr<grpc::Channel> TlsWorld::Connect(const TestCertificate* client) const {
  grpc::SslCredentialsOptions pem;
  pem.pem_root_certs = ca.certificate();
  if (client != nullptr) {
    pem.pem_cert_chain = client->certificate;
    pem.pem_private_key = client->key;
  }
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(absl::StrCat("localhost:", api->server->tls_port()),
                                   grpc::SslCredentials(pem), arguments);
}

std::shared_ptr<grpc::Channel> TlsWorld::ConnectAs(const std::string& spiffe_id) const {
  const TestCertificate client = ca.IssueClient(spiffe_id);
  return Connect(&client);
}

RpcResult CallRaw(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                  const std::string& request) {
  grpc::GenericStub stub(channel);
  grpc::CompletionQueue queue;
  const grpc::Slice slice(request);
  grpc::ByteBuffer response;
  RpcResult result;
  const auto context = Context();
  const auto call = stub.PrepareUnaryCall(context.get(), absl::StrCat("/", method),
                                          grpc::ByteBuffer(&slice, 1), &queue);
  call->StartCall();
  call->Finish(&response, &result.status, nullptr);
  void* tag;
  bool ok;
  queue.Next(&tag, &ok);
  for (const auto& pem :
       context->auth_context()->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME)) {
    result.server_certificate = std::string(pem.data(), pem.size());
  }
  return result;
}

google::rpc::ErrorInfo ErrorInfoOf(const grpc::Status& status) {
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  if (!details.ParseFromString(status.error_details())) return info;
  for (const auto& detail : details.details()) {
    if (detail.Is<google::rpc::ErrorInfo>()) detail.UnpackTo(&info);
  }
  return info;
}

}  // namespace vuf
