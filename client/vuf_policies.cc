// The methods of policies and acknowledgements.
#include "client/rpc.h"
#include "client/vuf_client.h"

namespace vuf {

using Policies = v1::MigrationPolicyService::StubInterface;

absl::StatusOr<v1::MigrationPolicy> VufClient::CreateMigrationPolicy(
    v1::CreateMigrationPolicyRequest request) {
  if (request.request_id().empty()) request.set_request_id(NewRequestId());
  return Call(*policies_, &Policies::CreateMigrationPolicy, request, Repeat::kSafe, options_);
}

absl::StatusOr<v1::MigrationPolicy> VufClient::GetMigrationPolicy(const std::string& name,
                                                                  uint64_t revision) {
  auto request = Named<v1::GetMigrationPolicyRequest>(name);
  request.set_revision(revision);
  return Call(*policies_, &Policies::GetMigrationPolicy, request, Repeat::kSafe, options_);
}

absl::StatusOr<v1::ListMigrationPoliciesResponse> VufClient::ListMigrationPolicies() {
  const auto fetch = [this](const std::string& token) {
    v1::ListMigrationPoliciesRequest request;
    request.set_page_size(kPageSize);
    request.set_page_token(token);
    return Call(*policies_, &Policies::ListMigrationPolicies, request, Repeat::kSafe, options_);
  };
  return AllPages<v1::ListMigrationPoliciesResponse>(fetch, [](const auto&) { return false; });
}

absl::StatusOr<v1::MigrationPolicy> VufClient::UpdateMigrationPolicy(
    const v1::UpdateMigrationPolicyRequest& request) {
  // The same update a second time changes nothing, unless an etag has become old by the first.
  const Repeat repeat = request.migration_policy().etag().empty() ? Repeat::kSafe : Repeat::kOnce;
  return Call(*policies_, &Policies::UpdateMigrationPolicy, request, repeat, options_);
}

absl::Status VufClient::DeleteMigrationPolicy(const v1::DeleteMigrationPolicyRequest& request) {
  return StatusOf(
      Call(*policies_, &Policies::DeleteMigrationPolicy, request, Repeat::kOnce, options_));
}

absl::StatusOr<v1::ListMigrationPolicyRevisionsResponse> VufClient::ListMigrationPolicyRevisions(
    const std::string& name) {
  return Call(*policies_, &Policies::ListMigrationPolicyRevisions,
              Named<v1::ListMigrationPolicyRevisionsRequest>(name), Repeat::kSafe, options_);
}

absl::StatusOr<v1::ExplainPolicyResponse> VufClient::ExplainPolicy(const std::string& vm) {
  v1::ExplainPolicyRequest request;
  request.set_vm(vm);
  return Call(*policies_, &Policies::ExplainPolicy, request, Repeat::kSafe, options_);
}

absl::StatusOr<v1::Acknowledgement> VufClient::CreateAcknowledgement(
    v1::CreateAcknowledgementRequest request) {
  if (request.request_id().empty()) request.set_request_id(NewRequestId());
  return Call(*policies_, &Policies::CreateAcknowledgement, request, Repeat::kSafe, options_);
}

absl::StatusOr<v1::ListAcknowledgementsResponse> VufClient::ListAcknowledgements() {
  const auto fetch = [this](const std::string& token) {
    v1::ListAcknowledgementsRequest request;
    request.set_page_size(kPageSize);
    request.set_page_token(token);
    return Call(*policies_, &Policies::ListAcknowledgements, request, Repeat::kSafe, options_);
  };
  return AllPages<v1::ListAcknowledgementsResponse>(fetch, [](const auto&) { return false; });
}

absl::Status VufClient::DeleteAcknowledgement(const v1::DeleteAcknowledgementRequest& request) {
  return StatusOf(
      Call(*policies_, &Policies::DeleteAcknowledgement, request, Repeat::kOnce, options_));
}

}  // namespace vuf
