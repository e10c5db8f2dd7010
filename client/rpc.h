// One unary call: deadline, bounded retry, absl::Status. For the client library only.
#ifndef VUFD_CLIENT_RPC_H_
#define VUFD_CLIENT_RPC_H_

#include <algorithm>
#include <chrono>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/vuf_client.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/status.h"

namespace vuf {

// kOnce: the server may have acted before the answer was lost, and would answer a second call
// with something misleading (NOT_FOUND for what the first one removed).
enum class Repeat { kSafe, kOnce };

inline absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> Call(Stub& stub,
                              grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                           Response*),
                              const Request& request, Repeat repeat, const ClientOptions& options) {
  const absl::Time deadline = absl::Now() + options.call_timeout;
  absl::Duration backoff = options.first_backoff;
  for (int attempt = 1;; ++attempt) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(deadline));
    Response response;
    const grpc::Status status = (stub.*method)(&context, request, &response);
    if (status.ok()) return response;
    const bool again = repeat == Repeat::kSafe && attempt < options.attempts &&
                       status.error_code() == grpc::StatusCode::UNAVAILABLE &&
                       absl::Now() + backoff < deadline;
    if (!again) return FromGrpc(status);
    absl::SleepFor(backoff);
    backoff *= 2;
  }
}

}  // namespace vuf

#endif  // VUFD_CLIENT_RPC_H_
