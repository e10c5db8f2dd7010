// Policies and acknowledgements as text.
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/render.h"

namespace vuf::cli {
namespace {

void AddLabels(const char* what, const google::protobuf::Map<std::string, std::string>& labels,
               std::vector<std::string>& out) {
  // A map of protobuf has no order of its own.
  const std::map<std::string, std::string> ordered(labels.begin(), labels.end());
  for (const auto& [key, value] : ordered) out.push_back(absl::StrCat(what, key, "=", value));
}

std::string SelectorText(const v1::PolicySelector& selector) {
  std::vector<std::string> terms;
  for (const std::string& vm : selector.vms()) terms.push_back(ShortName(vm));
  AddLabels("", selector.vm_labels(), terms);
  AddLabels("endpoint ", selector.endpoint_labels(), terms);
  for (const std::string& kind : selector.back_end_kinds()) terms.push_back(kind);
  if (!selector.back_end_min_version().empty()) {
    terms.push_back(absl::StrCat("version >= ", selector.back_end_min_version()));
  }
  if (!selector.back_end_version_limit().empty()) {
    terms.push_back(absl::StrCat("version < ", selector.back_end_version_limit()));
  }
  return terms.empty() ? "everything" : Printable(absl::StrJoin(terms, ", "));
}

std::string SetText(const v1::ModeSet& set) {
  std::vector<std::string> modes;
  for (const int mode : set.modes())
    modes.push_back(ModeText(static_cast<v1::MigrationMode>(mode)));
  return modes.empty() ? "no mode" : absl::StrJoin(modes, "+");
}

// In one line; `policies get` shows all of it.
std::string SettingsText(const v1::MigrationPolicy& policy) {
  std::vector<std::string> settings;
  if (policy.has_hold()) {
    settings.push_back(
        absl::StrCat("HOLD by ", policy.hold().holder(),
                     policy.hold().has_expire_time()
                         ? absl::StrCat(" until ", TimeText(policy.hold().expire_time()))
                         : "",
                     ": ", policy.hold().reason()));
  }
  if (policy.has_allowed_modes()) settings.push_back(SetText(policy.allowed_modes()));
  if (policy.has_allowed_scopes()) {
    settings.push_back(absl::StrCat(policy.allowed_scopes().scopes_size(), " scope(s)"));
  }
  if (policy.max_bandwidth_bytes_per_second() > 0) {
    settings.push_back(absl::StrCat(SizeText(policy.max_bandwidth_bytes_per_second()), "/s"));
  }
  if (policy.has_max_downtime()) {
    settings.push_back(absl::StrCat("downtime ", DurationText(policy.max_downtime())));
  }
  if (policy.has_max_timeout()) {
    settings.push_back(absl::StrCat("time-out ", DurationText(policy.max_timeout())));
  }
  if (policy.max_concurrent() > 0) {
    settings.push_back(absl::StrCat("at most ", policy.max_concurrent(), " at a time"));
  }
  const auto count = [&settings](int number, const char* what) {
    if (number > 0) settings.push_back(absl::StrCat(number, what));
  };
  count(policy.convergence_size(), " convergence step(s)");
  count(policy.windows_size(), " window(s)");
  count(policy.warning_overrides_size(), " warning override(s)");
  return Printable(absl::StrJoin(settings, ", "));
}

std::string KindText(const v1::MigrationPolicy& policy) {
  if (policy.enforcement() != v1::ENFORCEMENT_SHADOW) {
    if (policy.from_file()) return "file";
    return policy.shipped() ? "shipped" : "-";
  }
  return policy.replaces().empty() ? "shadow"
                                   : absl::StrCat("shadow of ", ShortName(policy.replaces()));
}

void AddSettings(const google::protobuf::RepeatedPtrField<v1::EffectiveSetting>& settings,
                 std::string& text) {
  TextTable table({"SETTING", "DEVICE", "VALUE", "DECIDED BY"});
  for (const v1::EffectiveSetting& setting : settings) {
    table.AddRow({Printable(setting.setting()), OrDash(setting.device()),
                  Printable(setting.value()), Printable(setting.decided_by())});
  }
  absl::StrAppend(&text, table.ToString());
}

}  // namespace

std::string PoliciesText(const v1::ListMigrationPoliciesResponse& policies) {
  TextTable table({"POLICY", "PRIORITY", "REVISION", "KIND", "ABOUT", "SETTINGS"});
  for (const v1::MigrationPolicy& policy : policies.migration_policies()) {
    table.AddRow({ShortName(policy.name()), absl::StrCat(policy.priority()),
                  absl::StrCat(policy.revision()), KindText(policy),
                  SelectorText(policy.selector()), SettingsText(policy)});
  }
  return policies.migration_policies().empty() ? "There is no policy.\n" : table.ToString();
}

std::string PolicyRevisionsText(const v1::ListMigrationPolicyRevisionsResponse& revisions) {
  TextTable table({"REVISION", "SINCE", "ABOUT", "SETTINGS"});
  for (const v1::MigrationPolicy& policy : revisions.migration_policies()) {
    table.AddRow({absl::StrCat(policy.revision()), OrDash(TimeText(policy.update_time())),
                  SelectorText(policy.selector()), SettingsText(policy)});
  }
  return table.ToString();
}

std::string ExplainPolicyText(const v1::ExplainPolicyResponse& explained) {
  std::string text =
      absl::StrCat("Policies that match, the first ones prevail: ",
                   OrDash(absl::StrJoin(explained.matching_policies(), ", ")), "\n\n");
  AddSettings(explained.settings(), text);
  if (!explained.shadow_settings().empty()) {
    absl::StrAppend(&text, "\nWith the shadow policies in force:\n\n");
    AddSettings(explained.shadow_settings(), text);
  }
  if (!explained.observe_error().empty()) {
    absl::StrAppend(&text, "\nThe VM's devices could not be looked at: ",
                    Printable(explained.observe_error()), "\n");
  }
  return text;
}

std::string AcknowledgementsText(const v1::ListAcknowledgementsResponse& acknowledgements) {
  if (acknowledgements.acknowledgements().empty()) return "Nothing is acknowledged.\n";
  TextTable table({"ACKNOWLEDGEMENT", "VM", "CODE", "DEVICE", "AUTHOR", "UNTIL", "REASON"});
  for (const v1::Acknowledgement& one : acknowledgements.acknowledgements()) {
    table.AddRow({ShortName(one.name()), ShortName(one.vm()), Printable(one.code()),
                  OrDash(one.device()), Printable(one.author()), TimeText(one.expire_time()),
                  Printable(one.reason())});
  }
  return table.ToString();
}

}  // namespace vuf::cli
