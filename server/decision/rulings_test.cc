// What policies and acknowledgements make of findings, and what shadow policies would.
#include <algorithm>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/decision/evaluate.h"
#include "server/decision/rule.h"
#include "server/decision/rule_rows.h"
#include "server/decision/shadow.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kBy[] = "migrationPolicies/strict@4";

testing::Matcher<Finding> Code(const std::string& code) { return Field(&Finding::code, code); }

EffectivePolicy& Policy(Facts& facts) { return *facts.policy.value; }

// The safe world with a warning, SANDBOX_DIFFERS.
Facts WithWarning() {
  Facts facts = SafeFacts();
  Opt(Dst(facts), "sandbox") = "chroot";
  return facts;
}

// The safe world with a blocker that may be acknowledged.
Facts WithBlocker() {
  Facts facts = SafeFacts();
  Be(Dst(facts)).share.value->mount_read_only = true;
  return facts;
}

Accepted Acceptance(const std::string& code) {
  return {"acknowledgements/a",       code, "", "ann", "the guest only reads",
          SafeTime() + absl::Hours(1)};
}

TEST(RulingsTest, TheWorldsAreAsTheySay) {
  EXPECT_THAT(Evaluate(WithWarning()).warnings, ElementsAre(Code("SANDBOX_DIFFERS")));
  EXPECT_TRUE(Evaluate(WithWarning()).allow);
  EXPECT_THAT(Evaluate(WithBlocker()).blockers, ElementsAre(Code("SHARE_MOUNT_DIFFERS")));
}

TEST(RulingsTest, AWarningCanBeMadeToRefuse) {
  Facts facts = WithWarning();
  Policy(facts).warnings.push_back({"SANDBOX_DIFFERS", true, kBy});
  const Verdict verdict = Evaluate(facts);
  EXPECT_FALSE(verdict.allow);
  EXPECT_EQ(verdict.mode, Mode::kNone);
  ASSERT_THAT(verdict.blockers, ElementsAre(Code("SANDBOX_DIFFERS")));
  EXPECT_EQ(verdict.blockers[0].severity, Severity::kBlocker);
  EXPECT_THAT(verdict.blockers[0].message, HasSubstr(kBy));
}

// The guest is in a file: nothing may keep it there.
TEST(RulingsTest, NoWarningRefusesOnceTheSourceHasQuit) {
  Facts facts = SafeKeeperFacts();
  MakeSecondStage(facts);
  facts.destination->qemu_version.value = Version{9, 2, 0};
  for (const RegisteredRule& rule : AllRules()) {
    Policy(facts).warnings.push_back({rule.code, true, kBy});
  }
  const Verdict verdict = Evaluate(facts);
  EXPECT_TRUE(verdict.allow);
  EXPECT_THAT(verdict.warnings, testing::Contains(Code("QEMU_UNTRIED")));
}

TEST(RulingsTest, AWarningCanBeHidden) {
  Facts facts = WithWarning();
  Policy(facts).warnings.push_back({"SANDBOX_DIFFERS", false, kBy});
  const Verdict verdict = Evaluate(facts);
  EXPECT_TRUE(verdict.allow);
  EXPECT_THAT(verdict.warnings, IsEmpty());
}

TEST(RulingsTest, ABlockerCannotBeHiddenByAPolicy) {
  Facts facts = WithBlocker();
  Policy(facts).warnings.push_back({"SHARE_MOUNT_DIFFERS", false, kBy});
  EXPECT_THAT(Evaluate(facts).blockers, ElementsAre(Code("SHARE_MOUNT_DIFFERS")));
}

TEST(RulingsTest, AnAcknowledgedBlockerIsAWarningThatNamesWhoAndWhy) {
  Facts facts = WithBlocker();
  Policy(facts).accepted.push_back(Acceptance("SHARE_MOUNT_DIFFERS"));
  const Verdict verdict = Evaluate(facts);
  EXPECT_TRUE(verdict.allow);
  ASSERT_THAT(verdict.warnings, ElementsAre(Code("SHARE_MOUNT_DIFFERS")));
  EXPECT_THAT(verdict.warnings[0].message,
              testing::AllOf(HasSubstr("ann"), HasSubstr("acknowledgements/a"),
                             HasSubstr("the guest only reads"), HasSubstr("2023-11-14T23:13:20")));
}

TEST(RulingsTest, AnAcknowledgementCountsForItsDeviceOnly) {
  Facts facts = WithBlocker();
  Policy(facts).accepted.push_back(Acceptance("SHARE_MOUNT_DIFFERS"));
  Policy(facts).accepted.back().device = "fs1";
  EXPECT_FALSE(Evaluate(facts).allow);
  Policy(facts).accepted.back().device = "fs0";
  EXPECT_TRUE(Evaluate(facts).allow);
}

// Most blockers mean a VM that is lost, doubled or broken: nobody may accept that.
TEST(RulingsTest, NoOtherBlockerCanBeAcknowledged) {
  int acknowledgeable = 0;
  RuleRows rows;
  HypervisorRows(rows);
  BackEndRows(rows);
  IdentityRows(rows);
  ShareRows(rows);
  OptionRows(rows);
  ProcedureRows(rows);
  PolicyRows(rows);
  for (const RuleRow& row : rows) {
    SCOPED_TRACE(row.what);
    Facts facts = SafeFacts();
    row.spoil(facts);
    const Verdict before = Evaluate(facts);
    if (facts.policy.known()) {
      for (const RegisteredRule& rule : AllRules()) {
        Policy(facts).accepted.push_back(Acceptance(rule.code));
      }
    }
    const Verdict after = Evaluate(facts);
    for (const Finding& blocker : before.blockers) {
      const auto rules = AllRules();
      const auto rule = std::find_if(rules.begin(), rules.end(),
                                     [&](const auto& one) { return blocker.code == one.code; });
      ASSERT_NE(rule, rules.end());
      acknowledgeable += rule->rule->acknowledgeable;
      EXPECT_THAT(rule->rule->acknowledgeable ? after.warnings : after.blockers,
                  testing::Contains(Code(blocker.code)));
    }
  }
  EXPECT_GE(acknowledgeable, 4);
}

TEST(ShadowTest, NothingWithoutShadowPolicies) {
  EXPECT_FALSE(EvaluateWithShadow(SafeFacts()).shadow.has_value());
}

TEST(ShadowTest, SaysWhatWouldChangeAndChangesNothing) {
  Facts facts = WithBlocker();
  EffectivePolicy other = Policy(facts);
  other.matching = {kBy};
  other.accepted.push_back(Acceptance("SHARE_MOUNT_DIFFERS"));
  other.holds.push_back({kBy, "ops", "maintenance"});
  facts.shadow_policy = other;
  const Verdict verdict = EvaluateWithShadow(facts);
  EXPECT_THAT(verdict.blockers, ElementsAre(Code("SHARE_MOUNT_DIFFERS")));
  EXPECT_THAT(verdict.policies, ElementsAre("migrationPolicies/default@1"));
  ASSERT_TRUE(verdict.shadow.has_value());
  EXPECT_FALSE(verdict.shadow->allow);
  EXPECT_THAT(verdict.shadow->added_blockers, ElementsAre("POLICY_HOLD (request)"));
  EXPECT_THAT(verdict.shadow->removed_blockers, ElementsAre("SHARE_MOUNT_DIFFERS (fs0)"));
  EXPECT_THAT(verdict.shadow->policies, ElementsAre(kBy));
}

TEST(ShadowTest, SaysThatAnAllowedMigrationWouldBeRefused) {
  Facts facts = SafeFacts();
  facts.shadow_policy = Policy(facts);
  facts.shadow_policy->same_host = {false, kBy};
  const Verdict verdict = EvaluateWithShadow(facts);
  EXPECT_TRUE(verdict.allow);
  EXPECT_FALSE(verdict.shadow->allow);
  EXPECT_EQ(verdict.shadow->mode, Mode::kNone);
}

}  // namespace
}  // namespace vuf
