// Sequential migrations: the source's QEMU ends before the destination's begins.
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/migration/sequential_world.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

using Phase = KeeperFacts::Phase;
using State = v1::Migration::State;

class SequentialTest : public ::testing::Test {
 protected:
  SequentialTest() : file_(world_.state_file()) { world_.Start(); }

  void AddDestination(const std::string& guest_name = "guest",
                      FakeOutcome outcome = FakeOutcome::kCompletes) {
    world_.AddDestination(guest_name, outcome);
  }
  v1::Migration Request() const { return world_.SequentialRequest(); }
  // Until the guest is in the file and the source has gone; returns the migration's name.
  std::string Save() { return Save(Request()); }
  std::string Save(const v1::Migration& request) {
    const absl::StatusOr<v1::Migration> created = world_.Create(request);
    if (!created.ok()) {
      ADD_FAILURE() << created.status();
      return "";
    }
    EXPECT_TRUE(world_.AwaitThat([&] {
      return StateOf(created->name()) == v1::Migration::STATE_AWAITING_DESTINATION &&
             !world_.qemu.Alive(kSource);
    })) << world_.migrator->Get(created->name())->message();
    return created->name();
  }
  State StateOf(const std::string& name) { return world_.migrator->Get(name)->state(); }
  bool AwaitMessage(const std::string& name, const std::string& words) {
    return world_.AwaitThat(
        [&] { return absl::StrContains(world_.migrator->Get(name)->message(), words); });
  }
  bool FileExists() const { return access(file_.c_str(), F_OK) == 0; }
  std::vector<Record> Saved() { return *world_.store.ReadAll(Table::kSavedGuests); }
  void ExpectBroughtUp(const std::string& name) {
    const v1::Migration migration = world_.Await(name);
    EXPECT_EQ(migration.state(), v1::Migration::STATE_SUCCEEDED) << migration.message();
    EXPECT_EQ(migration.message(), "");
    EXPECT_TRUE(world_.DestinationRuns());
    EXPECT_FALSE(world_.qemu.SplitBrain());
    EXPECT_EQ(world_.RegisteredMonitor(), kDestination);
    EXPECT_EQ(world_.keepers.Facts(kKeeper).phase, Phase::kNone);
    EXPECT_FALSE(FileExists());
    EXPECT_THAT(Saved(), IsEmpty());
  }
  void ExpectAtSource(const v1::Migration& migration, State state) {
    EXPECT_EQ(migration.state(), state) << migration.message();
    EXPECT_TRUE(world_.SourceRuns()) << migration.message();
    EXPECT_EQ(world_.keepers.Facts(kKeeper).phase, Phase::kNone);
    EXPECT_FALSE(FileExists());
    EXPECT_THAT(Saved(), IsEmpty());
  }

  SequentialWorld world_;
  const std::string file_;
};

TEST_F(SequentialTest, TheGuestWaitsForItsDestination) {
  const std::string name = Save();
  EXPECT_EQ(world_.StoredState(name), v1::Migration::STATE_AWAITING_DESTINATION);
  EXPECT_EQ(world_.keepers.Facts(kKeeper).phase, Phase::kSaved);
  EXPECT_EQ(world_.keepers.LastPermit(kKeeper).destination_inode, 0u);
  EXPECT_TRUE(FileExists());
  EXPECT_THAT(Saved(), SizeIs(1));
  AddDestination();
  ExpectBroughtUp(name);
  EXPECT_EQ(world_.keepers.LastPermit(kKeeper).destination_inode, kDestinationInode);
}

TEST_F(SequentialTest, ADestinationThatIsThereAlreadyIsNotTouchedBeforeTheSourceHasGone) {
  AddDestination();
  bool source_was_there = false;
  world_.qemu.Before(kDestination, FakeCall::kConnect,
                     [&] { source_was_there = world_.qemu.Alive(kSource); });
  ExpectBroughtUp(world_.Create(Request())->name());
  EXPECT_FALSE(source_was_there);
}

TEST_F(SequentialTest, ARefusedDestinationIsLeftAlone) {
  const std::string name = Save();
  AddDestination("wrong");
  EXPECT_TRUE(AwaitMessage(name, "SPOILED"));
  EXPECT_TRUE(world_.qemu.Alive(kDestination));
  EXPECT_FALSE(world_.Did(absl::StrCat(kDestination, " PrepareIncoming")));
  EXPECT_EQ(StateOf(name), v1::Migration::STATE_AWAITING_DESTINATION);
  world_.qemu.Die(kDestination);
  AddDestination();
  ExpectBroughtUp(name);
}

TEST_F(SequentialTest, ADestinationThatGoesOnBeingRefusedIsWrittenDownOnce) {
  const std::string name = Save();
  AddDestination("wrong");
  ASSERT_TRUE(AwaitMessage(name, "SPOILED"));
  const int looks = world_.qemu.CallCount(kDestination, FakeCall::kObserve);
  ASSERT_TRUE(world_.AwaitThat(
      [&] { return world_.qemu.CallCount(kDestination, FakeCall::kObserve) > looks + 1; }));
  const std::string refused = world_.migrator->Get(name)->verdict().decision_record();
  world_.qemu.Die(kDestination);
  AddDestination();
  EXPECT_EQ(world_.Await(name).state(), v1::Migration::STATE_SUCCEEDED);
  std::vector<std::string> judged;
  for (const v1::DecisionRecord& record : world_.decisions.records()) {
    if (record.trigger() == v1::DECISION_TRIGGER_DESTINATION) judged.push_back(record.name());
  }
  EXPECT_THAT(judged,
              ElementsAre(refused, world_.migrator->Get(name)->verdict().decision_record()));
}

TEST_F(SequentialTest, ADestinationThatFailsIsEndedAndTheNextOneIsTaken) {
  for (const FakeOutcome outcome :
       {FakeOutcome::kDestinationLoadFails, FakeOutcome::kDestinationDies}) {
    SCOPED_TRACE(static_cast<int>(outcome));
    const std::string name =
        world_.migrator->List().empty() ? Save() : world_.migrator->List()[0].name();
    AddDestination("guest", outcome);
    EXPECT_TRUE(world_.AwaitThat([&] { return !world_.qemu.Alive(kDestination); }));
    EXPECT_TRUE(AwaitMessage(name, "Start another one"));
    EXPECT_EQ(world_.keepers.Facts(kKeeper).phase, Phase::kSaved);
  }
  AddDestination();
  ExpectBroughtUp(world_.migrator->List()[0].name());
}

TEST_F(SequentialTest, ARestartGoesOnWaiting) {
  const std::string name = Save();
  world_.Stop();
  world_.Start();
  EXPECT_EQ(StateOf(name), v1::Migration::STATE_AWAITING_DESTINATION);
  AddDestination();
  ExpectBroughtUp(name);
}

// vufd ended between the source's save and its end.
TEST_F(SequentialTest, ARestartEndsASourceThatIsStillThere) {
  world_.qemu.Fail(kSource, FakeCall::kQuit, {absl::FailedPreconditionError("not now")});
  const absl::StatusOr<v1::Migration> created = world_.Create(Request());
  ASSERT_TRUE(world_.AwaitThat(
      [&] { return StateOf(created->name()) == v1::Migration::STATE_AWAITING_DESTINATION; }));
  world_.Stop();
  ASSERT_TRUE(world_.qemu.Alive(kSource));
  world_.qemu.Fail(kSource, FakeCall::kQuit, {absl::OkStatus(), 0, 0});
  world_.Start();
  EXPECT_TRUE(world_.AwaitThat([&] { return !world_.qemu.Alive(kSource); }));
  AddDestination();
  ExpectBroughtUp(created->name());
}

TEST_F(SequentialTest, ARestartGoesOnWithADestinationThatHasLoaded) {
  const std::string name = Save();
  // The commit cannot be written, nor can the destination be told to quit: as if vufd ended there.
  world_.qemu.Before(kDestination, FakeCall::kPrepareIncoming, [&] {
    world_.store.FailWrites(absl::InternalError("disk"), 1);
    world_.qemu.Fail(kDestination, FakeCall::kQuit, {absl::UnavailableError("gone")});
  });
  AddDestination();
  ASSERT_TRUE(AwaitMessage(name, "disk"));
  world_.Stop();
  EXPECT_EQ(world_.qemu.RunState(kDestination), "paused");
  world_.Start();
  ExpectBroughtUp(name);
}

TEST_F(SequentialTest, AfterItsTimeTheSameRequestGoesOn) {
  v1::Migration request = Request();
  request.mutable_timeout()->set_seconds(1);
  const v1::Migration failed = world_.Await(Save(request));
  EXPECT_EQ(failed.state(), v1::Migration::STATE_FAILED);
  EXPECT_THAT(failed.message(), HasSubstr(file_));
  EXPECT_TRUE(FileExists());
  EXPECT_THAT(Saved(), SizeIs(1));
  world_.Stop();
  world_.Start();
  const absl::Status other = world_.Create(world_.Request()).status();
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(other.message()), HasSubstr(file_));
  const std::string again = Save();
  AddDestination();
  ExpectBroughtUp(again);
}

TEST_F(SequentialTest, ThereIsNoWayBackFromTheFile) {
  const std::string name = Save();
  const absl::Status cancelled = world_.migrator->Cancel(name).status();
  EXPECT_EQ(cancelled.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(cancelled.message()), HasSubstr(file_));
  AddDestination();
  ExpectBroughtUp(name);
}

TEST_F(SequentialTest, ASourceThatSomebodyResumesKeepsTheGuest) {
  world_.qemu.Fail(kSource, FakeCall::kQuit, {absl::FailedPreconditionError("not now")});
  world_.qemu.Before(kSource, FakeCall::kQuit,
                     [&] { ASSERT_TRUE(world_.qemu.ContByOther(kSource).ok()); });
  const v1::Migration migration = world_.Await(world_.Create(Request())->name());
  EXPECT_EQ(migration.state(), v1::Migration::STATE_FAILED);
  EXPECT_THAT(migration.message(), HasSubstr("resumed the source"));
  EXPECT_TRUE(world_.SourceRuns());
  EXPECT_THAT(Saved(), IsEmpty());
}

TEST_F(SequentialTest, WhatFailsBeforeTheFileIsCompleteStaysAtTheSource) {
  for (const FakeOutcome outcome :
       {FakeOutcome::kFailsWhileActive, FakeOutcome::kFailsAtSwitchover}) {
    world_.qemu.SetOutcome(kSource, outcome);
    ExpectAtSource(world_.Migrate(Request()), v1::Migration::STATE_FAILED);
  }
  world_.qemu.SetOutcome(kSource, FakeOutcome::kCompletes);
  world_.keepers.Fail(kKeeper, KeeperCall::kArm, {absl::FailedPreconditionError("no"), 0, 1});
  ExpectAtSource(world_.Migrate(Request()), v1::Migration::STATE_FAILED);
  // The record of the saved guest cannot be written: the source has saved, and goes on.
  world_.qemu.Before(kSource, FakeCall::kMigrateContinue,
                     [&] { world_.store.FailWrites(absl::InternalError("disk"), 1); });
  ExpectAtSource(world_.Migrate(Request()), v1::Migration::STATE_FAILED);
}

TEST_F(SequentialTest, CancelledWhileItIsWrittenItStaysAtTheSource) {
  world_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  const std::string name = world_.Create(Request())->name();
  ASSERT_TRUE(world_.AwaitThat([&] { return world_.qemu.MigrationStatus(kSource) == "active"; }));
  ASSERT_TRUE(world_.migrator->Cancel(name).ok());
  ExpectAtSource(world_.Await(name), v1::Migration::STATE_CANCELLED);
}

TEST_F(SequentialTest, AFileThatExistsIsRefusedByItsName) {
  std::ofstream(file_) << "precious";
  const absl::Status status = world_.Create(Request()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("sequential.state_file"));
  EXPECT_THAT(world_.qemu.Actions(), Not(testing::Contains(HasSubstr("StartOutgoing"))));
}

TEST_F(SequentialTest, AnotherFileInItsPlaceIsNotLoaded) {
  const std::string name = Save();
  std::ofstream(file_) << "another guest";
  AddDestination();
  EXPECT_TRUE(AwaitMessage(name, "is not the state file that was written"));
  EXPECT_FALSE(world_.Did(absl::StrCat(kDestination, " PrepareIncoming")));
  EXPECT_TRUE(world_.qemu.Alive(kDestination));
}

TEST_F(SequentialTest, AGuestThatWasPausedStaysPaused) {
  world_.qemu.StopByOther(kSource);
  const std::string name = Save();
  AddDestination();
  const v1::Migration migration = world_.Await(name);
  EXPECT_EQ(migration.state(), v1::Migration::STATE_SUCCEEDED) << migration.message();
  EXPECT_EQ(world_.qemu.RunState(kDestination), "paused");
}

}  // namespace
}  // namespace vuf
