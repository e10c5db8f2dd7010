// What policies and acknowledgements make of what the rules found.
#ifndef VUFD_SERVER_DECISION_RULINGS_H_
#define VUFD_SERVER_DECISION_RULINGS_H_

#include "server/decision/report.h"
#include "server/model/policy.h"

namespace vuf {

// Warnings become blockers or go away; blockers that may be acknowledged, and are, become warnings.
// The codes stay, and every change says in the message whose it is. Nothing becomes a blocker when
// the source is a record (World): the guest is in a file, and no policy may keep it there.
void ApplyRulings(const EffectivePolicy& policy, bool source_is_record, Report& report);

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_RULINGS_H_
