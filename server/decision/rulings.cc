#include "server/decision/rulings.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/model/utc_text.h"

namespace vuf {
namespace {

const WarningRuling* AboutWarning(const EffectivePolicy& policy, const Report::Entry& entry) {
  if (entry.rule.rule->severity != Severity::kWarning) return nullptr;
  const auto it = std::find_if(policy.warnings.begin(), policy.warnings.end(),
                               [&](const auto& one) { return one.code == entry.rule.code; });
  return it == policy.warnings.end() ? nullptr : &*it;
}

const Accepted* AcceptedBy(const EffectivePolicy& policy, const Report::Entry& entry) {
  if (!entry.rule.rule->acknowledgeable) return nullptr;
  const auto it =
      std::find_if(policy.accepted.begin(), policy.accepted.end(), [&](const auto& one) {
        return one.code == entry.rule.code &&
               (one.device.empty() || one.device == entry.subject.name);
      });
  return it == policy.accepted.end() ? nullptr : &*it;
}

}  // namespace

Ruling RulingOn(const std::optional<EffectivePolicy>& policy, bool source_is_record,
                const Report::Entry& entry) {
  Ruling ruling;
  ruling.severity = entry.rule.rule->severity;
  if (!policy.has_value()) return ruling;
  if (const WarningRuling* const about = AboutWarning(*policy, entry); about != nullptr) {
    ruling.hidden = !about->refuse;
    if (!source_is_record) {
      ruling.severity = Severity::kBlocker;
      ruling.refused_by = about;
    }
  }
  ruling.accepted_by = AcceptedBy(*policy, entry);
  if (ruling.accepted_by != nullptr) ruling.severity = Severity::kWarning;
  return ruling;
}

std::string MessageOf(const Report::Entry& entry, const Ruling& ruling) {
  std::string message = entry.message;
  if (ruling.refused_by != nullptr) {
    absl::StrAppend(&message, " A warning as a rule; ", ruling.refused_by->decided_by,
                    " refuses it.");
  }
  if (const Accepted* const accepted = ruling.accepted_by; accepted != nullptr) {
    absl::StrAppend(&message, " Accepted by ", accepted->author, " until ",
                    UtcText(accepted->until), " (", accepted->name, "): ", accepted->reason, ".");
  }
  return message;
}

}  // namespace vuf
