// What all RPCs have in common: admit, parse, run (on a pool when it blocks), audit, answer, log,
// count. A method that does not go through here or through WatchHub is open to everybody:
// tests/component/roles_test.cc calls them all.
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
#include "server/audit/audit_log.h"
#include "server/metrics/metrics.h"
#include "server/security/gate.h"
#include "server/service/worker_pool.h"

namespace vuf {

// INVALID_ARGUMENT says what is wrong with the bytes.
absl::Status ParseMessage(const grpc::ByteBuffer& in, google::protobuf::Message* message);
absl::StatusOr<grpc::ByteBuffer> SerializeMessage(const google::protobuf::Message& message);

class Calls {
 public:
  // `may_run` is asked before every unary RPC, by method; an error is the answer.
  using MayRun = std::function<absl::Status(const char* method)>;
  Calls(Metrics* metrics, const Gate* gate, AuditLog* audit, MayRun may_run);

  // `handle` gets the time until which it may take. A null `pool`: it does not block and runs at
  // once.
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* Unary(
      grpc::CallbackServerContext* context, const char* method, WorkerPool* pool,
      const grpc::ByteBuffer* in, grpc::ByteBuffer* out,
      std::function<absl::StatusOr<Response>(const Request&, absl::Time deadline)> handle) {
    const std::shared_ptr<Call> call = Begin(context, method, pool);
    auto request = std::make_shared<Request>();
    absl::Status parsed = call->admission.status;
    // What was refused is looked at only to write down what it was about.
    if (parsed.ok() || call->audited) parsed.Update(ParseMessage(*in, request.get()));
    if (call->audited) Describe(*request, *call);
    const absl::Time deadline = DeadlineOf(*context);
    return Run(
        call, parsed, deadline, out,
        [request, deadline, handle = std::move(handle)]() -> absl::StatusOr<grpc::ByteBuffer> {
          absl::StatusOr<Response> response = handle(*request, deadline);
          if (!response.ok()) return response.status();
          return SerializeMessage(*response);
        });
  }

  // Whether a stream may begin: `method` is "EndpointService/WatchEndpoints". The ticket is held
  // until it has ended.
  Gate::Admission Admit(const grpc::CallbackServerContext& context,
                        const std::string& method) const;
  // Counts and logs an RPC that has ended; `took` is infinite for one that is not to be timed.
  void Ended(const std::string& method, const absl::Status& status, absl::Duration took);

 private:
  // One unary call under way.
  struct Call {
    grpc::CallbackServerContext* context;
    const char* method;
    WorkerPool* pool;
    absl::Time begin;
    grpc::ServerUnaryReactor* reactor;
    Gate::Admission admission;
    bool audited = false;
    AuditRecord record;
  };

  // The client's deadline; 30 s when it sets none, and never more than 10 min.
  static absl::Time DeadlineOf(const grpc::ServerContextBase& context);
  std::shared_ptr<Call> Begin(grpc::CallbackServerContext* context, const char* method,
                              WorkerPool* pool) const;
  // What the audit log says of the request.
  static void Describe(const google::protobuf::Message& request, Call& call);
  grpc::ServerUnaryReactor* Run(const std::shared_ptr<Call>& call, const absl::Status& parsed,
                                absl::Time deadline, grpc::ByteBuffer* out,
                                std::function<absl::StatusOr<grpc::ByteBuffer>()> work);
  // From a thread that may block, unless nothing is audited.
  void Finish(Call& call, const absl::Status& status);
  // From one that may not.
  void FinishElsewhere(const std::shared_ptr<Call>& call, const absl::Status& status);
  // OK, or why nothing that is to be audited may be done.
  absl::Status AuditReady(const Call& call);

  Metrics* const metrics_;
  const Gate* const gate_;
  AuditLog* const audit_;
  const MayRun may_run_;
  // Writes what was refused, or done, on a thread that must not wait for the disk.
  WorkerPool audit_pool_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_CALL_H_
