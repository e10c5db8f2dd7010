// One safe world, one thing spoiled: exactly the reason that belongs to it.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/decision/evaluate.h"
#include "server/decision/hazards.h"
#include "server/decision/rule.h"
#include "server/decision/rule_rows.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

using Codes = std::set<std::string>;

const Rule* FindRule(const std::string& code) {
  for (const RegisteredRule& rule : AllRules()) {
    if (code == rule.code) return rule.rule;
  }
  return nullptr;
}

Codes CodesOf(const Verdict& verdict) {
  Codes codes;
  for (const Finding& finding : verdict.blockers) codes.insert(finding.code);
  for (const Finding& finding : verdict.warnings) codes.insert(finding.code);
  return codes;
}

TEST(RulesTest, OneThingSpoiledGivesItsReasonAndNoOther) {
  for (const RuleRow& row : AllRows()) {
    SCOPED_TRACE(row.what);
    const Verdict verdict = Evaluate(row.Spoiled());
    EXPECT_EQ(CodesOf(verdict), row.codes);
    bool blocked = false;
    for (const std::string& code : row.codes) {
      const Rule* rule = FindRule(code);
      ASSERT_NE(rule, nullptr) << code;
      blocked = blocked || rule->severity == Severity::kBlocker;
    }
    EXPECT_EQ(verdict.allow, !blocked);
    EXPECT_EQ(verdict.blockers.empty(), !blocked);
    EXPECT_EQ(verdict.mode, blocked ? Mode::kNone : row.mode);
  }
}

TEST(RulesTest, EveryFindingSaysWhatAndWhatToDo) {
  for (const RuleRow& row : AllRows()) {
    SCOPED_TRACE(row.what);
    const Verdict verdict = Evaluate(row.Spoiled());
    std::vector<Finding> findings = verdict.blockers;
    findings.insert(findings.end(), verdict.warnings.begin(), verdict.warnings.end());
    for (const Finding& finding : findings) {
      EXPECT_FALSE(finding.subject.empty());
      EXPECT_FALSE(finding.remedy.empty());
      ASSERT_FALSE(finding.message.empty());
      EXPECT_EQ(finding.message.back(), '.') << finding.message;
      EXPECT_EQ(finding.message.find("\n"), std::string::npos);
      for (const CitedFact& fact : finding.evidence) {
        EXPECT_FALSE(fact.fact.empty());
        EXPECT_TRUE(fact.unknown || fact.source != Source::kNobody) << fact.fact;
      }
    }
  }
}

TEST(RulesTest, EveryCodeHasARow) {
  Codes exercised;
  for (const RuleRow& row : AllRows()) exercised.insert(row.codes.begin(), row.codes.end());
  for (const RegisteredRule& rule : AllRules()) {
    EXPECT_EQ(exercised.count(rule.code), 1u) << rule.code << " has no row in rule_rows_*.cc";
  }
}

TEST(RulesTest, EveryRuleInTheSourcesIsInTheTable) {
  size_t in_sources = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator("server/decision/rules")) {
    if (entry.path().extension() != ".cc") continue;
    std::ifstream in(entry.path());
    ASSERT_TRUE(in) << entry.path();
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    for (size_t at = 0; (at = text.find("VUFD_RULE(", at)) != std::string::npos; ++at) ++in_sources;
  }
  EXPECT_GE(in_sources, 60u);
  EXPECT_EQ(AllRules().size(), in_sources);
}

TEST(RulesTest, EveryHazardIsCoveredOrDeclaredUndetected) {
  std::set<int> covered;
  for (const RegisteredRule& rule : AllRules()) {
    for (const std::string& number :
         std::vector<std::string>(absl::StrSplit(rule.rule->hazards, ", ", absl::SkipEmpty()))) {
      covered.insert(std::stoi(number));
    }
  }
  for (const UndetectedHazard& hazard : kUndetectedHazards) {
    EXPECT_TRUE(covered.insert(hazard.number).second) << hazard.number << " is declared twice";
  }
  for (int i = 1; i <= kHazards; ++i) EXPECT_EQ(covered.count(i), 1u) << "hazard " << i;
}

TEST(RulesTest, EveryRuleIsDescribed) {
  for (const RegisteredRule& rule : AllRules()) {
    SCOPED_TRACE(rule.code);
    EXPECT_STRNE(rule.rule->cause, "");
    EXPECT_STRNE(rule.rule->remedy, "");
    EXPECT_THAT(rule.rule->side,
                testing::AnyOf(testing::StrEq("source"), testing::StrEq("destination"),
                               testing::StrEq("either"), testing::StrEq("request")));
  }
}

}  // namespace
}  // namespace vuf
