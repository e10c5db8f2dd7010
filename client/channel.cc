#include "client/channel.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "server/base/read_file.h"

namespace vuf {
namespace {

constexpr int kMaxMessageBytes = 64 << 20;
constexpr size_t kMaxPemBytes = 1 << 20;
// A socket path longer than this does not fit sockaddr_un.
constexpr size_t kMaxSocketPath = 107;

absl::Status CheckUnixAddress(absl::string_view server) {
  if (absl::StartsWith(server, "unix:/") && server.size() - 5 <= kMaxSocketPath) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("server \"", server, "\": want unix:PATH with an absolute path of at most ",
                   kMaxSocketPath, " bytes"));
}

absl::Status CheckTcpAddress(absl::string_view server) {
  const size_t colon = server.rfind(':');
  const absl::string_view port = colon == absl::string_view::npos ? "" : server.substr(colon + 1);
  if (colon != 0 && !port.empty() && !absl::StrContains(server, "/") &&
      port.find_first_not_of("0123456789") == absl::string_view::npos) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("address \"", server, "\": want HOST:PORT, as in the agent's certificate"));
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(
    const ClientOptions& options) {
  if (!options.tls.has_value()) {
    if (absl::Status checked = CheckUnixAddress(options.server); !checked.ok()) return checked;
    return grpc::InsecureChannelCredentials();
  }
  absl::Status status = CheckTcpAddress(options.server);
  grpc::SslCredentialsOptions pem;
  const auto read = [&status](const char* what, const std::string& path, std::string* out) {
    if (!status.ok()) return;
    absl::StatusOr<std::string> text = ReadFile(what, path, kMaxPemBytes);
    status = text.status();
    if (text.ok()) *out = *std::move(text);
  };
  read("CA file", options.tls->ca_file, &pem.pem_root_certs);
  read("certificate", options.tls->certificate_file, &pem.pem_cert_chain);
  read("private key", options.tls->private_key_file, &pem.pem_private_key);
  if (!status.ok()) return status;
  return grpc::SslCredentials(pem);
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const ClientOptions& options) {
  const absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> credentials =
      Credentials(options);
  if (!credentials.ok()) return credentials.status();
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  if (!options.user_agent.empty()) arguments.SetUserAgentPrefix(options.user_agent);
  // An agent that restarts is back in a moment; gRPC's own first wait is a second.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  return grpc::CreateCustomChannel(options.server, *credentials, arguments);
}

}  // namespace vuf
