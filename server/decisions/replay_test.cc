// A recorded decision computed again: what agrees, what differs, what may not be trusted.
#include "server/decisions/replay.h"

#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "server/convert/convert.h"
#include "server/convert/facts_record.h"
#include "server/decision/evaluate.h"
#include "server/decisions/digest.h"
#include "server/decisions/make_record.h"
#include "server/migration/permits.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

v1::DecisionRecord RecordOf(const Facts& facts) {
  v1::DecisionRecord record = MakeRecord(facts, Evaluate(facts));
  record.set_name("decisions/d1");
  record.set_vm("vms/guest");
  record.set_trigger(v1::DECISION_TRIGGER_EVALUATE_MIGRATION);
  record.mutable_verdict()->set_decision_record(record.name());
  return record;
}

Facts RefusedFacts() {
  Facts facts = SafeFacts();
  facts.source.devices.value->at(0).back_end.version.value = Version{1, 10, 0};
  return facts;
}

v1::DecisionReplay Replay(const v1::DecisionRecord& record) {
  // As it comes from the store or a file.
  v1::DecisionRecord read;
  EXPECT_TRUE(read.ParseFromString(record.SerializeAsString()));
  const absl::StatusOr<v1::DecisionReplay> replay = ReplayDecision(read);
  EXPECT_TRUE(replay.ok()) << replay.status();
  return replay.ok() ? *replay : v1::DecisionReplay();
}

// The changes as text, one by one.
std::vector<std::string> Differences(const v1::DecisionReplay& replay) {
  std::vector<std::string> out;
  for (const v1::DecisionDifference& one : replay.differences()) {
    out.push_back(absl::StrCat(one.code(), "|", one.subject(), "|", one.field(), "|",
                               one.recorded(), "|", one.replayed()));
  }
  return out;
}

TEST(ReplayTest, EveryWorldOfTheTestsAgrees) {
  Facts second_stage = SafeKeeperFacts(2);
  MakeSecondStage(second_stage);
  Facts shared = SafeFacts();
  MakeRamShared(shared);
  Facts unknown;
  Facts endpoints = SafeFacts();
  endpoints.endpoints.push_back(
      {"endpoints/a", "/run/a.sock", ProcessId{1, 2}, FileId{3, 4}, "boot", 5});
  endpoints.endpoints.push_back({"endpoints/b", "/run/b.sock", {}, {}, "", 0});
  for (const Facts& facts : {SafeFacts(), SafeFacts(3), SafeKeeperFacts(1, 1), second_stage, shared,
                             RefusedFacts(), unknown, endpoints}) {
    const v1::DecisionRecord record = RecordOf(facts);
    const v1::DecisionReplay replay = Replay(record);
    EXPECT_TRUE(replay.agrees()) << replay.DebugString();
    EXPECT_TRUE(replay.same_rules());
  }
}

TEST(ReplayTest, BothAnswersAreAmongThem) {
  EXPECT_EQ(RecordOf(SafeFacts()).verdict().decision(), v1::DECISION_ALLOW);
  EXPECT_EQ(RecordOf(RefusedFacts()).verdict().decision(), v1::DECISION_REFUSE);
}

TEST(ReplayTest, FactsThatWereChangedDoNotMatchTheirDigest) {
  v1::DecisionRecord record = RecordOf(RefusedFacts());
  record.set_facts(SerializeFacts(SafeFacts()));
  const v1::DecisionReplay replay = Replay(record);
  EXPECT_FALSE(replay.agrees());
  EXPECT_THAT(replay.damage(), ElementsAre(AllOf(HasSubstr("evidence_digest does not match"),
                                                 HasSubstr(record.evidence_digest()))));
  EXPECT_GT(replay.differences_size(), 0);
}

TEST(ReplayTest, ADigestThatWasTakenAwayIsDamage) {
  v1::DecisionRecord record = RecordOf(SafeFacts());
  record.clear_evidence_digest();
  EXPECT_THAT(Replay(record).damage(), ElementsAre(HasSubstr("the record says nothing")));
}

TEST(ReplayTest, AVerdictThatWasChangedIsToldByCodeAndField) {
  v1::DecisionRecord record = RecordOf(RefusedFacts());
  v1::Finding& finding = *record.mutable_verdict()->mutable_blockers(0);
  const std::string code = finding.code();
  const std::string remedy = finding.remedy();
  finding.set_remedy("Do nothing.");
  const v1::DecisionReplay replay = Replay(record);
  EXPECT_FALSE(replay.agrees());
  EXPECT_THAT(replay.damage(), IsEmpty());
  EXPECT_THAT(Differences(replay),
              ElementsAre(AllOf(HasSubstr(code + "|fs0"), HasSubstr("|blockers.remedy|"),
                                HasSubstr("Do nothing."))));
}

TEST(ReplayTest, ARefusalThatWasMadeAnAllowanceDiffers) {
  v1::DecisionRecord record = RecordOf(RefusedFacts());
  record.mutable_verdict()->set_decision(v1::DECISION_ALLOW);
  record.mutable_verdict()->clear_blockers();
  const std::vector<std::string> differences = Differences(Replay(record));
  EXPECT_THAT(differences, Contains("||decision|DECISION_ALLOW|DECISION_REFUSE"));
  EXPECT_THAT(differences, Contains(HasSubstr("|blockers||")));
}

TEST(ReplayTest, AVerdictThatIsMissingNeverAgrees) {
  for (const Facts& facts : {SafeFacts(), RefusedFacts(), Facts()}) {
    v1::DecisionRecord record = RecordOf(facts);
    record.clear_verdict();
    EXPECT_FALSE(Replay(record).agrees());
  }
}

TEST(ReplayTest, AnotherOrderOfFindingsDiffers) {
  v1::DecisionRecord record = RecordOf(Facts());
  ASSERT_GT(record.verdict().blockers_size(), 1);
  record.mutable_verdict()->mutable_blockers()->SwapElements(0, 1);
  EXPECT_FALSE(Replay(record).agrees());
}

TEST(ReplayTest, OtherRulesAreToldAndDoNotDisagreeByThemselves) {
  v1::DecisionRecord record = RecordOf(SafeFacts());
  record.set_rules_digest("0123");
  const v1::DecisionReplay replay = Replay(record);
  EXPECT_FALSE(replay.same_rules());
  EXPECT_EQ(replay.present_rules_digest(), RulesDigest());
  EXPECT_TRUE(replay.agrees());
}

// A field of a newer vufd could be a reason against the migration.
TEST(ReplayTest, WhatIsNotKnownNeverAgrees) {
  v1::DecisionRecord record = RecordOf(SafeFacts());
  record.mutable_verdict()
      ->GetReflection()
      ->MutableUnknownFields(record.mutable_verdict())
      ->AddVarint(999, 1);
  EXPECT_FALSE(Replay(record).agrees());

  record = RecordOf(SafeFacts());
  record.mutable_facts()->append("\xb8\x3e\x01", 3);  // field 999, 1
  record.set_evidence_digest(Sha256(record.facts()));
  EXPECT_THAT(std::string(ReplayDecision(record).status().message()),
              HasSubstr("not known to this program"));
}

TEST(ReplayTest, FactsThatCannotBeReadAreAnErrorThatNamesTheDigest) {
  v1::DecisionRecord record = RecordOf(SafeFacts());
  record.set_facts("\xff\xff");
  const absl::Status status = ReplayDecision(record).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("evidence_digest does not match"), HasSubstr("cannot be read")));
}

TEST(ReplayTest, ATriggerThatIsNotKnownIsAnError) {
  v1::DecisionRecord record = RecordOf(SafeFacts());
  record.clear_trigger();
  EXPECT_FALSE(ReplayDecision(record).ok());
}

// As at pre-switchover: the guest is stopped, and a permit is armed at the keeper.
class RecheckTest : public ::testing::Test {
 protected:
  RecheckTest() : judged_(SafeKeeperFacts()), now_(judged_) {
    now_.source.run_state.value = "finish-migrate";
    now_.source.migration_status.value = "pre-switchover";
    now_.destination->migration_status.value = "active";
    KeeperFacts& keeper = *now_.source.devices.value->at(0).back_end.keeper.value;
    keeper.phase = KeeperFacts::Phase::kArmed;
    keeper.permit = "p1";
  }
  v1::DecisionRecord Record(const std::vector<std::string>& changes) {
    v1::DecisionRecord record = MakeRecheckRecord(judged_, now_, changes);
    record.set_name("decisions/d2");
    record.set_trigger(v1::DECISION_TRIGGER_SWITCHOVER);
    v1::KeeperPermit& permit = *record.add_permits();
    permit.set_device("fs0");
    permit.set_permit("p1");
    permit.set_mode(v1::MIGRATION_MODE_STATELESS);
    return record;
  }

  Facts judged_;
  Facts now_;
};

TEST_F(RecheckTest, OneThatFoundNothingAgrees) {
  const v1::DecisionReplay replay = Replay(Record({}));
  EXPECT_TRUE(replay.agrees()) << replay.DebugString();
}

TEST_F(RecheckTest, OneThatShouldHaveStoppedDiffers) {
  now_.source.devices.value->at(0).back_end.keeper.value->permit = "p2";
  EXPECT_THAT(Differences(Replay(Record({}))),
              ElementsAre(AllOf(HasSubstr("||changes||"), HasSubstr("p1 armed any more"))));
  now_.source.devices.value->at(0).back_end.keeper.value->permit = "p1";
  now_.source.process.value->pid += 1;
  EXPECT_FALSE(Replay(Record({})).agrees());
}

TEST_F(RecheckTest, TheFactsItWasComparedWithHaveADigestOfTheirOwn) {
  v1::DecisionRecord record = Record({});
  judged_.endpoints.emplace_back();
  record.set_judged_facts(SerializeFacts(judged_));
  EXPECT_THAT(Replay(record).damage(), ElementsAre(HasSubstr("judged_digest does not match")));
}

// Records of vufd 0.1.0 as "vufctl decisions export" printed them. They are never written anew:
// what they hold must be readable for ever. Rules may change, and with them what follows from the
// facts.
class GoldenTest : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenTest, AnOldRecordStillReplays) {
  std::ifstream file(absl::StrCat("server/decisions/testdata/", GetParam()));
  const std::string json(std::istreambuf_iterator<char>(file), {});
  v1::DecisionRecord record;
  const auto parsed = google::protobuf::util::JsonStringToMessage(json, &record);
  ASSERT_TRUE(parsed.ok()) << parsed.message();
  const v1::DecisionReplay replay = Replay(record);
  EXPECT_EQ(replay.name(), record.name());
  EXPECT_THAT(replay.damage(), IsEmpty());
  EXPECT_TRUE(replay.agrees() || !replay.same_rules()) << replay.DebugString();
  // Who took part is read from the facts alone, by whatever rules.
  EXPECT_THAT(Differences(replay), Not(Contains(HasSubstr("|fingerprint|"))));
}

INSTANTIATE_TEST_SUITE_P(All, GoldenTest,
                         ::testing::Values("allowed-0.1.0.json", "refused-0.1.0.json",
                                           "switchover-0.1.0.json"));

}  // namespace
}  // namespace vuf
