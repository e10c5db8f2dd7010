// Asks the rules of some scopes.
#ifndef VUFD_SERVER_DECISION_RUN_RULES_H_
#define VUFD_SERVER_DECISION_RUN_RULES_H_

#include <cstddef>

#include "absl/types/span.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"
#include "server/decision/world.h"

namespace vuf {

// `wanted` says of a rule's scope whether to ask it.
template <typename Wanted>
void RunRules(const World& world, Report& report, Wanted wanted) {
  const absl::Span<const RegisteredRule> rules = AllRules();
  for (size_t i = 0; i < rules.size(); ++i) {
    const Rule& rule = *rules[i].rule;
    if (rule.check == nullptr || !wanted(rule.scope)) continue;
    report.Begin(rules[i], i);
    rule.check(world, report);
  }
}

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_RUN_RULES_H_
