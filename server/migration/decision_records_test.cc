// What a migration writes down of its decisions, and when.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/migration/migration_world.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class DecisionRecordsTest : public ::testing::Test {
 protected:
  DecisionRecordsTest() { world_.Start(); }
  std::vector<v1::DecisionRecord> records() { return world_.decisions.records(); }

  MigrationWorld world_;
};

TEST_F(DecisionRecordsTest, OneForTheDecisionAndOneForTheRecheck) {
  v1::Migration request = world_.Request();
  request.set_requested_by("unix:; calls itself test");
  const v1::Migration migration = world_.Migrate(request);
  EXPECT_EQ(migration.state(), v1::Migration::STATE_SUCCEEDED) << migration.message();
  ASSERT_THAT(records(), SizeIs(2));
  const v1::DecisionRecord decision = records()[0], recheck = records()[1];
  EXPECT_EQ(decision.trigger(), v1::DECISION_TRIGGER_CREATE_MIGRATION);
  EXPECT_EQ(decision.verdict().SerializeAsString(), migration.verdict().SerializeAsString());
  EXPECT_EQ(migration.verdict().decision_record(), decision.name());
  EXPECT_EQ(recheck.trigger(), v1::DECISION_TRIGGER_SWITCHOVER);
  EXPECT_FALSE(recheck.has_verdict());
  EXPECT_THAT(recheck.changes(), IsEmpty());
  EXPECT_EQ(recheck.judged_digest(), decision.evidence_digest());
  for (const v1::DecisionRecord& record : records()) {
    EXPECT_EQ(record.vm(), kVm);
    EXPECT_EQ(record.migration(), migration.name());
    EXPECT_EQ(record.actor(), "unix:; calls itself test");
    EXPECT_EQ(record.request().destination().same_host().qmp_socket(), kDestination);
    EXPECT_EQ(record.evidence_digest().size(), 64u);
  }
}

TEST_F(DecisionRecordsTest, TheDecisionIsDurableBeforeAnythingIsTouched) {
  std::vector<std::string> durable;
  world_.qemu.Before(kSource, FakeCall::kConfigure, [&] { durable = world_.decisions.durable(); });
  const v1::Migration migration = world_.Migrate();
  EXPECT_THAT(durable, ElementsAre(migration.verdict().decision_record()));
}

TEST_F(DecisionRecordsTest, TheSwitchOverDoesNotWaitForItsRecord) {
  size_t before = 99;
  world_.qemu.Before(kSource, FakeCall::kMigrateContinue, [&] { before = records().size(); });
  const v1::Migration migration = world_.Migrate();
  EXPECT_EQ(before, 1u);
  EXPECT_THAT(world_.decisions.durable(), ElementsAre(migration.verdict().decision_record()));
}

TEST_F(DecisionRecordsTest, ADecisionThatCannotBeWrittenLeavesTheGuestUntouched) {
  world_.decisions.Fail(absl::ResourceExhaustedError("no space left"));
  const v1::Migration migration = world_.Migrate();
  EXPECT_EQ(migration.state(), v1::Migration::STATE_FAILED);
  EXPECT_THAT(migration.message(), HasSubstr("writing down the decision: no space left"));
  EXPECT_THAT(migration.message(), HasSubstr("at the source"));
  EXPECT_EQ(migration.verdict().decision_record(), "");
  EXPECT_THAT(world_.qemu.Actions(), IsEmpty());
  EXPECT_TRUE(world_.SourceRuns());
}

TEST_F(DecisionRecordsTest, WithoutALogNothingIsMigrated) {
  world_.Stop();
  world_.options.decisions = nullptr;
  world_.Start();
  EXPECT_EQ(world_.Migrate().state(), v1::Migration::STATE_FAILED);
  EXPECT_THAT(world_.qemu.Actions(), IsEmpty());
}

TEST_F(DecisionRecordsTest, ARefusalIsTheAnswerThoughItCannotBeWritten) {
  world_.Stop();
  world_.options.evaluate = [](const Facts&) {
    Verdict verdict;
    verdict.blockers.push_back({"SOME_CODE"});
    return verdict;
  };
  world_.Start();
  const v1::Migration written = world_.Migrate();
  EXPECT_EQ(written.state(), v1::Migration::STATE_REFUSED);
  EXPECT_THAT(world_.decisions.durable(), ElementsAre(written.verdict().decision_record()));
  world_.decisions.Fail(absl::InternalError("disk"));
  const v1::Migration unwritten = world_.Migrate();
  EXPECT_EQ(unwritten.state(), v1::Migration::STATE_REFUSED);
  EXPECT_EQ(unwritten.verdict().blockers(0).code(), "SOME_CODE");
  EXPECT_EQ(unwritten.verdict().decision_record(), "");
}

TEST_F(DecisionRecordsTest, ARecheckThatStopsSaysWhatChanged) {
  world_.qemu.Before(kSource, FakeCall::kStartOutgoing, [&] {
    world_.host.SetBackEnd(kDestinationFs, TestBackEnd(kDestinationFs, 999));
  });
  const v1::Migration migration = world_.Migrate();
  EXPECT_EQ(migration.state(), v1::Migration::STATE_FAILED);
  ASSERT_THAT(records(), SizeIs(2));
  const v1::DecisionRecord recheck = records()[1];
  ASSERT_GT(recheck.changes_size(), 0);
  for (const std::string& change : recheck.changes()) {
    EXPECT_THAT(migration.message(), HasSubstr(change));
  }
}

}  // namespace
}  // namespace vuf
