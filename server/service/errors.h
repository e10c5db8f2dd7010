// absl::Status -> grpc::Status, in one place.
#ifndef VUFD_SERVER_SERVICE_ERRORS_H_
#define VUFD_SERVER_SERVICE_ERRORS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpcpp/support/status.h"

namespace vuf {

// The codes have the same numbers. The message is made valid UTF-8 and cut to what fits in gRPC's
// trailers (8 KiB by default, up to three bytes for one).
grpc::Status ToGrpc(const absl::Status& status);
// "NOT_FOUND".
std::string CodeName(const absl::Status& status);
// One line per RPC: errors that are vufd's own fault at error level, the caller's at info, good
// ones at debug.
void LogRpc(const std::string& method, const absl::Status& status, absl::Duration took);

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_ERRORS_H_
