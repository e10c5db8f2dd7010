// What policies and acknowledgements make of what the rules found.
#ifndef VUFD_SERVER_DECISION_RULINGS_H_
#define VUFD_SERVER_DECISION_RULINGS_H_

#include <string>

#include "server/decision/report.h"
#include "server/model/policy.h"

namespace vuf {

// Of one entry. The default leaves it as the rule has it.
struct Ruling {
  bool hidden = false;
  Severity severity = Severity::kBlocker;
  // Whose it is, to follow the message.
  std::string remark;
};

// Warnings become blockers or go away; blockers that may be acknowledged, and are, become warnings.
// The codes stay, and every change says whose it is. Nothing becomes a blocker when the source is a
// record (World): the guest is in a file, and no policy may keep it there.
Ruling RulingOn(const EffectivePolicy& policy, bool source_is_record, const Report::Entry& entry);

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_RULINGS_H_
