// What to do to empty a host, from the facts about its VMs. Pure.
#ifndef VUFD_SERVER_PLANNING_EVACUATION_H_
#define VUFD_SERVER_PLANNING_EVACUATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "server/model/facts.h"
#include "server/model/verdict.h"

namespace vuf {

struct EvacuationStep {
  std::string vm;
  Mode mode = Mode::kNone;
  uint64_t memory_bytes = 0;
  std::vector<Finding> blockers;
  std::vector<Finding> warnings;
};

struct EvacuationFix {
  std::string code;
  std::string remedy;
  // In the way of these.
  std::vector<std::string> vms;
  // With this and everything before it, these can leave.
  std::vector<std::string> frees;
};

struct EvacuationPlan {
  std::vector<EvacuationStep> ready;
  std::vector<EvacuationStep> need_destination;
  std::vector<EvacuationStep> blocked;
  std::vector<EvacuationFix> fixes;
};

// The best of the modes that the request permits: the one with the fewest blockers, stateless
// before stateful. `facts.request` says what is permitted.
EvacuationStep JudgeForEvacuation(const std::string& vm, const Facts& facts);
EvacuationPlan PlanEvacuation(std::vector<EvacuationStep> steps);

}  // namespace vuf

#endif  // VUFD_SERVER_PLANNING_EVACUATION_H_
