#include "server/planning/evacuation.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "server/decision/evaluate.h"

namespace vuf {
namespace {

constexpr char kNoDestination[] = "DESTINATION_NOT_GIVEN";

uint64_t MemoryOf(const VmFacts& vm) {
  uint64_t bytes = 0;
  if (!vm.memory_backends.known()) return 0;
  for (const MemoryBackendFacts& memory : *vm.memory_backends.value) bytes += memory.size;
  return bytes;
}

std::set<std::string> CodesOf(const EvacuationStep& step) {
  std::set<std::string> codes;
  for (const Finding& finding : step.blockers) codes.insert(finding.code);
  return codes;
}

bool OnlyLacksDestination(const EvacuationStep& step) {
  return CodesOf(step) == std::set<std::string>{kNoDestination};
}

bool GoesBefore(const EvacuationStep& a, const EvacuationStep& b) {
  return std::tie(b.mode, a.memory_bytes, a.vm) < std::tie(a.mode, b.memory_bytes, b.vm);
}

// The fix for a code, made when it is met for the first time.
EvacuationFix MakeFix(const std::string& code, const std::vector<EvacuationStep>& blocked) {
  EvacuationFix fix;
  fix.code = code;
  for (const EvacuationStep& step : blocked) {
    const auto it = std::find_if(step.blockers.begin(), step.blockers.end(),
                                 [&](const Finding& finding) { return finding.code == code; });
    if (it == step.blockers.end()) continue;
    if (fix.remedy.empty()) fix.remedy = it->remedy;
    fix.vms.push_back(step.vm);
  }
  return fix;
}

// Always the VM next that lacks the fewest fixes; all VMs are free in the end, so the set is the
// smallest, and this order frees them early.
std::vector<EvacuationFix> OrderFixes(const std::vector<EvacuationStep>& blocked) {
  std::map<std::string, std::set<std::string>> missing;
  for (const EvacuationStep& step : blocked) {
    // One for which no mode is permitted lacks nothing that could be mended.
    if (!step.blockers.empty()) missing[step.vm] = CodesOf(step);
  }
  std::vector<EvacuationFix> fixes;
  while (!missing.empty()) {
    const auto next = std::min_element(
        missing.begin(), missing.end(),
        [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
    const std::set<std::string> codes = next->second;
    for (const std::string& code : codes) {
      fixes.push_back(MakeFix(code, blocked));
      for (auto& [vm, lacks] : missing) lacks.erase(code);
    }
    for (auto it = missing.begin(); it != missing.end();) {
      if (it->second.empty()) fixes.back().frees.push_back(it->first);
      it = it->second.empty() ? missing.erase(it) : std::next(it);
    }
  }
  return fixes;
}

}  // namespace

EvacuationStep JudgeForEvacuation(const std::string& vm, const Facts& facts) {
  EvacuationStep best;
  bool found = false;
  const std::pair<bool, bool> choices[] = {{true, false}, {true, true}, {false, true}};
  for (const auto& [stateless, stateful] : choices) {
    if ((stateless && !facts.request.allow_stateless) ||
        (stateful && !facts.request.allow_stateful)) {
      continue;
    }
    Facts asked = facts;
    asked.request.allow_stateless = stateless;
    asked.request.allow_stateful = stateful;
    Verdict verdict = Evaluate(asked);
    if (found && verdict.blockers.size() >= best.blockers.size()) continue;
    found = true;
    best.mode = verdict.allow ? verdict.mode : (stateful ? Mode::kStateful : Mode::kStateless);
    best.blockers = std::move(verdict.blockers);
    best.warnings = std::move(verdict.warnings);
  }
  best.vm = vm;
  best.memory_bytes = MemoryOf(facts.source);
  return best;
}

EvacuationPlan PlanEvacuation(std::vector<EvacuationStep> steps) {
  EvacuationPlan plan;
  for (EvacuationStep& step : steps) {
    // A step that nothing was judged for has no mode and is not ready.
    if (step.blockers.empty() && step.mode != Mode::kNone) {
      plan.ready.push_back(std::move(step));
    } else if (OnlyLacksDestination(step)) {
      plan.need_destination.push_back(std::move(step));
    } else {
      plan.blocked.push_back(std::move(step));
    }
  }
  std::sort(plan.ready.begin(), plan.ready.end(), GoesBefore);
  std::sort(plan.need_destination.begin(), plan.need_destination.end(), GoesBefore);
  std::sort(plan.blocked.begin(), plan.blocked.end(), [](const auto& a, const auto& b) {
    const size_t a_codes = CodesOf(a).size();
    const size_t b_codes = CodesOf(b).size();
    return std::tie(a_codes, a.vm) < std::tie(b_codes, b.vm);
  });
  plan.fixes = OrderFixes(plan.blocked);
  return plan;
}

}  // namespace vuf
