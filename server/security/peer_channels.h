// Channels to the agents of other hosts, with this agent's own certificate.
#ifndef VUFD_SERVER_SECURITY_PEER_CHANNELS_H_
#define VUFD_SERVER_SECURITY_PEER_CHANNELS_H_

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "grpcpp/channel.h"
#include "server/base/mutex.h"
#include "server/security/tls_store.h"

namespace vuf {

// Thread-safe. Keeps at most kMaxChannels.
class PeerChannels {
 public:
  static constexpr size_t kMaxChannels = 256;

  // A null `store`: the agent has no certificate and cannot call others.
  explicit PeerChannels(const TlsStore* store) : store_(store) {}

  // To "HOST:PORT", whose certificate must be of one of the CAs and for HOST. The same channel
  // until the agent's certificate or the CAs are replaced; calls under way on an old one go on.
  // Does not connect yet. FAILED_PRECONDITION without a store.
  absl::StatusOr<std::shared_ptr<grpc::Channel>> To(const std::string& agent);

 private:
  const TlsStore* const store_;
  Mutex mu_;
  // With what the channels were made.
  std::shared_ptr<const TlsMaterial> material_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::shared_ptr<grpc::Channel>> channels_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vuf

#endif  // VUFD_SERVER_SECURITY_PEER_CHANNELS_H_
