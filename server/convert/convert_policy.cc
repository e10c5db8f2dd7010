#include "server/convert/convert_policy.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/convert/convert.h"

namespace vuf {
namespace {

absl::Status Invalid(const std::string& field, const std::string& value, const char* allowed) {
  return absl::InvalidArgumentError(
      absl::StrCat("migration_policy.", field, ": \"", value, "\"; expected ", allowed));
}

absl::StatusOr<std::optional<Version>> VersionFrom(const char* field, const std::string& value) {
  if (value.empty()) return std::nullopt;
  const std::optional<Version> version = Version::Parse(value);
  if (version.has_value()) return version;
  return Invalid(absl::StrCat("selector.", field), value,
                 "a version such as \"1.13\" or \"1.13.2\"");
}

absl::StatusOr<Selector> SelectorFrom(const v1::PolicySelector& from) {
  Selector selector;
  selector.vms.insert(from.vms().begin(), from.vms().end());
  selector.vm_labels.insert(from.vm_labels().begin(), from.vm_labels().end());
  selector.endpoint_labels.insert(from.endpoint_labels().begin(), from.endpoint_labels().end());
  selector.back_end_kinds.insert(from.back_end_kinds().begin(), from.back_end_kinds().end());
  absl::StatusOr<std::optional<Version>> version =
      VersionFrom("back_end_min_version", from.back_end_min_version());
  if (!version.ok()) return version.status();
  selector.back_end_min_version = *version;
  version = VersionFrom("back_end_version_limit", from.back_end_version_limit());
  if (!version.ok()) return version.status();
  selector.back_end_version_limit = *version;
  return selector;
}

absl::StatusOr<absl::Duration> TimeOfDay(const std::string& field, const std::string& value) {
  int hours = 0;
  int minutes = 0;
  if (value.size() != 5 || value[2] != ':' || !absl::SimpleAtoi(value.substr(0, 2), &hours) ||
      !absl::SimpleAtoi(value.substr(3), &minutes) || hours < 0 || hours > 23 || minutes < 0 ||
      minutes > 59) {
    return Invalid(field, value, "a time of day from \"00:00\" to \"23:59\"");
  }
  return absl::Hours(hours) + absl::Minutes(minutes);
}

absl::StatusOr<Window> WindowFrom(int index, const v1::MigrationWindow& from) {
  const std::string field = absl::StrCat("windows[", index, "]");
  Window window;
  window.days.insert(from.days().begin(), from.days().end());
  const absl::StatusOr<absl::Duration> start =
      TimeOfDay(absl::StrCat(field, ".start"), from.start());
  if (!start.ok()) return start.status();
  window.start = *start;
  window.duration = FromProto(from.duration());
  if (!from.time_zone().empty() && !absl::LoadTimeZone(from.time_zone(), &window.zone)) {
    return Invalid(absl::StrCat(field, ".time_zone"), from.time_zone(),
                   "a time zone that this host knows, such as \"Europe/Berlin\"");
  }
  return window;
}

PolicyHold HoldFrom(const v1::Hold& from) {
  PolicyHold hold;
  hold.holder = from.holder();
  hold.reason = from.reason();
  if (from.has_expire_time()) hold.until = FromProto(from.expire_time());
  return hold;
}

std::vector<ConvergenceStep> StepsFrom(const v1::MigrationPolicy& from) {
  std::vector<ConvergenceStep> steps;
  for (const v1::ConvergenceStep& step : from.convergence()) {
    steps.push_back({FromProto(step.after()), std::nullopt, std::nullopt});
    if (step.has_downtime_limit()) steps.back().downtime_limit = FromProto(step.downtime_limit());
    if (step.has_throttle_percent()) steps.back().throttle_percent = step.throttle_percent();
  }
  return steps;
}

void TakeSettings(const v1::MigrationPolicy& from, Policy& policy) {
  if (from.has_allowed_modes()) {
    ModesAllowed& modes = policy.modes.emplace();
    for (const int mode : from.allowed_modes().modes()) {
      modes.stateless = modes.stateless || mode == v1::MIGRATION_MODE_STATELESS;
      modes.stateful = modes.stateful || mode == v1::MIGRATION_MODE_STATEFUL;
    }
  }
  if (from.has_allowed_scopes()) {
    const auto& scopes = from.allowed_scopes().scopes();
    const auto has = [&](int scope) {
      return std::find(scopes.begin(), scopes.end(), scope) != scopes.end();
    };
    policy.same_host = has(v1::MIGRATION_SCOPE_SAME_HOST);
    policy.other_host = has(v1::MIGRATION_SCOPE_OTHER_HOST);
  }
  if (from.max_bandwidth_bytes_per_second() > 0) {
    policy.max_bandwidth = from.max_bandwidth_bytes_per_second();
  }
  if (from.has_max_downtime()) policy.max_downtime = FromProto(from.max_downtime());
  if (from.has_max_timeout()) policy.max_timeout = FromProto(from.max_timeout());
  policy.convergence = StepsFrom(from);
  policy.max_concurrent = from.max_concurrent();
  if (from.has_hold()) policy.hold = HoldFrom(from.hold());
  for (const v1::WarningOverride& ruling : from.warning_overrides()) {
    // Anything but HIDE is the careful one.
    policy.warnings.push_back(
        {ruling.code(), ruling.action() != v1::WarningOverride::ACTION_HIDE, ""});
  }
}

}  // namespace

absl::StatusOr<Policy> PolicyFromProto(const v1::MigrationPolicy& from) {
  Policy policy;
  policy.name = from.name();
  policy.revision = from.revision();
  policy.priority = from.priority();
  absl::StatusOr<Selector> selector = SelectorFrom(from.selector());
  if (!selector.ok()) return selector.status();
  policy.selector = *std::move(selector);
  for (int i = 0; i < from.windows_size(); ++i) {
    absl::StatusOr<Window> window = WindowFrom(i, from.windows(i));
    if (!window.ok()) return window.status();
    policy.windows.push_back(*std::move(window));
  }
  TakeSettings(from, policy);
  policy.shadow = from.enforcement() == v1::ENFORCEMENT_SHADOW;
  policy.replaces = from.replaces();
  return policy;
}

Accepted AcceptedFromProto(const v1::Acknowledgement& from) {
  return {from.name(),   from.code(),   from.device(),
          from.author(), from.reason(), FromProto(from.expire_time())};
}

}  // namespace vuf
