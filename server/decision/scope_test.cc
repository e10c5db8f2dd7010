// Every rule looks at no more than its scope says. Links a table of rules of its own
// (ShippedRules() is the agent's).
#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "server/decision/each_fact.h"
#include "server/decision/evaluate.h"
#include "server/decision/prepared_sides.h"
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

class ScopeTest : public testing::Test {
 protected:
  ~ScopeTest() override { Table().assign(ShippedRules().begin(), ShippedRules().end()); }
};

// What all rules of a scope, and no others, say about a side.
std::string SaidAbout(Side side, const Facts& facts) {
  std::string text;
  const Verdict verdict = Evaluate(facts);
  for (const auto* findings : {&verdict.blockers, &verdict.warnings}) {
    for (const Finding& finding : *findings) {
      if (finding.side == side || finding.side == Side::kNone) text += Text(finding);
    }
  }
  return text;
}

// Calls `visit` with the facts with each piece of evidence of one side forgotten in turn, and with
// the rows' spoiled sides in its place.
void ForEachSpoiledSide(const Facts& facts, Side side,
                        const std::function<void(const Facts&)>& visit) {
  Facts spoiled = facts;
  VmFacts& vm = side == Side::kSource ? spoiled.source : *spoiled.destination;
  size_t next = 0;
  const VmFacts before = vm;
  const auto each = [&vm](auto visit) { ForEachVmFact("", vm, visit); };
  while (before.devices.known() && SpoilOne(each, next++, Spoil::kForgotten)) {
    visit(spoiled);
    vm = before;
  }
  for (const Facts& other : {SafeFacts(2), SafeKeeperFacts(1, 1), SafeKeeperFacts(2)}) {
    vm = side == Side::kSource ? other.source : *other.destination;
    visit(spoiled);
  }
  vm = VmFacts();
  visit(spoiled);
}

// One rule at a time, and no mode permitted, so that none is of no interest: its findings about a
// side are the same whatever becomes of the other side.
void ExpectBlindTo(Side other, Scope scope) {
  const Side own = other == Side::kSource ? Side::kDestination : Side::kSource;
  int rules = 0;
  for (const RegisteredRule& rule : ShippedRules()) {
    if (rule.rule->scope != scope) continue;
    ++rules;
    Table() = {rule};
    for (const RuleRow& row : AllRows()) {
      Facts facts = row.Spoiled();
      if (row.codes.count(rule.code) == 0 || !facts.destination) continue;
      // The second stage of a sequential migration is never judged as prepared.
      if (facts.request.sequential) continue;
      facts.request.allow_stateless = facts.request.allow_stateful = false;
      const std::string expected = SaidAbout(own, facts);
      ForEachSpoiledSide(facts, other, [&](const Facts& spoiled) {
        EXPECT_EQ(SaidAbout(own, spoiled), expected) << rule.code << ", " << row.what;
      });
    }
  }
  EXPECT_GE(rules, 5);
}

TEST_F(ScopeTest, RulesAboutTheSourceDoNotSeeTheDestination) {
  ExpectBlindTo(Side::kDestination, Scope::kSource);
}

TEST_F(ScopeTest, RulesAboutTheDestinationDoNotSeeTheSource) {
  ExpectBlindTo(Side::kSource, Scope::kDestination);
}

TEST_F(ScopeTest, RulesAboutEachSideDoNotSeeTheOther) {
  ExpectBlindTo(Side::kDestination, Scope::kEachSide);
  ExpectBlindTo(Side::kSource, Scope::kEachSide);
}

// Nor do they see anything of VM, registry or policy but what a destination is prepared with.
TEST_F(ScopeTest, RulesAboutTheDestinationSeeNoPolicyAndNoRegistry) {
  for (const Scope scope : {Scope::kDestination, Scope::kEachSide, Scope::kPair}) {
    for (const RegisteredRule& rule : ShippedRules()) {
      if (rule.rule->scope != scope) continue;
      Table() = {rule};
      for (const RuleRow& row : AllRows()) {
        if (row.codes.count(rule.code) == 0) continue;
        Facts facts = row.Spoiled();
        const std::string expected = SaidAbout(Side::kDestination, facts);
        facts.boot_id.observed_at -= absl::Hours(1);
        facts.endpoints = {{"endpoints/z", "/run/vuf/source-fs0.sock"}};
        facts.policy = Unknown<EffectivePolicy>("could not look");
        facts.running_migration = "migrations/other";
        EXPECT_EQ(SaidAbout(Side::kDestination, facts), expected) << rule.code << ", " << row.what;
      }
    }
  }
}

// Rules about pairs see nothing of a device that is not in its looks: two devices that look the
// same are the same to them, whatever else is different.
TEST_F(ScopeTest, RulesAboutPairsSeeOnlyLooks) {
  Table().clear();
  for (const RegisteredRule& rule : ShippedRules()) {
    if (rule.rule->scope == Scope::kPair) Table().push_back(rule);
  }
  ASSERT_GE(Table().size(), 20u);
  Facts facts = SafeFacts(2);
  facts.request.allow_stateful = false;
  ASSERT_EQ(FindingsOf(Evaluate(facts)), "");
  for (const Side side : {Side::kSource, Side::kDestination}) {
    ForEachSpoiledSide(facts, side, [&](const Facts& spoiled) {
      const Sides sides(spoiled);
      EXPECT_EQ(FindingsOf(Judge(sides.source, sides.destination.get(), spoiled.now)),
                FindingsOf(Evaluate(spoiled)));
    });
  }
}

}  // namespace
}  // namespace vuf
