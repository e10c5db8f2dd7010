#include "server/registry/compile_policies.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/base/log.h"
#include "server/convert/convert_policy.h"

namespace vuf {
namespace {

Policy HoldInsteadOf(const v1::MigrationPolicy& policy, const absl::Status& why) {
  Log(LogLevel::kError, "a policy cannot be understood and holds migrations back",
      {{"policy", policy.name()}, {"error", why.ToString()}});
  v1::MigrationPolicy understood = policy;
  understood.clear_windows();
  understood.mutable_selector()->clear_back_end_min_version();
  understood.mutable_selector()->clear_back_end_version_limit();
  Policy hold = *PolicyFromProto(understood);
  hold.hold = PolicyHold{"", "vufd", absl::StrCat("it cannot be understood: ", why.message())};
  return hold;
}

}  // namespace

std::string Registry::RevisionKey(const std::string& policy, uint64_t revision) {
  return absl::StrFormat("%s@%020u", policy, revision);
}

v1::MigrationPolicy ShippedPolicy() {
  v1::MigrationPolicy policy;
  policy.set_name("migrationPolicies/default");
  policy.set_description("What holds where no other policy says anything");
  policy.mutable_allowed_modes()->add_modes(v1::MIGRATION_MODE_STATELESS);
  policy.mutable_allowed_modes()->add_modes(v1::MIGRATION_MODE_STATEFUL);
  policy.mutable_allowed_scopes()->add_scopes(v1::MIGRATION_SCOPE_SAME_HOST);
  policy.set_enforcement(v1::ENFORCEMENT_ENFORCE);
  policy.set_revision(1);
  policy.set_shipped(true);
  policy.set_etag("shipped");
  return policy;
}

std::shared_ptr<const PolicySet> CompilePolicies(const Registry::Snapshot& snapshot) {
  std::vector<Policy> policies;
  policies.reserve(snapshot.policies.size());
  for (const auto& [name, policy] : snapshot.policies) {
    absl::StatusOr<Policy> compiled = PolicyFromProto(policy);
    policies.push_back(compiled.ok() ? *std::move(compiled)
                                     : HoldInsteadOf(policy, compiled.status()));
  }
  std::vector<std::pair<std::string, Accepted>> accepted;
  for (const auto& [name, one] : snapshot.acknowledgements) {
    accepted.emplace_back(one.vm(), AcceptedFromProto(one));
  }
  return std::make_shared<const PolicySet>(std::move(policies), accepted);
}

bool ChangesPolicies(const std::vector<Change>& changes) {
  return std::any_of(changes.begin(), changes.end(), [](const Change& change) {
    return change.table == Table::kPolicies || change.table == Table::kAcknowledgements;
  });
}

}  // namespace vuf
