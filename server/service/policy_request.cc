#include "server/service/policy_request.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/convert/convert.h"
#include "server/convert/convert_policy.h"
#include "server/decision/rule.h"
#include "server/policy/kind_name.h"
#include "server/service/validate.h"

namespace vuf {
namespace {

constexpr int kMaxListed = 64;
constexpr int kMaxWindows = 16;
constexpr int kMaxSteps = 16;
constexpr int kMaxPriority = 1000;
constexpr absl::Duration kMaxTimeout = absl::Hours(24);
constexpr absl::Duration kMinDowntime = absl::Milliseconds(1);
constexpr absl::Duration kMaxDowntime = absl::Seconds(2000);
constexpr absl::Duration kLongestAcknowledgement = absl::Hours(30 * 24);

const Rule* FindRule(const std::string& code) {
  const absl::Span<const RegisteredRule> rules = AllRules();
  const auto it = std::find_if(rules.begin(), rules.end(),
                               [&](const RegisteredRule& rule) { return code == rule.code; });
  return it == rules.end() ? nullptr : it->rule;
}

absl::Status CheckCount(const std::string& field, int count, int most) {
  if (count <= most) return absl::OkStatus();
  return InvalidField(field, absl::StrCat(count, " entries"), absl::StrCat("at most ", most));
}

absl::Status CheckSelector(const v1::PolicySelector& selector) {
  const std::string field = "migration_policy.selector";
  absl::Status status = CheckCount(field + ".vms", selector.vms_size(), kMaxListed);
  for (int i = 0; status.ok() && i < selector.vms_size(); ++i) {
    status = CheckName(absl::StrCat(field, ".vms[", i, "]"), "vms", selector.vms(i));
  }
  if (status.ok()) status = CheckLabels(field + ".vm_labels", selector.vm_labels());
  if (status.ok()) status = CheckLabels(field + ".endpoint_labels", selector.endpoint_labels());
  for (int i = 0; status.ok() && i < selector.back_end_kinds_size(); ++i) {
    const std::string& kind = selector.back_end_kinds(i);
    if (std::find(std::begin(kKindNames), std::end(kKindNames), kind) != std::end(kKindNames)) {
      continue;
    }
    status = InvalidField(absl::StrCat(field, ".back_end_kinds[", i, "]"), kind,
                          absl::StrCat("one of ", absl::StrJoin(kKindNames, ", ")));
  }
  return status;
}

absl::Status CheckModesAndScopes(const v1::MigrationPolicy& policy) {
  for (const int mode : policy.allowed_modes().modes()) {
    if (mode == v1::MIGRATION_MODE_STATELESS || mode == v1::MIGRATION_MODE_STATEFUL) continue;
    return InvalidField("migration_policy.allowed_modes.modes", absl::StrCat(mode),
                        "MIGRATION_MODE_STATELESS and MIGRATION_MODE_STATEFUL, or an empty list");
  }
  for (const int scope : policy.allowed_scopes().scopes()) {
    if (scope == v1::MIGRATION_SCOPE_SAME_HOST || scope == v1::MIGRATION_SCOPE_OTHER_HOST) continue;
    return InvalidField(
        "migration_policy.allowed_scopes.scopes", absl::StrCat(scope),
        "MIGRATION_SCOPE_SAME_HOST and MIGRATION_SCOPE_OTHER_HOST, or an empty list");
  }
  return absl::OkStatus();
}

absl::Status CheckSteps(const v1::MigrationPolicy& policy) {
  absl::Status status =
      CheckCount("migration_policy.convergence", policy.convergence_size(), kMaxSteps);
  absl::Duration earliest = absl::Seconds(1);
  for (int i = 0; status.ok() && i < policy.convergence_size(); ++i) {
    const v1::ConvergenceStep& step = policy.convergence(i);
    const std::string field = absl::StrCat("migration_policy.convergence[", i, "]");
    status = CheckDuration(field + ".after", step.after(), earliest, kMaxTimeout);
    earliest = FromProto(step.after());
    if (!status.ok()) break;
    if (step.has_downtime_limit()) {
      status = CheckDuration(field + ".downtime_limit", step.downtime_limit(), kMinDowntime,
                             kMaxDowntime);
    } else if (step.has_throttle_percent()) {
      if (step.throttle_percent() < 1 || step.throttle_percent() > 99) {
        status = InvalidField(field + ".throttle_percent", absl::StrCat(step.throttle_percent()),
                              "1 to 99");
      }
    } else if (!step.cancel()) {
      status = absl::InvalidArgumentError(absl::StrCat(
          field,
          ": an action is required; expected .downtime_limit, .throttle_percent or .cancel=true"));
    } else if (i + 1 < policy.convergence_size()) {
      status = InvalidField(field + ".cancel", "true", "only in the last step");
    }
  }
  return status;
}

absl::Status CheckWindows(const v1::MigrationPolicy& policy) {
  absl::Status status = CheckCount("migration_policy.windows", policy.windows_size(), kMaxWindows);
  for (int i = 0; status.ok() && i < policy.windows_size(); ++i) {
    const v1::MigrationWindow& window = policy.windows(i);
    const std::string field = absl::StrCat("migration_policy.windows[", i, "]");
    status = CheckDuration(field + ".duration", window.duration(), absl::Minutes(1),
                           absl::Hours(7 * 24));
    for (const int day : window.days()) {
      if (!status.ok() || (day >= 1 && day <= 7)) continue;
      status = InvalidField(field + ".days", absl::StrCat(day), "1 (Monday) to 7 (Sunday)");
    }
  }
  return status;
}

absl::Status CheckHold(const v1::MigrationPolicy& policy) {
  if (!policy.has_hold()) return absl::OkStatus();
  absl::Status status =
      CheckText("migration_policy.hold.holder", policy.hold().holder(), 255, true);
  if (!status.ok()) return status;
  return CheckText("migration_policy.hold.reason", policy.hold().reason(), 1024, true);
}

absl::Status CheckOverrides(const v1::MigrationPolicy& policy) {
  absl::Status status =
      CheckCount("migration_policy.warning_overrides", policy.warning_overrides_size(), kMaxListed);
  std::set<std::string> seen;
  for (int i = 0; status.ok() && i < policy.warning_overrides_size(); ++i) {
    const v1::WarningOverride& one = policy.warning_overrides(i);
    const std::string field = absl::StrCat("migration_policy.warning_overrides[", i, "]");
    const Rule* const rule = FindRule(one.code());
    if (rule == nullptr || rule->severity != Severity::kWarning) {
      status = InvalidField(field + ".code", one.code(),
                            "the code of a warning (docs/reasons.md); a blocker needs an "
                            "acknowledgement");
    } else if (one.action() != v1::WarningOverride::ACTION_REFUSE &&
               one.action() != v1::WarningOverride::ACTION_HIDE) {
      status = InvalidField(field + ".action", absl::StrCat(static_cast<int>(one.action())),
                            "ACTION_REFUSE or ACTION_HIDE");
    } else if (!seen.insert(one.code()).second) {
      status = InvalidField(field + ".code", one.code(), "each code once");
    }
  }
  return status;
}

absl::Status CheckShadow(const v1::MigrationPolicy& policy) {
  if (!v1::Enforcement_IsValid(policy.enforcement())) {
    return InvalidField("migration_policy.enforcement",
                        absl::StrCat(static_cast<int>(policy.enforcement())),
                        "ENFORCEMENT_ENFORCE or ENFORCEMENT_SHADOW");
  }
  if (policy.replaces().empty()) return absl::OkStatus();
  if (policy.enforcement() != v1::ENFORCEMENT_SHADOW) {
    return InvalidField("migration_policy.replaces", policy.replaces(),
                        "nothing unless enforcement is ENFORCEMENT_SHADOW");
  }
  return CheckName("migration_policy.replaces", "migrationPolicies", policy.replaces());
}

absl::Status CheckSettings(const v1::MigrationPolicy& policy) {
  absl::Status status;
  if (policy.has_max_downtime()) {
    status = CheckDuration("migration_policy.max_downtime", policy.max_downtime(), kMinDowntime,
                           kMaxDowntime);
  }
  if (status.ok() && policy.has_max_timeout()) {
    status = CheckDuration("migration_policy.max_timeout", policy.max_timeout(), absl::Seconds(1),
                           kMaxTimeout);
  }
  if (status.ok()) status = CheckModesAndScopes(policy);
  if (status.ok()) status = CheckSteps(policy);
  if (status.ok()) status = CheckWindows(policy);
  if (status.ok()) status = CheckHold(policy);
  if (status.ok()) status = CheckOverrides(policy);
  return status;
}

bool SaysSomething(const v1::MigrationPolicy& policy) {
  return policy.has_allowed_modes() || policy.has_allowed_scopes() ||
         policy.max_bandwidth_bytes_per_second() > 0 || policy.has_max_downtime() ||
         policy.has_max_timeout() || !policy.convergence().empty() || policy.max_concurrent() > 0 ||
         !policy.windows().empty() || policy.has_hold() || !policy.warning_overrides().empty();
}

}  // namespace

absl::Status CheckPolicy(const v1::MigrationPolicy& policy) {
  absl::Status status = CheckText("migration_policy.description", policy.description(), 1024);
  if (status.ok() && (policy.priority() < 1 || policy.priority() > kMaxPriority)) {
    status = InvalidField("migration_policy.priority", absl::StrCat(policy.priority()),
                          absl::StrCat("1 to ", kMaxPriority));
  }
  if (status.ok() && !SaysSomething(policy)) {
    status = absl::InvalidArgumentError(
        "migration_policy: it has no setting; expected at least one, such as allowed_modes");
  }
  if (status.ok()) status = CheckSelector(policy.selector());
  if (status.ok()) status = CheckSettings(policy);
  if (status.ok()) status = CheckShadow(policy);
  // What only the host can tell: time zones, and the form of versions and times.
  return status.ok() ? PolicyFromProto(policy).status() : status;
}

absl::Status CheckAcknowledgement(const v1::Acknowledgement& acknowledgement, absl::Time now) {
  absl::Status status = CheckName("acknowledgement.vm", "vms", acknowledgement.vm());
  if (status.ok())
    status = CheckText("acknowledgement.author", acknowledgement.author(), 255, true);
  if (status.ok()) {
    status = CheckText("acknowledgement.reason", acknowledgement.reason(), 1024, true);
  }
  if (status.ok()) status = CheckText("acknowledgement.device", acknowledgement.device(), 255);
  if (!status.ok()) return status;
  const absl::Time until = FromProto(acknowledgement.expire_time());
  if (until <= now || until > now + kLongestAcknowledgement) {
    return InvalidField("acknowledgement.expire_time",
                        acknowledgement.has_expire_time() ? absl::FormatTime(until) : "",
                        "a time in the future, at most 30 days ahead");
  }
  const Rule* const rule = FindRule(acknowledgement.code());
  if (rule == nullptr || rule->severity == Severity::kWarning) {
    return InvalidField("acknowledgement.code", acknowledgement.code(),
                        "the code of a blocker (docs/reasons.md)");
  }
  if (rule->acknowledgeable) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("acknowledgement.code: ", acknowledgement.code(),
                   " cannot be acknowledged: ", rule->cause, " ", rule->remedy));
}

}  // namespace vuf
