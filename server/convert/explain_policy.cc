// What is in force, as text.
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/convert/convert.h"
#include "server/convert/convert_policy.h"
#include "server/model/utc_text.h"

namespace vuf {
namespace {

// One policy decides about both.
const char* ScopesText(const EffectivePolicy& policy) {
  const bool other_host = policy.other_host.value.value_or(false);
  if (policy.same_host.value.value_or(false))
    return other_host ? "SAME_HOST, OTHER_HOST" : "SAME_HOST";
  return other_host ? "OTHER_HOST" : "none";
}

class Settings {
 public:
  explicit Settings(v1::ExplainPolicyResponse& out) : out_(out) {}

  void Add(const char* setting, const std::string& device, const std::string& value,
           const std::string& decided_by) {
    v1::EffectiveSetting& added = *out_.add_settings();
    added.set_setting(setting);
    added.set_device(ValidUtf8(device));
    added.set_value(value);
    added.set_decided_by(decided_by);
  }
  template <typename T>
  void Add(const char* setting, const Setting<T>& value) {
    if (value.value.has_value()) Add(setting, "", Text(*value.value), value.decided_by);
  }

 private:
  static std::string Text(uint64_t value) { return absl::StrCat(value, " B/s"); }
  static std::string Text(absl::Duration value) { return absl::FormatDuration(value); }
  static std::string Text(const WindowState& window) {
    if (window.open) return "open now";
    if (!window.opens.has_value()) return "closed";
    return absl::StrCat("closed until ", UtcText(*window.opens));
  }
  static std::string Text(const ConvergenceStep& step) {
    if (step.downtime_limit.has_value()) {
      return absl::StrCat("downtime ", absl::FormatDuration(*step.downtime_limit));
    }
    if (step.throttle_percent.has_value()) {
      return absl::StrCat("throttle ", *step.throttle_percent, " %");
    }
    return "cancel";
  }
  static std::string Text(const std::vector<ConvergenceStep>& steps) {
    std::string text;
    for (const ConvergenceStep& step : steps) {
      absl::StrAppend(&text, text.empty() ? "" : ", ", "after ", absl::FormatDuration(step.after),
                      " ", Text(step));
    }
    return text;
  }

  v1::ExplainPolicyResponse& out_;
};

std::string Text(const ModesAllowed& modes) {
  if (modes.stateless) return modes.stateful ? "STATELESS, STATEFUL" : "STATELESS";
  return modes.stateful ? "STATEFUL" : "none";
}

std::string Until(std::optional<absl::Time> time) {
  if (!time.has_value()) return "until it is changed";
  return absl::StrCat("until ", UtcText(*time));
}

void AddRest(const EffectivePolicy& policy, Settings& settings) {
  for (const PolicyHold& hold : policy.holds) {
    settings.Add("hold", "", absl::StrCat(hold.holder, " ", Until(hold.until), ": ", hold.reason),
                 hold.policy);
  }
  for (const ConcurrencyLimit& limit : policy.limits) {
    settings.Add("max_concurrent", "",
                 absl::StrCat(limit.limit, " (", limit.running, " others are running)"),
                 limit.policy);
  }
  for (const WarningRuling& ruling : policy.warnings) {
    settings.Add("warning_overrides", "",
                 absl::StrCat(ruling.code, ruling.refuse ? " refuses" : " is hidden"),
                 ruling.decided_by);
  }
  for (const Accepted& one : policy.accepted) {
    settings.Add("acknowledgement", one.device,
                 absl::StrCat(one.code, " by ", one.author, " ", Until(one.until)), one.name);
  }
}

}  // namespace

v1::ExplainPolicyResponse ExplainMessage(const EffectivePolicy& policy) {
  v1::ExplainPolicyResponse out;
  for (const std::string& one : policy.matching) out.add_matching_policies(one);
  Settings settings(out);
  for (const DevicePolicy& device : policy.devices) {
    if (!device.modes.value.has_value()) continue;
    settings.Add("allowed_modes", device.device, Text(*device.modes.value),
                 device.modes.decided_by);
  }
  if (policy.same_host.value.has_value()) {
    settings.Add("allowed_scopes", "", ScopesText(policy), policy.same_host.decided_by);
  }
  settings.Add("max_bandwidth_bytes_per_second", policy.max_bandwidth);
  settings.Add("max_downtime", policy.max_downtime);
  settings.Add("max_timeout", policy.max_timeout);
  settings.Add("convergence", policy.convergence);
  settings.Add("windows", policy.window);
  AddRest(policy, settings);
  return out;
}

}  // namespace vuf
