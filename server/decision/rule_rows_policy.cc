// What the operator's policies forbid, and what they make of the other findings.
#include <utility>

#include "server/decision/rule_rows.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

EffectivePolicy& Policy(Facts& facts) { return *facts.policy.value; }

constexpr char kBy[] = "migrationPolicies/p@2";

}  // namespace

void PolicyRows(RuleRows& rows) {
  rows.push_back({"policies unknown",
                  [](Facts& f) { f.policy = Unknown<EffectivePolicy>("not read"); },
                  {"FACT_UNKNOWN"}});
  rows.push_back({"policies old",
                  [](Facts& f) { f.policy.observed_at -= f.max_age + absl::Seconds(1); },
                  {"EVIDENCE_STALE"}});
  rows.push_back({"mode forbidden",
                  [](Facts& f) {
                    Policy(f).devices[0].modes = {ModesAllowed{true, false}, kBy};
                  },
                  {"POLICY_FORBIDS_STATEFUL"}});
  rows.push_back({"the other mode forbidden",
                  [](Facts& f) {
                    Policy(f).devices[0].modes = {ModesAllowed{false, true}, kBy};
                  },
                  {}});
  rows.push_back({"no word about modes",
                  [](Facts& f) { Policy(f).devices[0].modes = {}; },
                  {"POLICY_FORBIDS_STATEFUL"}});
  rows.push_back({"stateless forbidden",
                  [](Facts& f) {
                    Policy(f).devices[0].modes = {ModesAllowed{false, true}, kBy};
                  },
                  {"POLICY_FORBIDS_STATELESS"},
                  Mode::kStateless,
                  [] { return SafeKeeperFacts(); }});
  rows.push_back({"not on the same host",
                  [](Facts& f) {
                    Policy(f).same_host = {false, kBy};
                  },
                  {"POLICY_FORBIDS_SCOPE"}});
  rows.push_back({"no word about scopes",
                  [](Facts& f) { Policy(f).same_host = {}; },
                  {"POLICY_FORBIDS_SCOPE"}});
  rows.push_back({"hold",
                  [](Facts& f) {
                    Policy(f).holds.push_back({kBy, "storage", "a snapshot runs"});
                  },
                  {"POLICY_HOLD"}});
  rows.push_back({"window closed",
                  [](Facts& f) {
                    Policy(f).window = {WindowState{false, SafeTime() + absl::Hours(3)}, kBy};
                  },
                  {"POLICY_WINDOW_CLOSED"}});
  rows.push_back({"window open",
                  [](Facts& f) {
                    Policy(f).window = {WindowState{true, SafeTime()}, kBy};
                  },
                  {}});
  rows.push_back({"limit reached",
                  [](Facts& f) {
                    Policy(f).limits.push_back({"migrationPolicies/p", 2, 2});
                  },
                  {"POLICY_LIMIT_REACHED"}});
  rows.push_back({"limit not reached",
                  [](Facts& f) {
                    Policy(f).limits.push_back({"migrationPolicies/p", 2, 1});
                  },
                  {}});
  rows.push_back({"everything forbidden, but the guest is in a file",
                  [](Facts& f) {
                    Policy(f).devices[0].modes = {};
                    Policy(f).same_host = {};
                    Policy(f).holds.push_back({kBy, "storage", "a snapshot runs"});
                    Policy(f).window = {WindowState{}, kBy};
                    Policy(f).limits.push_back({"migrationPolicies/p", 1, 1});
                  },
                  {},
                  Mode::kStateless,
                  [] {
                    Facts facts = SafeKeeperFacts();
                    MakeSecondStage(facts);
                    return facts;
                  }});
}

}  // namespace vuf
