// What holds for every spoiled world, and that no rule can be left out unnoticed. Links a table of
// rules of its own (ShippedRules() is the agent's).
#include <algorithm>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/decision/each_fact.h"
#include "server/decision/evaluate.h"
#include "server/decision/rule.h"
#include "server/decision/rule_rows.h"
#include "tests/testing/safe_facts.h"

namespace vuf {

absl::Span<const RegisteredRule> ShippedRules();

namespace {

std::vector<RegisteredRule>& Table() {
  static auto& table =
      *new std::vector<RegisteredRule>(ShippedRules().begin(), ShippedRules().end());
  return table;
}

}  // namespace

absl::Span<const RegisteredRule> AllRules() { return Table(); }

namespace {

using Codes = std::set<std::string>;

// Everything that a user sees of the verdict.
std::string Describe(const Verdict& verdict) {
  std::string text = absl::StrCat(verdict.allow, " ", static_cast<int>(verdict.mode), " ",
                                  verdict.fingerprint, "\n");
  for (const DeviceVerdict& device : verdict.devices) {
    absl::StrAppend(&text, device.device, " ", static_cast<int>(device.mode), "\n");
  }
  for (const auto* findings : {&verdict.blockers, &verdict.warnings}) {
    for (const Finding& finding : *findings) {
      absl::StrAppend(&text, finding.code, " ", finding.subject, " ", finding.message, "\n");
    }
  }
  return text;
}

Codes CodesOf(const Verdict& verdict) {
  Codes codes;
  for (const Finding& finding : verdict.blockers) codes.insert(finding.code);
  for (const Finding& finding : verdict.warnings) codes.insert(finding.code);
  return codes;
}

class PropertyTest : public testing::Test {
 protected:
  ~PropertyTest() override { Table().assign(ShippedRules().begin(), ShippedRules().end()); }
};

// Calls `change` with the `wanted`th fact. False: there are not so many.
template <typename Change>
bool ChangeFact(Facts& facts, size_t wanted, Change change) {
  size_t count = 0;
  const auto visit = [&](const std::string&, auto& evidence) {
    if (count++ == wanted) change(evidence);
  };
  visit("", facts.boot_id);
  visit("", facts.policy);
  if (facts.other_host) visit("", facts.other_host->boot_id);
  ForEachVmFact("", facts.source, visit);
  if (facts.destination) ForEachVmFact("", *facts.destination, visit);
  return wanted < count;
}

// In every world that is refused, but for those of `except` alone.
template <typename Change>
void ExpectStaysRefused(Change change, const Codes& except = {}) {
  int tried = 0;
  for (const RuleRow& row : AllRows()) {
    const Facts spoiled = row.Spoiled();
    if (row.codes == except || Evaluate(spoiled).allow) continue;
    for (size_t i = 0;; ++i) {
      Facts facts = spoiled;
      if (!ChangeFact(facts, i, change)) break;
      ++tried;
      EXPECT_FALSE(Evaluate(facts).allow) << row.what << ", fact " << i;
    }
  }
  EXPECT_GE(tried, 10'000);
}

TEST_F(PropertyTest, ForgettingAFactAllowsNothing) {
  ExpectStaysRefused([](auto& evidence) {
    using Value = typename std::decay_t<decltype(evidence.value)>::value_type;
    evidence = Unknown<Value>("could not look");
  });
}

// A time that is wrong already may become right.
TEST_F(PropertyTest, AnOldFactAllowsNothing) {
  ExpectStaysRefused([](auto& evidence) { evidence.observed_at -= absl::Minutes(1); },
                     {"EVIDENCE_STALE"});
}

TEST_F(PropertyTest, AFactFromTheFutureAllowsNothing) {
  ExpectStaysRefused([](auto& evidence) { evidence.observed_at += absl::Minutes(1); },
                     {"EVIDENCE_STALE"});
}

TEST_F(PropertyTest, OneMoreBlockerHidesNoReason) {
  for (const RuleRow& row : AllRows()) {
    SCOPED_TRACE(row.what);
    Facts facts = row.Spoiled();
    const Codes before = CodesOf(Evaluate(facts));
    facts.running_migration = "migrations/other";
    const Verdict verdict = Evaluate(facts);
    const Codes after = CodesOf(verdict);
    EXPECT_FALSE(verdict.allow);
    EXPECT_EQ(after.count("MIGRATION_RUNNING"), 1u);
    EXPECT_TRUE(std::includes(after.begin(), after.end(), before.begin(), before.end()));
  }
}

TEST_F(PropertyTest, TheOrderOfRulesDoesNotMatter) {
  for (const RuleRow& row : AllRows()) {
    SCOPED_TRACE(row.what);
    Table().assign(ShippedRules().begin(), ShippedRules().end());
    const std::string expected = Describe(Evaluate(row.Spoiled()));
    std::reverse(Table().begin(), Table().end());
    EXPECT_EQ(Describe(Evaluate(row.Spoiled())), expected);
    std::rotate(Table().begin(), Table().begin() + 17, Table().end());
    EXPECT_EQ(Describe(Evaluate(row.Spoiled())), expected);
  }
}

TEST_F(PropertyTest, TheOrderOfDevicesAndEndpointsDoesNotMatter) {
  const RuleRow plain = {};
  int tried = 0;
  for (const RuleRow& row : AllRows()) {
    // "extra" adds the second device of two.
    if (row.world != plain.world || row.codes.count("DEVICE_MISSING_AT_SOURCE") > 0) continue;
    SCOPED_TRACE(row.what);
    Facts facts = SafeFacts(3);
    row.spoil(facts);
    RegisteredEndpoint other = {"endpoints/z", "/run/vuf/source-fs1.sock"};
    other.boot_id = "another";
    facts.endpoints.push_back(other);
    const std::string expected = Describe(Evaluate(facts));
    std::reverse(facts.endpoints.begin(), facts.endpoints.end());
    std::reverse(facts.source.devices.value->begin(), facts.source.devices.value->end());
    if (facts.destination && facts.destination->devices.value->size() == 3) {
      std::rotate(facts.destination->devices.value->begin(),
                  facts.destination->devices.value->begin() + 1,
                  facts.destination->devices.value->end());
    }
    EXPECT_EQ(Describe(Evaluate(facts)), expected);
    ++tried;
  }
  EXPECT_GE(tried, 100);
}

TEST_F(PropertyTest, ZeroValuesRefuse) {
  EXPECT_FALSE(Verdict().allow);
  EXPECT_EQ(Verdict().mode, Mode::kNone);
  EXPECT_FALSE(Evaluate(Facts()).allow);
  Facts facts = SafeFacts();
  facts.request = Request();
  EXPECT_FALSE(Evaluate(facts).allow);
  facts = SafeFacts();
  facts.source = VmFacts();
  EXPECT_FALSE(Evaluate(facts).allow);
  facts = SafeFacts();
  facts.destination = VmFacts();
  EXPECT_FALSE(Evaluate(facts).allow);
}

// Without the rule, is any row's expectation broken?
bool IsMissed(const std::string& code) {
  for (const RuleRow& row : AllRows()) {
    if (row.codes.count(code) > 0 && CodesOf(Evaluate(row.Spoiled())) != row.codes) return true;
  }
  return false;
}

// Mutation of the table: tools/mutate_rules does the same to the sources, one build for each.
TEST_F(PropertyTest, EveryRuleIsMissedWhenItIsLeftOut) {
  for (const RegisteredRule& rule : ShippedRules()) {
    const std::string code = rule.code;
    // Their findings are made from what others could not read.
    if (rule.rule->check == nullptr || code == "FACT_UNKNOWN") continue;
    Table().assign(ShippedRules().begin(), ShippedRules().end());
    EXPECT_FALSE(IsMissed(code)) << code << " is missed although it is there";
    Table().erase(std::remove_if(Table().begin(), Table().end(),
                                 [&](const RegisteredRule& other) { return code == other.code; }),
                  Table().end());
    EXPECT_TRUE(IsMissed(code)) << code << " can be left out, and no row of rule_rows_*.cc fails";
  }
}

TEST_F(PropertyTest, TheFoundationsAreMissedWhenTheyAreLeftOut) {
  Facts facts = SafeFacts();
  facts.boot_id = Unknown<std::string>("could not look");
  EXPECT_FALSE(Evaluate(facts).allow);
  Table().erase(std::remove_if(Table().begin(), Table().end(),
                               [](const RegisteredRule& rule) {
                                 return std::string(rule.code) == "FACT_UNKNOWN";
                               }),
                Table().end());
  EXPECT_TRUE(Evaluate(facts).allow) << "nobody else asks for it";
}

}  // namespace
}  // namespace vuf
