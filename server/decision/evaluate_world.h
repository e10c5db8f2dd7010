// Evaluate for facts that are not in one place.
#ifndef VUFD_SERVER_DECISION_EVALUATE_WORLD_H_
#define VUFD_SERVER_DECISION_EVALUATE_WORLD_H_

#include "absl/time/time.h"
#include "server/decision/world.h"
#include "server/model/verdict.h"

namespace vuf {

// `now` instead of that of the world's facts.
Verdict EvaluateWorld(const World& world, absl::Time now);

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_EVALUATE_WORLD_H_
