#include "server/security/methods.h"

#include <map>

namespace vuf {
namespace {

using config::v1::Role;
using config::v1::ROLE_EVALUATOR;
using config::v1::ROLE_OPERATOR;
using config::v1::ROLE_PEER;
using config::v1::ROLE_POLICY_ADMIN;
using config::v1::ROLE_VIEWER;

constexpr MethodRule Open(absl::string_view method) {
  MethodRule rule{method};
  rule.open = true;
  return rule;
}

constexpr MethodRule Reads(absl::string_view method, Role role = ROLE_VIEWER) {
  return MethodRule{method, role};
}

constexpr MethodRule Changes(absl::string_view method, Role role, absl::string_view resource) {
  MethodRule rule{method, role};
  rule.changes = true;
  rule.resource = resource;
  return rule;
}

constexpr MethodRule Essential(MethodRule rule) {
  rule.essential = true;
  return rule;
}

}  // namespace

const std::vector<MethodRule>& MethodRules() {
  static const auto* const rules = new std::vector<MethodRule>{
      Open("grpc.health.v1.Health/Check"),
      Open("grpc.health.v1.Health/Watch"),
      Reads("grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"),

      Changes("vuf.v1.VmService/RegisterVm", ROLE_OPERATOR, "vm.qmp_socket"),
      Reads("vuf.v1.VmService/GetVm"),
      Reads("vuf.v1.VmService/ListVms"),
      Changes("vuf.v1.VmService/RemoveVm", ROLE_OPERATOR, "name"),
      // It registers what it finds.
      Changes("vuf.v1.VmService/DiscoverVms", ROLE_OPERATOR, "socket_glob"),

      Changes("vuf.v1.EndpointService/CreateEndpoint", ROLE_OPERATOR, "endpoint_id"),
      Reads("vuf.v1.EndpointService/GetEndpoint"),
      Reads("vuf.v1.EndpointService/ListEndpoints"),
      Changes("vuf.v1.EndpointService/UpdateEndpoint", ROLE_OPERATOR, "endpoint.name"),
      Changes("vuf.v1.EndpointService/DeleteEndpoint", ROLE_OPERATOR, "name"),
      Reads("vuf.v1.EndpointService/WatchEndpoints"),

      Reads("vuf.v1.BackEndProfileService/GetBackEndProfile"),
      Reads("vuf.v1.BackEndProfileService/ListBackEndProfiles"),
      Changes("vuf.v1.BackEndProfileService/CreateBackEndProfile", ROLE_POLICY_ADMIN,
              "back_end_profile_id"),
      Changes("vuf.v1.BackEndProfileService/DeleteBackEndProfile", ROLE_POLICY_ADMIN, "name"),

      Reads("vuf.v1.MigrationService/EvaluateMigration", ROLE_EVALUATOR),
      Changes("vuf.v1.MigrationService/CreateMigration", ROLE_OPERATOR, "migration.vm"),
      Changes("vuf.v1.MigrationService/UpgradeVm", ROLE_OPERATOR, "vm"),
      Reads("vuf.v1.MigrationService/GetMigration"),
      Reads("vuf.v1.MigrationService/ListMigrations"),
      Essential(Changes("vuf.v1.MigrationService/CancelMigration", ROLE_OPERATOR, "name")),
      Reads("vuf.v1.MigrationService/WatchMigration"),

      Reads("vuf.v1.PlanningService/BatchEvaluate", ROLE_EVALUATOR),
      Reads("vuf.v1.PlanningService/PlanEvacuation", ROLE_EVALUATOR),

      Reads("vuf.v1.DecisionService/GetDecision"),
      Reads("vuf.v1.DecisionService/ListDecisions"),

      Reads("vuf.v1.MigrationPolicyService/GetMigrationPolicy"),
      Reads("vuf.v1.MigrationPolicyService/ListMigrationPolicies"),
      Changes("vuf.v1.MigrationPolicyService/CreateMigrationPolicy", ROLE_POLICY_ADMIN,
              "migration_policy_id"),
      Changes("vuf.v1.MigrationPolicyService/UpdateMigrationPolicy", ROLE_POLICY_ADMIN,
              "migration_policy.name"),
      Changes("vuf.v1.MigrationPolicyService/DeleteMigrationPolicy", ROLE_POLICY_ADMIN, "name"),
      Reads("vuf.v1.MigrationPolicyService/ListMigrationPolicyRevisions"),
      Reads("vuf.v1.MigrationPolicyService/ExplainPolicy"),
      Changes("vuf.v1.MigrationPolicyService/CreateAcknowledgement", ROLE_POLICY_ADMIN,
              "acknowledgement.vm"),
      Reads("vuf.v1.MigrationPolicyService/ListAcknowledgements"),
      Changes("vuf.v1.MigrationPolicyService/DeleteAcknowledgement", ROLE_POLICY_ADMIN, "name"),

      Reads("vuf.v1.PeerService/JudgeIncoming", ROLE_PEER),
      Changes("vuf.v1.PeerService/Reserve", ROLE_PEER, "incoming.vm"),
      Changes("vuf.v1.PeerService/OpenStream", ROLE_PEER, "name"),
      Essential(Reads("vuf.v1.PeerService/RenewReservation", ROLE_PEER)),
      Essential(Reads("vuf.v1.PeerService/RecheckReservation", ROLE_PEER)),
      Essential(Changes("vuf.v1.PeerService/PromiseReservation", ROLE_PEER, "name")),
      Essential(Changes("vuf.v1.PeerService/CommitReservation", ROLE_PEER, "name")),
      Essential(Changes("vuf.v1.PeerService/AbortReservation", ROLE_PEER, "name")),
      Essential(Reads("vuf.v1.PeerService/QueryOutcome", ROLE_PEER)),
      Reads("vuf.v1.PeerService/ListReservations"),
  };
  return *rules;
}

const MethodRule* FindMethodRule(absl::string_view method) {
  static const auto* const by_name = [] {
    auto* rules = new std::map<absl::string_view, const MethodRule*>;
    for (const MethodRule& rule : MethodRules()) rules->emplace(rule.method, &rule);
    return rules;
  }();
  const auto found = by_name->find(method);
  return found == by_name->end() ? nullptr : found->second;
}

}  // namespace vuf
