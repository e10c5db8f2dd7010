// Verdicts on many migrations, and plans.
#include "client/rpc.h"
#include "client/vuf_client.h"

namespace vuf {

absl::Status VufClient::BatchEvaluate(
    const v1::BatchEvaluateRequest& request,
    const std::function<void(const v1::BatchEvaluateResponse&)>& on_verdict) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + options_.call_timeout));
  const auto reader = planning_->BatchEvaluate(&context, request);
  v1::BatchEvaluateResponse response;
  while (reader->Read(&response)) on_verdict(response);
  return FromGrpc(reader->Finish());
}

absl::StatusOr<v1::PlanEvacuationResponse> VufClient::PlanEvacuation(
    const v1::PlanEvacuationRequest& request) {
  return Call(*planning_, &v1::PlanningService::StubInterface::PlanEvacuation, request,
              Repeat::kSafe, options_);
}

}  // namespace vuf
