// vufctl decisions and replay, against an agent that answers as it is told.
#include <fstream>
#include <string>

#include "client/testing/fake_agent.h"
#include "client/testing/vufctl_run.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/decision/evaluate.h"
#include "server/decisions/make_record.h"
#include "tests/testing/safe_facts.h"
#include "tests/testing/temp_directory.h"

namespace vuf::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

v1::DecisionRecord Record(const std::string& name, const Facts& facts) {
  v1::DecisionRecord record = MakeRecord(facts, vuf::Evaluate(facts));
  record.set_name(name);
  record.set_vm("vms/web");
  record.set_trigger(v1::DECISION_TRIGGER_EVALUATE_MIGRATION);
  record.set_actor("unix:; calls itself test");
  record.mutable_verdict()->set_decision_record(name);
  return record;
}

// Newest first: a refusal, an allowance, an allowance whose verdict was forged from a refusal.
FakeWorld ThreeDecisions() {
  Facts spoiled = SafeFacts();
  spoiled.source.devices.value->at(0).back_end.version.value = Version{1, 10, 0};
  FakeWorld world;
  world.decisions.push_back(Record("decisions/d3", spoiled));
  world.decisions.push_back(Record("decisions/d2", SafeFacts()));
  world.decisions.push_back(Record("decisions/d1", spoiled));
  *world.decisions.back().mutable_verdict() = world.decisions[1].verdict();
  return world;
}

class DecisionsTest : public ::testing::Test {
 protected:
  DecisionsTest() : agent_(ThreeDecisions()) {}
  Result Run(const std::vector<std::string>& words) { return Vufctl(agent_, words); }

  FakeAgent agent_;
  TempDirectory directory_;
};

TEST_F(DecisionsTest, ListsAllPagesInEveryForm) {
  EXPECT_EQ(Run({"decisions", "--output=names"}).out, "d3\nd2\nd1\n");
  const Result table = Run({"decisions", "list"});
  EXPECT_THAT(table.out, StartsWith("DECISION  TIME  VM   ASKED BY  OUTCOME"));
  EXPECT_THAT(table.out, AllOf(HasSubstr("evaluate  refused"), HasSubstr("allowed, stateful")));
  const Result two = Run({"decisions", "list", "--limit=2"});
  EXPECT_THAT(two.out, AllOf(HasSubstr("d2"), Not(HasSubstr("d1 ")), HasSubstr("older ones")));
  EXPECT_THAT(Run({"decisions", "list", "--vm=web", "--output=json"}).out,
              HasSubstr("\"name\": \"decisions/d1\""));
  EXPECT_THAT(agent_.calls().back(), HasSubstr("vm: \"vms/web\""));
}

TEST_F(DecisionsTest, ShowsWhoAskedAndEveryReason) {
  const Result shown = Run({"decisions", "show", "d3"});
  EXPECT_EQ(shown.code, kExitOk);
  EXPECT_THAT(shown.out, AllOf(HasSubstr("unix:; calls itself test"), HasSubstr("REFUSED"),
                               HasSubstr("remedy"), HasSubstr("rules:")));
}

TEST_F(DecisionsTest, ReplayAgreesWithARefusalAndWithAnAllowance) {
  for (const char* name : {"d3", "decisions/d2"}) {
    const Result replay = Run({"replay", name});
    EXPECT_EQ(replay.code, kExitOk) << replay.out << replay.err;
    EXPECT_THAT(replay.out, StartsWith("AGREES"));
  }
}

TEST_F(DecisionsTest, ReplayOfAForgedVerdictListsTheDifferences) {
  const Result replay = Run({"replay", "d1"});
  EXPECT_EQ(replay.code, kExitRefused);
  EXPECT_THAT(replay.out,
              AllOf(StartsWith("DIFFERS"), HasSubstr("decision\n"),
                    HasSubstr("recorded  DECISION_ALLOW"), HasSubstr("replayed  DECISION_REFUSE")));
  const Result json = Run({"replay", "d1", "--output=json"});
  EXPECT_EQ(json.code, kExitRefused);
  EXPECT_THAT(json.out,
              AllOf(HasSubstr("\"agrees\": false"), HasSubstr("\"field\": \"decision\"")));
}

TEST_F(DecisionsTest, WhatIsExportedReplaysWithoutAnAgent) {
  const Result exported = Run({"decisions", "export", "d3"});
  const std::string path = directory_.Path("d3.json");
  std::ofstream(path) << exported.out;
  const size_t calls = agent_.calls().size();
  const Result replay = Run({"replay", "--file=" + path});
  EXPECT_EQ(replay.code, kExitOk) << replay.out << replay.err;
  EXPECT_THAT(replay.out, StartsWith("AGREES  decisions/d3"));
  EXPECT_EQ(agent_.calls().size(), calls);
}

TEST_F(DecisionsTest, ATamperedFileSaysWhichDigestDoesNotMatch) {
  std::string json = Run({"decisions", "export", "d3"}).out;
  const std::string facts = Run({"decisions", "export", "d2"}).out;
  const auto value = [](const std::string& text) {
    const size_t begin = text.find("\"facts\": \"") + 10;
    return std::pair(begin, text.find('"', begin) - begin);
  };
  const auto [from, size] = value(facts);
  const auto [at, length] = value(json);
  json.replace(at, length, facts, from, size);
  const std::string path = directory_.Path("tampered.json");
  std::ofstream(path) << json;
  const Result replay = Run({"replay", "--file=" + path});
  EXPECT_EQ(replay.code, kExitRefused);
  EXPECT_THAT(replay.out,
              AllOf(StartsWith("DIFFERS"), HasSubstr("evidence_digest does not match")));
}

TEST_F(DecisionsTest, OtherRulesAreSaid) {
  std::string json = Run({"decisions", "export", "d2"}).out;
  const size_t at = json.find("\"rules_digest\": \"") + 17;
  json.replace(at, 4, "0000");
  const std::string path = directory_.Path("old.json");
  std::ofstream(path) << json;
  const Result replay = Run({"replay", "--file=" + path});
  EXPECT_EQ(replay.code, kExitOk);
  EXPECT_THAT(replay.out, AllOf(StartsWith("AGREES"), HasSubstr("rules are not those")));
}

TEST_F(DecisionsTest, WrongArgumentsAndFiles) {
  EXPECT_EQ(Run({"replay"}).code, kExitUsage);
  EXPECT_EQ(Run({"replay", "d1", "--file=x"}).code, kExitUsage);
  EXPECT_EQ(Run({"replay", "d9"}).code, kExitError);
  EXPECT_EQ(Run({"replay", "--file=" + directory_.Path("none")}).code, kExitError);
  const std::string path = directory_.Path("new.json");
  std::ofstream(path) << R"({"name": "decisions/d1", "a_field_of_tomorrow": 1})";
  const Result replay = Run({"replay", "--file=" + path});
  EXPECT_EQ(replay.code, kExitError);
  EXPECT_THAT(replay.err, HasSubstr("a_field_of_tomorrow"));
}

}  // namespace
}  // namespace vuf::cli
