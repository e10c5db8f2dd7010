// The gRPC shell of migration policies and acknowledgements.
#ifndef VUFD_SERVER_SERVICE_POLICY_SERVICE_H_
#define VUFD_SERVER_SERVICE_POLICY_SERVICE_H_

#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/service/deps.h"
#include "vuf/v1/policy.grpc.pb.h"

namespace vuf {

template <typename S>
using RawPolicyMethods = v1::MigrationPolicyService::WithRawCallbackMethod_GetMigrationPolicy<
    v1::MigrationPolicyService::WithRawCallbackMethod_ListMigrationPolicies<
        v1::MigrationPolicyService::WithRawCallbackMethod_CreateMigrationPolicy<
            v1::MigrationPolicyService::WithRawCallbackMethod_UpdateMigrationPolicy<
                v1::MigrationPolicyService::WithRawCallbackMethod_DeleteMigrationPolicy<
                    v1::MigrationPolicyService::WithRawCallbackMethod_ListMigrationPolicyRevisions<
                        v1::MigrationPolicyService::WithRawCallbackMethod_ExplainPolicy<S>>>>>>>;
template <typename S>
using RawAcknowledgementMethods =
    v1::MigrationPolicyService::WithRawCallbackMethod_CreateAcknowledgement<
        v1::MigrationPolicyService::WithRawCallbackMethod_ListAcknowledgements<
            v1::MigrationPolicyService::WithRawCallbackMethod_DeleteAcknowledgement<S>>>;

class PolicyServiceShell final
    : public RawPolicyMethods<RawAcknowledgementMethods<v1::MigrationPolicyService::Service>> {
 public:
  explicit PolicyServiceShell(ServiceDeps deps) : deps_(std::move(deps)) {}

  grpc::ServerUnaryReactor* GetMigrationPolicy(grpc::CallbackServerContext* context,
                                               const grpc::ByteBuffer* in,
                                               grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* ListMigrationPolicies(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* in,
                                                  grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* CreateMigrationPolicy(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* in,
                                                  grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* UpdateMigrationPolicy(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* in,
                                                  grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* DeleteMigrationPolicy(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* in,
                                                  grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* ListMigrationPolicyRevisions(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* in,
                                                         grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* ExplainPolicy(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* in,
                                          grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* CreateAcknowledgement(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* in,
                                                  grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* ListAcknowledgements(grpc::CallbackServerContext* context,
                                                 const grpc::ByteBuffer* in,
                                                 grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* DeleteAcknowledgement(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* in,
                                                  grpc::ByteBuffer* out) override;

 private:
  absl::StatusOr<v1::MigrationPolicy> Get(const v1::GetMigrationPolicyRequest& request);
  absl::StatusOr<v1::ListMigrationPoliciesResponse> List(
      const v1::ListMigrationPoliciesRequest& request);
  absl::StatusOr<v1::MigrationPolicy> Create(const v1::CreateMigrationPolicyRequest& request,
                                             const std::string& actor, absl::Time deadline);
  absl::StatusOr<v1::MigrationPolicy> Update(const v1::UpdateMigrationPolicyRequest& request,
                                             const std::string& actor, absl::Time deadline);
  absl::StatusOr<v1::DeleteMigrationPolicyResponse> Delete(
      const v1::DeleteMigrationPolicyRequest& request, absl::Time deadline);
  absl::StatusOr<v1::ListMigrationPolicyRevisionsResponse> Revisions(
      const v1::ListMigrationPolicyRevisionsRequest& request);
  absl::StatusOr<v1::ExplainPolicyResponse> Explain(const v1::ExplainPolicyRequest& request,
                                                    absl::Time deadline);
  absl::StatusOr<v1::Acknowledgement> Acknowledge(const v1::CreateAcknowledgementRequest& request,
                                                  const std::string& actor, absl::Time deadline);
  absl::StatusOr<v1::ListAcknowledgementsResponse> Acknowledgements(
      const v1::ListAcknowledgementsRequest& request);
  absl::StatusOr<v1::DeleteAcknowledgementResponse> Withdraw(
      const v1::DeleteAcknowledgementRequest& request, absl::Time deadline);

  const ServiceDeps deps_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_POLICY_SERVICE_H_
