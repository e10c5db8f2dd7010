// A channel to vufd: its unix socket, or TCP with mutual TLS.
#ifndef VUFD_CLIENT_CHANNEL_H_
#define VUFD_CLIENT_CHANNEL_H_

#include <memory>

#include "absl/status/statusor.h"
#include "client/vuf_client.h"
#include "grpcpp/channel.h"

namespace vuf {

// Does not connect yet. INVALID_ARGUMENT for an address that is neither; NOT_FOUND or
// FAILED_PRECONDITION names a file that cannot be read.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const ClientOptions& options);

}  // namespace vuf

#endif  // VUFD_CLIENT_CHANNEL_H_
