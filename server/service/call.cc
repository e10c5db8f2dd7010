#include "server/service/call.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "absl/time/clock.h"
#include "grpcpp/support/slice.h"
#include "server/service/errors.h"
#include "server/service/validate.h"

namespace vuf {
namespace {

constexpr absl::Duration kDefaultDeadline = absl::Seconds(30);
constexpr absl::Duration kMaxDeadline = absl::Minutes(10);

}  // namespace

absl::Status ParseMessage(const grpc::ByteBuffer& in, google::protobuf::Message* message) {
  std::vector<grpc::Slice> slices;
  if (!in.Dump(&slices).ok()) return absl::InternalError("the request cannot be read");
  std::string wire;
  wire.reserve(in.Length());
  for (const grpc::Slice& slice : slices) {
    wire.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  if (message->ParseFromString(wire)) return absl::OkStatus();
  return ExplainParseFailure(wire, *message->GetDescriptor());
}

absl::StatusOr<grpc::ByteBuffer> SerializeMessage(const google::protobuf::Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

absl::Time Calls::DeadlineOf(const grpc::ServerContextBase& context) {
  const absl::Time now = absl::Now();
  // No deadline is the largest time point, which does not survive a conversion.
  if (context.deadline() == std::chrono::system_clock::time_point::max()) {
    return now + kDefaultDeadline;
  }
  return std::min(absl::FromChrono(context.deadline()), now + kMaxDeadline);
}

void Calls::Ended(const std::string& method, const absl::Status& status, absl::Duration took) {
  metrics_->RpcDone(method, CodeName(status), took);
  LogRpc(method, status, took);
}

grpc::ServerUnaryReactor* Calls::Run(grpc::CallbackServerContext* context, const char* method,
                                     WorkerPool* pool, absl::Time deadline, grpc::ByteBuffer* out,
                                     std::function<absl::StatusOr<grpc::ByteBuffer>()> work) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const absl::Time begin = absl::Now();
  const auto finish = [this, reactor, method, begin](const absl::Status& status) {
    Ended(method, status, absl::Now() - begin);
    reactor->Finish(ToGrpc(status));
  };
  const auto run = [finish, out, work = std::move(work)](const absl::Status& may_run) {
    if (!may_run.ok()) return finish(may_run);
    absl::StatusOr<grpc::ByteBuffer> answer = work();
    if (answer.ok()) out->Swap(&*answer);
    finish(answer.status());
  };
  const absl::Status may_run = may_run_(method);
  if (pool == nullptr || !may_run.ok()) {
    run(may_run);
    return reactor;
  }
  const absl::Status submitted =
      pool->Submit({deadline, [context] { return context->IsCancelled(); }, run});
  if (!submitted.ok()) finish(submitted);
  return reactor;
}

}  // namespace vuf
