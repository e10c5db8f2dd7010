// What policies and acknowledgements make of what the rules found.
#ifndef VUFD_SERVER_DECISION_RULINGS_H_
#define VUFD_SERVER_DECISION_RULINGS_H_

#include "server/decision/report.h"
#include "server/model/policy.h"

namespace vuf {

// Warnings become blockers or go away; blockers that may be acknowledged, and are, become warnings.
// The codes stay, and every change says in the message whose it is.
void ApplyRulings(const EffectivePolicy& policy, Report& report);

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_RULINGS_H_
