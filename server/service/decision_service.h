// The gRPC shell of the log of decisions.
#ifndef VUFD_SERVER_SERVICE_DECISION_SERVICE_H_
#define VUFD_SERVER_SERVICE_DECISION_SERVICE_H_

#include <utility>

#include "absl/status/statusor.h"
#include "server/service/deps.h"
#include "vuf/v1/decision.grpc.pb.h"

namespace vuf {

template <typename S>
using RawDecisionMethods = v1::DecisionService::WithRawCallbackMethod_GetDecision<
    v1::DecisionService::WithRawCallbackMethod_ListDecisions<S>>;

class DecisionServiceShell final : public RawDecisionMethods<v1::DecisionService::Service> {
 public:
  explicit DecisionServiceShell(ServiceDeps deps) : deps_(std::move(deps)) {}

  grpc::ServerUnaryReactor* GetDecision(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* in, grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* ListDecisions(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* in,
                                          grpc::ByteBuffer* out) override;

 private:
  absl::StatusOr<v1::DecisionRecord> Get(const v1::GetDecisionRequest& request);
  absl::StatusOr<v1::ListDecisionsResponse> List(const v1::ListDecisionsRequest& request);

  const ServiceDeps deps_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_DECISION_SERVICE_H_
