// Asks the rules of some scopes.
#ifndef VUFD_SERVER_DECISION_RUN_RULES_H_
#define VUFD_SERVER_DECISION_RUN_RULES_H_

#include <cstddef>
#include <vector>

#include "absl/types/span.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"
#include "server/decision/world.h"

namespace vuf {

// A rule and its place in the table.
struct PlacedRule {
  RegisteredRule rule;
  size_t order;
};

// Those that look at something and of whose scope `wanted` is true.
template <typename Wanted>
std::vector<PlacedRule> RulesOf(Wanted wanted) {
  const absl::Span<const RegisteredRule> all = AllRules();
  std::vector<PlacedRule> rules;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].rule->check != nullptr && wanted(all[i].rule->scope)) rules.push_back({all[i], i});
  }
  return rules;
}

inline void RunRules(const std::vector<PlacedRule>& rules, const World& world, Report& report) {
  for (const PlacedRule& one : rules) {
    report.Begin(one.rule, one.order);
    one.rule.rule->check(world, report);
  }
}

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_RUN_RULES_H_
