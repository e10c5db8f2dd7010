#include "server/service/call.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "google/protobuf/descriptor.h"
#include "grpcpp/support/slice.h"
#include "server/security/identity.h"
#include "server/service/errors.h"
#include "server/service/validate.h"

namespace vuf {
namespace {

constexpr absl::Duration kDefaultDeadline = absl::Seconds(30);
constexpr absl::Duration kMaxDeadline = absl::Minutes(10);
constexpr size_t kAuditThreads = 2;
constexpr size_t kAuditQueue = 256;

// The string at a path such as "endpoint.name"; empty when there is none.
std::string TextField(const google::protobuf::Message& message, absl::string_view path) {
  const google::protobuf::Message* at = &message;
  const std::vector<std::string> names = absl::StrSplit(path, '.');
  for (size_t i = 0; i < names.size(); ++i) {
    const google::protobuf::FieldDescriptor* const field =
        at->GetDescriptor()->FindFieldByName(names[i]);
    if (field == nullptr || field->is_repeated()) return "";
    if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_STRING) {
      return i + 1 == names.size() ? at->GetReflection()->GetString(*at, field) : "";
    }
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) return "";
    at = &at->GetReflection()->GetMessage(*at, field);
  }
  return "";
}

}  // namespace

absl::Status ParseMessage(const grpc::ByteBuffer& in, google::protobuf::Message* message) {
  std::vector<grpc::Slice> slices;
  // The call began, and its message never came.
  if (!in.Dump(&slices).ok()) {
    return absl::CancelledError("the caller was gone before its request was read");
  }
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

Calls::Calls(Metrics* metrics, const Gate* gate, AuditLog* audit, MayRun may_run)
    : metrics_(metrics),
      gate_(gate),
      audit_(audit),
      may_run_(std::move(may_run)),
      audit_pool_(kAuditThreads, kAuditQueue) {}

void Calls::Ended(const std::string& method, const absl::Status& status, absl::Duration took) {
  metrics_->RpcDone(method, CodeName(status), took);
  LogRpc(method, status, took);
}

Gate::Admission Calls::Admit(const grpc::CallbackServerContext& context,
                             const std::string& method) const {
  return gate_->Admit(IdentityOf(context), absl::StrCat("vuf.v1.", method));
}

std::shared_ptr<Calls::Call> Calls::Begin(grpc::CallbackServerContext* context, const char* method,
                                          WorkerPool* pool) const {
  auto call = std::make_shared<Call>();
  call->context = context;
  call->method = method;
  call->pool = pool;
  call->begin = absl::Now();
  call->reactor = context->DefaultReactor();
  call->admission = Admit(*context, method);
  const MethodRule* const rule = call->admission.rule;
  // Whoever is over a limit must not cost a write.
  call->audited =
      rule != nullptr && rule->changes && !absl::IsResourceExhausted(call->admission.status);
  if (call->audited) {
    call->record.actor = IdentityOf(*context).name();
    call->record.method = std::string(rule->method);
  }
  return call;
}

void Calls::Describe(const google::protobuf::Message& request, Call& call) {
  call.record.resource = TextField(request, call.admission.rule->resource);
  call.record.request_id = TextField(request, "request_id");
}

absl::Status Calls::AuditReady(const Call& call) {
  if (!call.audited || call.admission.rule->essential) return absl::OkStatus();
  const absl::Status ready = audit_->Ready();
  if (ready.ok()) return ready;
  return absl::UnavailableError(
      absl::StrCat("nothing was done: the audit log cannot be written: ", ready.message()));
}

void Calls::Finish(Call& call, const absl::Status& status) {
  absl::Status answer = status;
  if (call.audited) {
    call.record.time = absl::Now();
    call.record.outcome = CodeName(status);
    call.record.message = std::string(status.message());
    const absl::Status written = audit_->Append(call.record);
    if (!written.ok() && !call.admission.rule->essential) {
      answer = absl::UnavailableError(
          absl::StrCat("the call ended with ", CodeName(status),
                       ", but the audit log cannot be written: ", written.message()));
    }
  }
  Ended(call.method, answer, absl::Now() - call.begin);
  call.admission.ticket.reset();
  call.reactor->Finish(ToGrpc(answer));
}

void Calls::FinishElsewhere(const std::shared_ptr<Call>& call, const absl::Status& status) {
  const auto finish = [this, call, status](const absl::Status&) { Finish(*call, status); };
  if (!call->audited || !audit_pool_.Submit({absl::InfiniteFuture(), nullptr, finish}).ok()) {
    finish(absl::OkStatus());
  }
}

grpc::ServerUnaryReactor* Calls::Run(const std::shared_ptr<Call>& call, const absl::Status& parsed,
                                     absl::Time deadline, grpc::ByteBuffer* out,
                                     std::function<absl::StatusOr<grpc::ByteBuffer>()> work) {
  grpc::ServerUnaryReactor* const reactor = call->reactor;
  const absl::Status may_run = parsed.ok() ? may_run_(call->method) : parsed;
  if (!may_run.ok()) {
    FinishElsewhere(call, may_run);
    return reactor;
  }
  const auto answer = [out, work = std::move(work)]() -> absl::Status {
    absl::StatusOr<grpc::ByteBuffer> response = work();
    if (response.ok()) out->Swap(&*response);
    return response.status();
  };
  if (call->pool == nullptr) {
    FinishElsewhere(call, answer());
    return reactor;
  }
  const auto run = [this, call, answer](const absl::Status& may_run) {
    if (!may_run.ok()) return Finish(*call, may_run);
    if (absl::Status ready = AuditReady(*call); !ready.ok()) {
      call->audited = false;
      return Finish(*call, ready);
    }
    Finish(*call, answer());
  };
  const absl::Status submitted =
      call->pool->Submit({deadline, [call] { return call->context->IsCancelled(); }, run});
  if (!submitted.ok()) FinishElsewhere(call, submitted);
  return reactor;
}

}  // namespace vuf
