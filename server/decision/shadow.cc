#include "server/decision/shadow.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/decision/evaluate.h"

namespace vuf {
namespace {

std::set<std::string> Blockers(const Verdict& verdict) {
  std::set<std::string> blockers;
  for (const Finding& finding : verdict.blockers) {
    blockers.insert(absl::StrCat(finding.code, " (", finding.subject, ")"));
  }
  return blockers;
}

ShadowVerdict Compare(const Verdict& real, const Verdict& other) {
  const std::set<std::string> before = Blockers(real);
  const std::set<std::string> after = Blockers(other);
  ShadowVerdict shadow;
  shadow.allow = other.allow;
  shadow.mode = other.mode;
  shadow.policies = other.policies;
  std::set_difference(after.begin(), after.end(), before.begin(), before.end(),
                      std::back_inserter(shadow.added_blockers));
  std::set_difference(before.begin(), before.end(), after.begin(), after.end(),
                      std::back_inserter(shadow.removed_blockers));
  return shadow;
}

}  // namespace

Verdict EvaluateWithShadow(const Facts& facts) {
  Verdict verdict = Evaluate(facts);
  if (!facts.shadow_policy.has_value()) return verdict;
  Facts other = facts;
  other.policy.value = facts.shadow_policy;
  verdict.shadow = Compare(verdict, Evaluate(other));
  return verdict;
}

Verdict JudgeWithShadow(const PreparedSource& source, const PreparedDestination* destination,
                        absl::Time now) {
  Verdict verdict = Judge(source, destination, now);
  if (const PreparedSource* const shadow = source.shadow(); shadow != nullptr) {
    verdict.shadow = Compare(verdict, Judge(*shadow, destination, now));
  }
  return verdict;
}

}  // namespace vuf
