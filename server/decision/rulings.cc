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

Ruling RulingOn(const EffectivePolicy& policy, bool source_is_record, const Report::Entry& entry) {
  Ruling ruling;
  ruling.severity = entry.rule.rule->severity;
  if (const WarningRuling* const about = AboutWarning(policy, entry); about != nullptr) {
    ruling.hidden = !about->refuse;
    if (about->refuse && !source_is_record) {
      ruling.severity = Severity::kBlocker;
      ruling.remark = absl::StrCat(" A warning as a rule; ", about->decided_by, " refuses it.");
    }
  }
  if (const Accepted* const accepted = AcceptedBy(policy, entry); accepted != nullptr) {
    ruling.severity = Severity::kWarning;
    absl::StrAppend(&ruling.remark, " Accepted by ", accepted->author, " until ",
                    UtcText(accepted->until), " (", accepted->name, "): ", accepted->reason, ".");
  }
  return ruling;
}

}  // namespace vuf
