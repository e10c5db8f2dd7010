// What policies and acknowledgements make of what the rules found.
#ifndef VUFD_SERVER_DECISION_RULINGS_H_
#define VUFD_SERVER_DECISION_RULINGS_H_

#include <optional>
#include <string>

#include "server/decision/report.h"
#include "server/model/policy.h"

namespace vuf {

// Of one entry. The default leaves it as the rule has it.
struct Ruling {
  bool hidden = false;
  Severity severity = Severity::kBlocker;
  // Whose it is; null: nobody's. Both may be.
  const WarningRuling* refused_by = nullptr;
  const Accepted* accepted_by = nullptr;
};

// Warnings become blockers or go away; blockers that may be acknowledged, and are, become warnings.
// Nothing becomes a blocker when the source is a record (World): the guest is in a file, and no
// policy may keep it there.
Ruling RulingOn(const std::optional<EffectivePolicy>& policy, bool source_is_record,
                const Report::Entry& entry);

// The entry's message. The codes stay, and every change says in the message whose it is.
std::string MessageOf(const Report::Entry& entry, const Ruling& ruling);

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_RULINGS_H_
