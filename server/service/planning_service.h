// The gRPC shell of batches of verdicts and of evacuation plans.
#ifndef VUFD_SERVER_SERVICE_PLANNING_SERVICE_H_
#define VUFD_SERVER_SERVICE_PLANNING_SERVICE_H_

#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/service/deps.h"
#include "vuf/v1/planning.grpc.pb.h"

namespace vuf {

class PlanningServiceShell final
    : public v1::PlanningService::WithRawCallbackMethod_BatchEvaluate<
          v1::PlanningService::WithRawCallbackMethod_PlanEvacuation<v1::PlanningService::Service>> {
 public:
  explicit PlanningServiceShell(ServiceDeps deps) : deps_(std::move(deps)) {}

  grpc::ServerWriteReactor<grpc::ByteBuffer>* BatchEvaluate(grpc::CallbackServerContext* context,
                                                            const grpc::ByteBuffer* in) override;
  grpc::ServerUnaryReactor* PlanEvacuation(grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* in,
                                           grpc::ByteBuffer* out) override;

 private:
  absl::StatusOr<v1::PlanEvacuationResponse> Plan(const v1::PlanEvacuationRequest& request,
                                                  absl::Time deadline);

  const ServiceDeps deps_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_PLANNING_SERVICE_H_
