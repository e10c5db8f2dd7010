#include "server/security/peer_channels.h"

#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"

namespace vuf {

absl::StatusOr<std::shared_ptr<grpc::Channel>> PeerChannels::To(const std::string& agent) {
  if (store_ == nullptr) {
    return absl::FailedPreconditionError(
        "this agent cannot call others: its configuration has no tls { ... } (docs/security.md)");
  }
  const std::shared_ptr<const TlsMaterial> material = store_->current();
  MutexLock lock(&mu_);
  if (material_ != material || channels_.size() >= kMaxChannels) channels_.clear();
  material_ = material;
  std::shared_ptr<grpc::Channel>& channel = channels_[agent];
  if (channel == nullptr) {
    channel = grpc::CreateChannel(agent, grpc::SslCredentials({material->ca, material->private_key,
                                                               material->certificate_chain}));
  }
  return channel;
}

}  // namespace vuf
