#include "server/decision/rulings.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace vuf {
namespace {

using Entry = Report::Entry;

const WarningRuling* RulingOn(const EffectivePolicy& policy, const Entry& entry) {
  if (entry.rule.rule->severity != Severity::kWarning) return nullptr;
  const auto it = std::find_if(policy.warnings.begin(), policy.warnings.end(),
                               [&](const auto& one) { return one.code == entry.rule.code; });
  return it == policy.warnings.end() ? nullptr : &*it;
}

const Accepted* AcceptedBy(const EffectivePolicy& policy, const Entry& entry) {
  if (!entry.rule.rule->acknowledgeable) return nullptr;
  const auto it =
      std::find_if(policy.accepted.begin(), policy.accepted.end(), [&](const auto& one) {
        return one.code == entry.rule.code &&
               (one.device.empty() || one.device == entry.subject.name);
      });
  return it == policy.accepted.end() ? nullptr : &*it;
}

}  // namespace

void ApplyRulings(const EffectivePolicy& policy, bool source_is_record, Report& report) {
  std::vector<Entry>& entries = report.mutable_entries();
  entries.erase(std::remove_if(entries.begin(), entries.end(),
                               [&](const Entry& entry) {
                                 const WarningRuling* const ruling = RulingOn(policy, entry);
                                 return ruling != nullptr && !ruling->refuse;
                               }),
                entries.end());
  for (Entry& entry : entries) {
    const WarningRuling* const ruling = RulingOn(policy, entry);
    if (ruling != nullptr && !source_is_record) {
      entry.severity = Severity::kBlocker;
      absl::StrAppend(&entry.message, " A warning as a rule; ", ruling->decided_by, " refuses it.");
    }
    if (const Accepted* const accepted = AcceptedBy(policy, entry); accepted != nullptr) {
      entry.severity = Severity::kWarning;
      absl::StrAppend(&entry.message, " Accepted by ", accepted->author, " until ",
                      absl::FormatTime(absl::RFC3339_sec, accepted->until, absl::UTCTimeZone()),
                      " (", accepted->name, "): ", accepted->reason, ".");
    }
  }
}

}  // namespace vuf
