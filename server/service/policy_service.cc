#include "server/service/policy_service.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "server/convert/convert_policy.h"
#include "server/migration/policy_subject.h"
#include "server/registry/request_key.h"
#include "server/service/actor.h"
#include "server/service/find_vm.h"
#include "server/service/paging.h"
#include "server/service/policy_request.h"
#include "server/service/validate.h"

namespace vuf {
namespace {

constexpr char kPolicies[] = "migrationPolicies";
constexpr char kAcknowledgements[] = "acknowledgements";

absl::Status NoPolicy(const std::string& name) {
  return absl::NotFoundError(absl::StrCat("name: there is no migration policy ", Quoted(name)));
}

}  // namespace

absl::StatusOr<v1::MigrationPolicy> PolicyServiceShell::Get(
    const v1::GetMigrationPolicyRequest& request) {
  const absl::Status checked = CheckName("name", kPolicies, request.name());
  if (!checked.ok()) return checked;
  const std::shared_ptr<const Registry::Snapshot> snapshot = deps_.registry->snapshot();
  const auto found = snapshot->policies.find(request.name());
  if (found == snapshot->policies.end()) return NoPolicy(request.name());
  if (request.revision() == 0 || request.revision() == found->second.revision()) {
    return found->second;
  }
  const auto earlier =
      snapshot->policy_revisions.find(Registry::RevisionKey(request.name(), request.revision()));
  if (earlier != snapshot->policy_revisions.end()) return earlier->second;
  return absl::NotFoundError(absl::StrCat("revision: there is no revision ", request.revision(),
                                          " of ", request.name(), "; the last 20 are kept, and ",
                                          found->second.revision(), " is in force"));
}

absl::StatusOr<v1::ListMigrationPoliciesResponse> PolicyServiceShell::List(
    const v1::ListMigrationPoliciesRequest& request) {
  absl::StatusOr<Page> page =
      Page::Begin("ListMigrationPolicies", request.page_size(), request.page_token());
  if (!page.ok()) return page.status();
  v1::ListMigrationPoliciesResponse response;
  const std::shared_ptr<const Registry::Snapshot> snapshot = deps_.registry->snapshot();
  for (const auto& [name, policy] : snapshot->policies) {
    if (page->Takes(name)) *response.add_migration_policies() = policy;
  }
  response.set_next_page_token(page->NextToken());
  return response;
}

absl::StatusOr<v1::MigrationPolicy> PolicyServiceShell::Create(
    const v1::CreateMigrationPolicyRequest& request, const std::string& actor,
    absl::Time deadline) {
  absl::Status checked = CheckId("migration_policy_id", request.migration_policy_id());
  if (checked.ok()) checked = CheckPolicy(request.migration_policy());
  if (checked.ok()) checked = CheckRequestId(request.request_id());
  if (!checked.ok()) return checked;
  v1::MigrationPolicy policy = request.migration_policy();
  policy.set_name(absl::StrCat(kPolicies, "/", request.migration_policy_id()));
  policy.set_actor(actor);
  return deps_.registry->CreatePolicy(
      std::move(policy), MakeRequestKey("MigrationPolicyService.CreateMigrationPolicy", request),
      deadline);
}

absl::StatusOr<v1::MigrationPolicy> PolicyServiceShell::Update(
    const v1::UpdateMigrationPolicyRequest& request, const std::string& actor,
    absl::Time deadline) {
  const v1::MigrationPolicy& next = request.migration_policy();
  absl::Status checked = CheckName("migration_policy.name", kPolicies, next.name());
  if (checked.ok()) checked = CheckPolicy(next);
  if (!checked.ok()) return checked;
  return deps_.registry->UpdatePolicy(
      next.name(),
      [&next, &actor](v1::MigrationPolicy& policy) {
        if (!next.etag().empty() && next.etag() != policy.etag()) {
          return absl::AbortedError(absl::StrCat("migration_policy.etag: ", Quoted(next.etag()),
                                                 " is not the present one (", Quoted(policy.etag()),
                                                 "): it was changed meanwhile; read it again"));
        }
        policy = next;
        policy.set_actor(actor);
        return absl::OkStatus();
      },
      deadline);
}

absl::StatusOr<v1::DeleteMigrationPolicyResponse> PolicyServiceShell::Delete(
    const v1::DeleteMigrationPolicyRequest& request, absl::Time deadline) {
  const absl::Status checked = CheckName("name", kPolicies, request.name());
  if (!checked.ok()) return checked;
  const absl::Status deleted =
      deps_.registry->DeletePolicy(request.name(), request.etag(), deadline);
  if (!deleted.ok()) return deleted;
  return v1::DeleteMigrationPolicyResponse();
}

absl::StatusOr<v1::ListMigrationPolicyRevisionsResponse> PolicyServiceShell::Revisions(
    const v1::ListMigrationPolicyRevisionsRequest& request) {
  const absl::Status checked = CheckName("name", kPolicies, request.name());
  if (!checked.ok()) return checked;
  const std::shared_ptr<const Registry::Snapshot> snapshot = deps_.registry->snapshot();
  const auto found = snapshot->policies.find(request.name());
  if (found == snapshot->policies.end()) return NoPolicy(request.name());
  v1::ListMigrationPolicyRevisionsResponse response;
  if (found->second.shipped()) *response.add_migration_policies() = found->second;
  const auto& all = snapshot->policy_revisions;
  auto it = all.upper_bound(Registry::RevisionKey(request.name(), UINT64_MAX));
  while (it != all.begin() && (--it)->second.name() == request.name()) {
    *response.add_migration_policies() = it->second;
  }
  return response;
}

absl::StatusOr<v1::ExplainPolicyResponse> PolicyServiceShell::Explain(
    const v1::ExplainPolicyRequest& request, absl::Time deadline) {
  const std::shared_ptr<const Registry::Snapshot> snapshot = deps_.registry->snapshot();
  const absl::StatusOr<const v1::Vm*> vm = FindVm(*snapshot, "vm", request.vm());
  if (!vm.ok()) return vm.status();
  GatherRequest gather;
  gather.vm = request.vm();
  gather.source_socket = (*vm)->qmp_socket();
  gather.running_migration = deps_.migrator->RunningMigrationOf(request.vm());
  Facts facts = deps_.gatherer->Gather(gather, deadline).facts;
  deps_.migrator->CountRunning(facts.policy.value->limits);
  v1::ExplainPolicyResponse response = ExplainMessage(*facts.policy.value);
  if (facts.shadow_policy.has_value()) {
    *response.mutable_shadow_settings() = ExplainMessage(*facts.shadow_policy).settings();
  }
  if (!facts.source.devices.known()) {
    response.set_observe_error(facts.source.monitor.known() ? facts.source.devices.detail
                                                            : facts.source.monitor.detail);
  }
  return response;
}

absl::StatusOr<v1::Acknowledgement> PolicyServiceShell::Acknowledge(
    const v1::CreateAcknowledgementRequest& request, const std::string& actor,
    absl::Time deadline) {
  absl::Status checked = CheckId("acknowledgement_id", request.acknowledgement_id());
  if (checked.ok()) checked = CheckAcknowledgement(request.acknowledgement(), deps_.clock->Now());
  if (checked.ok()) checked = CheckRequestId(request.request_id());
  if (!checked.ok()) return checked;
  v1::Acknowledgement acknowledgement = request.acknowledgement();
  acknowledgement.set_name(absl::StrCat(kAcknowledgements, "/", request.acknowledgement_id()));
  acknowledgement.set_actor(actor);
  return deps_.registry->CreateAcknowledgement(
      std::move(acknowledgement),
      MakeRequestKey("MigrationPolicyService.CreateAcknowledgement", request), deadline);
}

absl::StatusOr<v1::ListAcknowledgementsResponse> PolicyServiceShell::Acknowledgements(
    const v1::ListAcknowledgementsRequest& request) {
  absl::StatusOr<Page> page =
      Page::Begin("ListAcknowledgements", request.page_size(), request.page_token());
  if (!page.ok()) return page.status();
  v1::ListAcknowledgementsResponse response;
  const std::shared_ptr<const Registry::Snapshot> snapshot = deps_.registry->snapshot();
  for (const auto& [name, acknowledgement] : snapshot->acknowledgements) {
    if (page->Takes(name)) *response.add_acknowledgements() = acknowledgement;
  }
  response.set_next_page_token(page->NextToken());
  return response;
}

absl::StatusOr<v1::DeleteAcknowledgementResponse> PolicyServiceShell::Withdraw(
    const v1::DeleteAcknowledgementRequest& request, absl::Time deadline) {
  const absl::Status checked = CheckName("name", kAcknowledgements, request.name());
  if (!checked.ok()) return checked;
  const absl::Status deleted =
      deps_.registry->DeleteAcknowledgement(request.name(), request.etag(), deadline);
  if (!deleted.ok()) return deleted;
  return v1::DeleteAcknowledgementResponse();
}

// One method of the service: `METHOD`, answered by `HANDLER`.
#define VUFD_POLICY_METHOD(METHOD, REQUEST, RESPONSE, POOL, HANDLER)                             \
  grpc::ServerUnaryReactor* PolicyServiceShell::METHOD(                                          \
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* in, grpc::ByteBuffer* out) { \
    return deps_.calls->Unary<v1::REQUEST, v1::RESPONSE>(                                        \
        context, "MigrationPolicyService/" #METHOD, POOL, in, out,                               \
        [this, actor = ActorOf(*context)](const auto& request,                                   \
                                          [[maybe_unused]] absl::Time deadline) {                \
          (void)actor;                                                                           \
          return HANDLER;                                                                        \
        });                                                                                      \
  }

VUFD_POLICY_METHOD(GetMigrationPolicy, GetMigrationPolicyRequest, MigrationPolicy, nullptr,
                   Get(request))
VUFD_POLICY_METHOD(ListMigrationPolicies, ListMigrationPoliciesRequest,
                   ListMigrationPoliciesResponse, nullptr, List(request))
VUFD_POLICY_METHOD(CreateMigrationPolicy, CreateMigrationPolicyRequest, MigrationPolicy,
                   deps_.write_pool, Create(request, actor, deadline))
VUFD_POLICY_METHOD(UpdateMigrationPolicy, UpdateMigrationPolicyRequest, MigrationPolicy,
                   deps_.write_pool, Update(request, actor, deadline))
VUFD_POLICY_METHOD(DeleteMigrationPolicy, DeleteMigrationPolicyRequest,
                   DeleteMigrationPolicyResponse, deps_.write_pool, Delete(request, deadline))
VUFD_POLICY_METHOD(ListMigrationPolicyRevisions, ListMigrationPolicyRevisionsRequest,
                   ListMigrationPolicyRevisionsResponse, nullptr, Revisions(request))
VUFD_POLICY_METHOD(ExplainPolicy, ExplainPolicyRequest, ExplainPolicyResponse, deps_.monitor_pool,
                   Explain(request, deadline))
VUFD_POLICY_METHOD(CreateAcknowledgement, CreateAcknowledgementRequest, Acknowledgement,
                   deps_.write_pool, Acknowledge(request, actor, deadline))
VUFD_POLICY_METHOD(ListAcknowledgements, ListAcknowledgementsRequest, ListAcknowledgementsResponse,
                   nullptr, Acknowledgements(request))
VUFD_POLICY_METHOD(DeleteAcknowledgement, DeleteAcknowledgementRequest,
                   DeleteAcknowledgementResponse, deps_.write_pool, Withdraw(request, deadline))

#undef VUFD_POLICY_METHOD

}  // namespace vuf
