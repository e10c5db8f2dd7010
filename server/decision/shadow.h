// What shadow policies would change about a verdict. Pure, like the decision itself.
#ifndef VUFD_SERVER_DECISION_SHADOW_H_
#define VUFD_SERVER_DECISION_SHADOW_H_

#include "absl/time/time.h"
#include "server/decision/prepare.h"
#include "server/model/facts.h"
#include "server/model/verdict.h"

namespace vuf {

// Evaluate, and once more with the shadow policies where there are any; only Verdict::shadow tells
// of the second time.
Verdict EvaluateWithShadow(const Facts& facts);
// The same for prepared sides, as Judge().
Verdict JudgeWithShadow(const PreparedSource& source, const PreparedDestination* destination,
                        absl::Time now);

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_SHADOW_H_
