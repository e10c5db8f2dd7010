// Whatever fails, and wherever: exactly one copy of the guest runs in the end.
#include <string>
#include <tuple>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/migration/migration_world.h"

namespace vuf {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using OneFailure = std::tuple<const char*, FakeCall, absl::StatusCode, bool, int>;

// The vm, the call, how it fails, whether it took effect, how many such calls went well before.
class OneFailureTest : public ::testing::TestWithParam<OneFailure> {};

TEST_P(OneFailureTest, ExactlyOneCopyRuns) {
  const auto& [vm, call, code, after_effect, skip] = GetParam();
  MigrationWorld world;
  world.Start();
  FakeConnector::Failure failure;
  failure.status = absl::Status(code, "QEMU says no");
  failure.skip = skip;
  failure.times = 1;
  failure.after_effect = after_effect;
  world.qemu.Fail(vm, call, failure);
  const v1::Migration migration = world.Migrate();
  const bool at_destination = migration.state() == v1::Migration::STATE_SUCCEEDED;
  EXPECT_EQ(world.DestinationRuns(), at_destination) << migration.DebugString();
  EXPECT_EQ(world.SourceRuns(), !at_destination) << migration.DebugString();
  EXPECT_FALSE(world.qemu.SplitBrain());
  EXPECT_EQ(world.RegisteredMonitor(), at_destination ? kDestination : kSource);
  EXPECT_EQ(world.StoredState(migration.name()), migration.state());
  EXPECT_FALSE(world.qemu.Settings(kSource).capabilities["pause-before-switchover"])
      << migration.message();
  if (migration.state() == v1::Migration::STATE_FAILED) {
    EXPECT_THAT(migration.message(), HasSubstr("at the source")) << migration.message();
  }
}

INSTANTIATE_TEST_SUITE_P(
    EveryCall, OneFailureTest,
    ::testing::Combine(
        ::testing::Values(kSource, kDestination),
        ::testing::Values(FakeCall::kConnect, FakeCall::kObserve, FakeCall::kObserveAgain,
                          FakeCall::kQueryMigration, FakeCall::kQueryStanding,
                          FakeCall::kQueryRunState, FakeCall::kConfigure,
                          FakeCall::kPrepareIncoming, FakeCall::kStartOutgoing, FakeCall::kAwait,
                          FakeCall::kMigrateContinue, FakeCall::kCont, FakeCall::kQuit),
        ::testing::Values(absl::StatusCode::kUnavailable, absl::StatusCode::kDeadlineExceeded),
        ::testing::Bool(), ::testing::Values(0, 1, 2)));

INSTANTIATE_TEST_SUITE_P(
    EveryRefusal, OneFailureTest,
    ::testing::Combine(::testing::Values(kSource, kDestination),
                       ::testing::Values(FakeCall::kConfigure, FakeCall::kPrepareIncoming,
                                         FakeCall::kStartOutgoing, FakeCall::kMigrateContinue,
                                         FakeCall::kCont),
                       ::testing::Values(absl::StatusCode::kFailedPrecondition),
                       ::testing::Values(false), ::testing::Values(0)));

class FailureTest : public ::testing::Test {
 protected:
  FailureTest() { world_.Start(); }
  // The next write, once the destination reports its end, is the commit.
  void FailTheCommit() {
    world_.qemu.Before(kDestination, FakeCall::kQueryStanding, [this] {
      if (failed_) return;
      failed_ = true;
      world_.store.FailWrites(absl::ResourceExhaustedError("the disk is full"));
    });
  }
  void ExpectAtTheSource(const v1::Migration& migration) {
    EXPECT_EQ(migration.state(), v1::Migration::STATE_FAILED) << migration.message();
    EXPECT_TRUE(world_.SourceRuns()) << migration.message();
    EXPECT_FALSE(world_.DestinationRuns());
    EXPECT_FALSE(world_.qemu.SplitBrain());
    EXPECT_FALSE(world_.Did("/run/b.qmp Cont"));
  }

  bool failed_ = false;
  MigrationWorld world_;
};

TEST_F(FailureTest, ACommitThatCannotBeWrittenStartsNothingAtTheDestination) {
  FailTheCommit();
  const v1::Migration migration = world_.Migrate();
  ExpectAtTheSource(migration);
  EXPECT_FALSE(world_.qemu.Alive(kDestination));
  EXPECT_THAT(migration.message(), HasSubstr("the disk is full"));
}

// Resuming is right all the same: a destination started with -S runs only when it is told to, and
// nobody but vufd tells it. The operator hears that a complete copy is left lying about.
TEST_F(FailureTest, TheSourceIsResumedEvenIfTheDestinationDoesNotConfirmThatItQuits) {
  FailTheCommit();
  world_.qemu.Fail(kDestination, FakeCall::kQuit, {absl::DeadlineExceededError("no answer")});
  const v1::Migration migration = world_.Migrate();
  ExpectAtTheSource(migration);
  EXPECT_THAT(migration.message(), HasSubstr("kill it before anything else"));
}

TEST_F(FailureTest, EveryWayInWhichQemuFails) {
  for (const FakeOutcome outcome :
       {FakeOutcome::kFailsWhileActive, FakeOutcome::kFailsAtSwitchover,
        FakeOutcome::kDestinationLoadFails, FakeOutcome::kDestinationDies,
        FakeOutcome::kDestinationNeverReports}) {
    MigrationWorld world;
    world.options.settle_timeout = absl::Milliseconds(300);
    world.qemu.SetOutcome(kSource, outcome);
    world.Start();
    const v1::Migration migration = world.Migrate();
    EXPECT_EQ(migration.state(), v1::Migration::STATE_FAILED) << static_cast<int>(outcome);
    EXPECT_TRUE(world.SourceRuns()) << static_cast<int>(outcome) << migration.message();
    EXPECT_FALSE(world.qemu.SplitBrain());
  }
}

TEST_F(FailureTest, QuotesQemu) {
  world_.qemu.SetOutcome(kSource, FakeOutcome::kFailsAtSwitchover);
  EXPECT_THAT(world_.Migrate().message(), HasSubstr("pre-save failed: vhost-user-fs-backend"));
}

TEST_F(FailureTest, QuotesADestinationThatCannotLoad) {
  world_.qemu.SetOutcome(kSource, FakeOutcome::kDestinationLoadFails);
  EXPECT_THAT(world_.Migrate().message(),
              AllOf(HasSubstr("Sibling indicated error 1"),
                    HasSubstr("The destination QEMU says: load of migration failed")));
}

TEST_F(FailureTest, ASwitchOverThatHangsIsCancelledWhenTheTimeIsUp) {
  world_.qemu.SetOutcome(kSource, FakeOutcome::kStuckAtSwitchover);
  v1::Migration request = world_.Request();
  request.mutable_timeout()->set_nanos(200000000);
  const v1::Migration migration = world_.Migrate(request);
  ExpectAtTheSource(migration);
  EXPECT_THAT(migration.message(), HasSubstr("timed out"));
}

TEST_F(FailureTest, ASourceThatDiesAfterTheSwitchOverLeavesTheDestinationsCopyAlone) {
  world_.qemu.SetOutcome(kSource, FakeOutcome::kSourceDiesAfterSwitchover);
  const v1::Migration migration = world_.Migrate();
  EXPECT_EQ(migration.state(), v1::Migration::STATE_FAILED);
  EXPECT_TRUE(world_.qemu.Alive(kDestination));
  EXPECT_EQ(world_.qemu.RunState(kDestination), "paused");
  EXPECT_THAT(migration.message(), HasSubstr("not known"));
}

// While vufd looks a last time, somebody else says `migrate-continue`, and then the source dies.
TEST_F(FailureTest, ASourceThatHandedOverBehindVufdsBackAndDiesLeavesTheGuestToTheDestination) {
  world_.qemu.SetOutcome(kSource, FakeOutcome::kSourceDiesAfterSwitchover);
  world_.qemu.Before(kSource, FakeCall::kObserveAgain, [&] {
    const absl::Time soon = absl::Now() + absl::Seconds(10);
    auto other = *world_.qemu.Connect(kSource, soon);
    EXPECT_TRUE(other->Do(Hypervisor::Act::kMigrateContinue, soon).ok());
    world_.host.SetGone({100, 1000});
  });
  const v1::Migration migration = world_.Migrate();
  EXPECT_EQ(migration.state(), v1::Migration::STATE_SUCCEEDED) << migration.message();
  EXPECT_TRUE(world_.DestinationRuns());
}

TEST_F(FailureTest, ABackEndThatChangedIsNotSwitchedOverTo) {
  world_.qemu.Before(kSource, FakeCall::kStartOutgoing, [this] {
    world_.host.SetBackEnd(kDestinationFs, TestBackEnd(kDestinationFs, 999));
  });
  const v1::Migration migration = world_.Migrate();
  ExpectAtTheSource(migration);
  EXPECT_FALSE(world_.Did("/run/a.qmp MigrateContinue"));
  EXPECT_THAT(migration.message(), HasSubstr("pid 999"));
}

// Nothing else would end this one: memory is copied for ever.
TEST_F(FailureTest, ARegisteredBackEndThatEndsWhileMemoryIsCopiedEndsTheMigration) {
  v1::Endpoint endpoint;
  endpoint.set_name("endpoints/b");
  endpoint.set_socket_path(kDestinationFs);
  endpoint.mutable_back_end()->set_pid(201);
  endpoint.mutable_back_end()->set_start_ticks(2000);
  const absl::Time soon = absl::Now() + absl::Seconds(20);
  ASSERT_TRUE(world_.registry->CreateEndpoint(endpoint, {}, soon).ok());
  world_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  const absl::StatusOr<v1::Migration> begun = world_.Create(world_.Request());
  ASSERT_TRUE(begun.ok()) << begun.status();
  ASSERT_TRUE(world_.AwaitThat([&] { return world_.Did("/run/a.qmp StartOutgoing"); }));
  const auto leave = [](v1::Endpoint& left) {
    left.clear_back_end();
    left.set_generation(left.generation() + 1);
    return absl::OkStatus();
  };
  ASSERT_TRUE(world_.registry->UpdateEndpoint("endpoints/b", leave, soon).ok());
  const v1::Migration migration = world_.Await(begun->name());
  ExpectAtTheSource(migration);
  EXPECT_TRUE(world_.Did("/run/a.qmp MigrateCancel"));
  EXPECT_THAT(migration.message(),
              HasSubstr("endpoints/b changed since the decision (its back-end, "
                        "pid 201 started at tick 2000, has ended"));
}

// It was told to `cont` while it waited, so it ran as soon as it had the guest.
TEST_F(FailureTest, ADestinationThatRanWithoutVufdIsWhereTheVmIs) {
  world_.qemu.Before(kSource, FakeCall::kMigrateContinue,
                     [this] { EXPECT_TRUE(world_.qemu.ContByOther(kDestination).ok()); });
  const v1::Migration migration = world_.Migrate();
  EXPECT_EQ(migration.state(), v1::Migration::STATE_FAILED);
  EXPECT_TRUE(world_.DestinationRuns());
  EXPECT_FALSE(world_.qemu.SplitBrain());
  EXPECT_FALSE(world_.Did("/run/a.qmp Cont"));
  EXPECT_THAT(migration.message(), HasSubstr("never be resumed"));
}

TEST_F(FailureTest, SomebodyElsesMigrationIsNotCancelled) {
  world_.qemu.Fail(
      kSource, FakeCall::kStartOutgoing,
      {absl::FailedPreconditionError("migrate: There's a migration process in progress")});
  const v1::Migration migration = world_.Migrate();
  ExpectAtTheSource(migration);
  EXPECT_FALSE(world_.Did("/run/a.qmp MigrateCancel"));
  EXPECT_THAT(migration.message(), HasSubstr("There's a migration process in progress"));
}

TEST_F(FailureTest, WhatBlocksModeNormalIsReadAfterTheModeWasSet) {
  world_.qemu.ChangeFacts(kSource, [](VmFacts& vm) {
    vm.migration_mode.value = "cpr-reboot";
    vm.blocked_reasons.value = {"Migration disabled: vhost lacks VHOST_F_LOG_ALL feature."};
  });
  world_.qemu.AddVm([] {
    VmFacts vm = TestVm(kSource, kSourceFs, 100, "running");
    vm.migration_mode.value = "cpr-reboot";
    vm.blocked_reasons.value = {"Migration disabled: vhost lacks VHOST_F_LOG_ALL feature."};
    return vm;
  }());
  world_.qemu.Link(kSource, kDestination);
  const v1::Migration migration = world_.Migrate();
  ExpectAtTheSource(migration);
  EXPECT_THAT(migration.message(), HasSubstr("VHOST_F_LOG_ALL"));
  EXPECT_EQ(world_.qemu.Settings(kSource).mode, "cpr-reboot");
  EXPECT_FALSE(world_.Did("/run/a.qmp StartOutgoing"));
}

TEST_F(FailureTest, ADestinationThatCannotBeToldToRunIsStillTheOnlyOwner) {
  world_.Stop();
  world_.options.settle_timeout = absl::Milliseconds(200);
  world_.Start();
  world_.qemu.Fail(kDestination, FakeCall::kCont, {absl::FailedPreconditionError("no")});
  const v1::Migration migration = world_.Migrate();
  EXPECT_EQ(migration.state(), v1::Migration::STATE_FAILED);
  EXPECT_EQ(world_.qemu.RunState(kSource), "postmigrate");
  EXPECT_TRUE(world_.qemu.Alive(kDestination));
  EXPECT_THAT(migration.message(), HasSubstr("belongs to the destination"));
}

TEST_F(FailureTest, ASourceThatNeverAnswersAgainIsSaidToBeUnknown) {
  world_.Stop();
  world_.options.settle_timeout = absl::Milliseconds(200);
  world_.Start();
  world_.qemu.Before(kSource, FakeCall::kMigrateContinue, [this] {
    world_.qemu.Fail(kSource, FakeCall::kAwait, {absl::DeadlineExceededError("hangs")});
    world_.qemu.Fail(kSource, FakeCall::kConnect, {absl::DeadlineExceededError("hangs")});
  });
  const v1::Migration migration = world_.Migrate();
  EXPECT_EQ(migration.state(), v1::Migration::STATE_FAILED);
  EXPECT_TRUE(world_.qemu.Alive(kDestination));
  EXPECT_FALSE(world_.Did("/run/b.qmp Cont"));
  EXPECT_THAT(migration.message(), HasSubstr("not known"));
}

TEST_F(FailureTest, AGuestThatAnOperatorStopsMeanwhileIsNotStartedElsewhere) {
  world_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  const std::string name = world_.Create(world_.Request())->name();
  ASSERT_TRUE(world_.AwaitThat([&] { return world_.qemu.MigrationStatus(kSource) == "active"; }));
  world_.qemu.StopByOther(kSource);
  const v1::Migration migration = world_.Await(name);
  EXPECT_EQ(migration.state(), v1::Migration::STATE_FAILED) << migration.message();
  EXPECT_THAT(migration.message(), HasSubstr("from running to paused"));
  EXPECT_EQ(world_.qemu.RunState(kSource), "paused");
  EXPECT_FALSE(world_.DestinationRuns());
}

TEST_F(FailureTest, APausedGuestThatAnOperatorResumesMeanwhileGoesOnAtTheSource) {
  world_.qemu.StopByOther(kSource);
  world_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  const std::string name = world_.Create(world_.Request())->name();
  ASSERT_TRUE(world_.AwaitThat([&] { return world_.qemu.MigrationStatus(kSource) == "active"; }));
  ASSERT_TRUE(world_.qemu.ContByOther(kSource).ok());
  const v1::Migration migration = world_.Await(name);
  EXPECT_EQ(migration.state(), v1::Migration::STATE_FAILED) << migration.message();
  EXPECT_THAT(migration.message(), HasSubstr("from paused to running"));
  EXPECT_FALSE(world_.DestinationRuns());
}

}  // namespace
}  // namespace vuf
