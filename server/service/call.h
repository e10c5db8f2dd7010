// What all unary RPCs have in common: parse, run (on a pool when it blocks), answer, log, count.
//
// Methods are registered raw (ByteBuffer in and out) because gRPC 1.51 answers UNIMPLEMENTED, with
// no message, to a request that protobuf cannot parse, such as a string that is not UTF-8.
#ifndef VUFD_SERVER_SERVICE_CALL_H_
#define VUFD_SERVER_SERVICE_CALL_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "server/metrics/metrics.h"
#include "server/service/worker_pool.h"

namespace vuf {

// INVALID_ARGUMENT says what is wrong with the bytes.
absl::Status ParseMessage(const grpc::ByteBuffer& in, google::protobuf::Message* message);
absl::StatusOr<grpc::ByteBuffer> SerializeMessage(const google::protobuf::Message& message);

class Calls {
 public:
  // `may_run` is asked before every unary RPC, by method; an error is the answer.
  using MayRun = std::function<absl::Status(const char* method)>;
  Calls(Metrics* metrics, MayRun may_run) : metrics_(metrics), may_run_(std::move(may_run)) {}

  // `handle` gets the time until which it may take. A null `pool`: it does not block and runs at
  // once.
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* Unary(
      grpc::CallbackServerContext* context, const char* method, WorkerPool* pool,
      const grpc::ByteBuffer* in, grpc::ByteBuffer* out,
      std::function<absl::StatusOr<Response>(const Request&, absl::Time deadline)> handle) {
    auto request = std::make_shared<Request>();
    const absl::Status parsed = ParseMessage(*in, request.get());
    const absl::Time deadline = DeadlineOf(*context);
    return Run(context, method, parsed.ok() ? pool : nullptr, deadline, out,
               [parsed, request, deadline,
                handle = std::move(handle)]() -> absl::StatusOr<grpc::ByteBuffer> {
                 if (!parsed.ok()) return parsed;
                 absl::StatusOr<Response> response = handle(*request, deadline);
                 if (!response.ok()) return response.status();
                 return SerializeMessage(*response);
               });
  }

  // Counts and logs an RPC that has ended; `took` is infinite for one that is not to be timed.
  void Ended(const std::string& method, const absl::Status& status, absl::Duration took);

 private:
  // The client's deadline; 30 s when it sets none, and never more than 10 min.
  static absl::Time DeadlineOf(const grpc::ServerContextBase& context);
  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, const char* method,
                                WorkerPool* pool, absl::Time deadline, grpc::ByteBuffer* out,
                                std::function<absl::StatusOr<grpc::ByteBuffer>()> work);

  Metrics* const metrics_;
  const MayRun may_run_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_CALL_H_
