// One unary call: deadline, bounded retry, absl::Status. For the client library only.
#ifndef VUFD_CLIENT_RPC_H_
#define VUFD_CLIENT_RPC_H_

#include <algorithm>
#include <chrono>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
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

inline constexpr int kPageSize = 500;
inline constexpr int kMaxPages = 1000;

template <typename Request>
Request Named(const std::string& name) {
  Request request;
  request.set_name(name);
  return request;
}

template <typename T>
absl::Status StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

// Fetches pages until the last, or until `enough(all)`. `fetch` takes a page token.
template <typename Response, typename Fetch, typename Enough>
absl::StatusOr<Response> AllPages(const Fetch& fetch, const Enough& enough) {
  Response all;
  for (int page = 0; page < kMaxPages; ++page) {
    const std::string token = all.next_page_token();
    absl::StatusOr<Response> next = fetch(token);
    if (!next.ok()) return next.status();
    all.clear_next_page_token();
    all.MergeFrom(*next);
    if (all.next_page_token().empty() || enough(all)) return all;
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("the list did not end after ", kMaxPages, " pages"));
}

}  // namespace vuf

#endif  // VUFD_CLIENT_RPC_H_
