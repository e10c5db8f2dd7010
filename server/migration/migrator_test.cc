// What a caller of the migrator sees when nothing fails, and when somebody stops it.
#include "server/migration/migrator.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/convert/convert.h"
#include "server/migration/migration_world.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class MigratorTest : public ::testing::Test {
 protected:
  MigratorTest() { world_.Start(); }
  // A migration that is under way and stays so until it is stopped.
  std::string StartEndless() {
    world_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
    const std::string name = world_.Create(world_.Request())->name();
    EXPECT_TRUE(world_.AwaitThat(
        [&] { return world_.qemu.CallCount(kSource, FakeCall::kStartOutgoing) > 0; }));
    return name;
  }

  MigrationWorld world_;
};

TEST_F(MigratorTest, MovesTheGuestInThisOrder) {
  const v1::Migration migration = world_.Migrate();
  EXPECT_EQ(migration.state(), v1::Migration::STATE_SUCCEEDED) << migration.message();
  EXPECT_EQ(migration.message(), "");
  EXPECT_EQ(migration.verdict().decision(), v1::DECISION_ALLOW);
  EXPECT_EQ(migration.progress().qemu_status(), "completed");
  std::vector<std::string> actions = world_.qemu.Actions();
  ASSERT_THAT(actions, SizeIs(8));
  // Both sides at the same time.
  std::sort(actions.begin(), actions.begin() + 2);
  std::sort(actions.end() - 2, actions.end());
  EXPECT_THAT(actions, ElementsAre("/run/a.qmp Configure", "/run/b.qmp Configure",
                                   "/run/b.qmp PrepareIncoming", "/run/a.qmp StartOutgoing",
                                   "/run/a.qmp MigrateContinue", "/run/b.qmp Cont",
                                   "/run/a.qmp Configure", "/run/b.qmp Configure"));
  EXPECT_TRUE(world_.DestinationRuns());
  EXPECT_EQ(world_.qemu.RunState(kSource), "postmigrate");
  EXPECT_FALSE(world_.qemu.SplitBrain());
  EXPECT_EQ(world_.RegisteredMonitor(), kDestination);
  EXPECT_EQ(world_.StoredState(migration.name()), v1::Migration::STATE_SUCCEEDED);
}

TEST_F(MigratorTest, TheCommitIsDurableBeforeTheDestinationIsToldToRun) {
  v1::Migration::State stored = v1::Migration::STATE_UNSPECIFIED;
  world_.qemu.Before(kDestination, FakeCall::kCont,
                     [&] { stored = world_.StoredState(world_.migrator->List().front().name()); });
  world_.Migrate();
  EXPECT_EQ(stored, v1::Migration::STATE_COMMITTED);
}

TEST_F(MigratorTest, PutsBackTheSettingsOfBothSides) {
  const MigrationSettings before = world_.qemu.Settings(kSource);
  v1::Migration request = world_.Request();
  *request.mutable_downtime_limit() = ToProto(absl::Milliseconds(77));
  request.set_max_bandwidth_bytes_per_second(12345);
  MigrationSettings during;
  world_.qemu.Before(kSource, FakeCall::kStartOutgoing,
                     [&] { during = world_.qemu.Settings(kSource); });
  world_.Migrate(request);
  EXPECT_EQ(during.downtime_limit, absl::Milliseconds(77));
  EXPECT_EQ(during.max_bandwidth, 12345u);
  EXPECT_TRUE(during.capabilities["return-path"]);
  EXPECT_TRUE(during.capabilities["pause-before-switchover"]);
  for (const char* vm : {kSource, kDestination}) {
    const MigrationSettings after = world_.qemu.Settings(vm);
    EXPECT_EQ(after.capabilities, before.capabilities) << vm;
    EXPECT_EQ(after.downtime_limit, before.downtime_limit) << vm;
    EXPECT_EQ(after.max_bandwidth, before.max_bandwidth) << vm;
  }
}

TEST_F(MigratorTest, QuitsTheSourceOnlyAfterTheDestinationRuns) {
  bool ran = false;
  world_.qemu.Before(kSource, FakeCall::kQuit, [&] { ran = world_.DestinationRuns(); });
  v1::Migration request = world_.Request();
  request.set_source_disposition(v1::SOURCE_DISPOSITION_QUIT);
  EXPECT_EQ(world_.Migrate(request).state(), v1::Migration::STATE_SUCCEEDED);
  EXPECT_TRUE(ran);
  EXPECT_FALSE(world_.qemu.Alive(kSource));
}

TEST_F(MigratorTest, APausedGuestStaysPaused) {
  world_.qemu.ChangeFacts(kSource, [](VmFacts& vm) { vm.run_state.value = "paused"; });
  const v1::Migration migration = world_.Migrate();
  EXPECT_EQ(migration.state(), v1::Migration::STATE_SUCCEEDED);
  EXPECT_EQ(world_.qemu.RunState(kDestination), "paused");
  EXPECT_THAT(migration.message(), HasSubstr("paused"));
}

TEST_F(MigratorTest, ARefusedMigrationTouchesNothing) {
  world_.Stop();
  world_.options.evaluate = [](const Facts&) {
    Verdict verdict;
    verdict.blockers.push_back({"SOME_CODE"});
    return verdict;
  };
  world_.Start();
  const v1::Migration migration = world_.Migrate();
  EXPECT_EQ(migration.state(), v1::Migration::STATE_REFUSED);
  EXPECT_EQ(migration.verdict().blockers(0).code(), "SOME_CODE");
  EXPECT_THAT(world_.qemu.Actions(), IsEmpty());
  EXPECT_TRUE(world_.SourceRuns());
}

TEST_F(MigratorTest, AnotherFingerprintThanRequiredTouchesNothing) {
  v1::Migration request = world_.Request();
  request.set_required_fingerprint("f0");
  const v1::Migration migration = world_.Migrate(request);
  EXPECT_EQ(migration.state(), v1::Migration::STATE_FAILED);
  EXPECT_THAT(migration.message(), HasSubstr("ABORTED"));
  EXPECT_THAT(world_.qemu.Actions(), IsEmpty());
}

TEST_F(MigratorTest, CancelWhileMemoryIsCopied) {
  const std::string name = StartEndless();
  EXPECT_EQ(world_.migrator->Cancel(name)->state(), v1::Migration::STATE_CANCELLING);
  const v1::Migration migration = world_.Await(name);
  EXPECT_EQ(migration.state(), v1::Migration::STATE_CANCELLED) << migration.message();
  EXPECT_TRUE(world_.SourceRuns());
  EXPECT_EQ(world_.qemu.MigrationStatus(kSource), "cancelled");
  EXPECT_FALSE(world_.qemu.Settings(kSource).capabilities["pause-before-switchover"]);
  EXPECT_EQ(world_.migrator->Cancel(name).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(MigratorTest, CancelAtPreSwitchover) {
  world_.qemu.Before(kSource, FakeCall::kObserveAgain, [&] {
    if (world_.qemu.RunState(kSource) != "finish-migrate") return;
    EXPECT_TRUE(world_.migrator->Cancel(world_.migrator->List().front().name()).ok());
  });
  const v1::Migration migration = world_.Migrate();
  EXPECT_EQ(migration.state(), v1::Migration::STATE_CANCELLED) << migration.message();
  EXPECT_TRUE(world_.SourceRuns());
  EXPECT_FALSE(world_.Did("/run/a.qmp MigrateContinue"));
}

TEST_F(MigratorTest, CancelComesTooLateAfterTheCommit) {
  absl::Status cancel;
  world_.qemu.Before(kDestination, FakeCall::kCont, [&] {
    cancel = world_.migrator->Cancel(world_.migrator->List().front().name()).status();
  });
  EXPECT_EQ(world_.Migrate().state(), v1::Migration::STATE_SUCCEEDED);
  EXPECT_EQ(cancel.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(cancel.message(), HasSubstr("COMMITTED"));
}

TEST_F(MigratorTest, ATimeOutGoesBackToTheSource) {
  world_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  v1::Migration request = world_.Request();
  *request.mutable_timeout() = ToProto(absl::Milliseconds(50));
  const v1::Migration migration = world_.Migrate(request);
  EXPECT_EQ(migration.state(), v1::Migration::STATE_FAILED);
  EXPECT_THAT(migration.message(), HasSubstr("timed out"));
  EXPECT_TRUE(world_.SourceRuns());
}

TEST_F(MigratorTest, ShutdownCancelsAndTakesNoMore) {
  const std::string name = StartEndless();
  world_.migrator->Shutdown();
  EXPECT_EQ(world_.migrator->Get(name)->state(), v1::Migration::STATE_CANCELLED);
  EXPECT_TRUE(world_.SourceRuns());
  EXPECT_EQ(world_.Create(world_.Request()).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(MigratorTest, TheSameRequestIsTheSameMigrationAlsoAfterARestart) {
  const RequestKey key = {"MigrationService.CreateMigration", "id-1", "digest"};
  const std::string name = world_.migrator->Create(world_.Request(), key)->name();
  world_.Await(name);
  for (int start = 0; start < 2; ++start) {
    const absl::StatusOr<v1::Migration> again = world_.migrator->Create(world_.Request(), key);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->name(), name);
    RequestKey other = key;
    other.arguments_digest = "other";
    EXPECT_EQ(world_.migrator->Create(world_.Request(), other).status().code(),
              absl::StatusCode::kAlreadyExists);
    world_.Stop();
    world_.Start();
  }
  EXPECT_THAT(world_.migrator->List(), SizeIs(1));
}

TEST_F(MigratorTest, OneMigrationPerVmAndPerDestination) {
  world_.AddOther();
  const std::string name = StartEndless();
  EXPECT_EQ(world_.migrator->RunningMigrationOf(kVm), name);
  v1::Migration request = world_.Request();
  request.mutable_destination()->mutable_same_host()->set_qmp_socket("/run/d.qmp");
  EXPECT_EQ(world_.Create(request).status().code(), absl::StatusCode::kAborted);
  request = world_.Request();
  request.set_vm("vms/other");
  EXPECT_EQ(world_.Create(request).status().code(), absl::StatusCode::kAborted);
  request.mutable_destination()->mutable_same_host()->set_qmp_socket("/run/d.qmp");
  EXPECT_EQ(world_.Migrate(request).state(), v1::Migration::STATE_SUCCEEDED);
  world_.migrator->Shutdown();
}

TEST_F(MigratorTest, NoMoreAtOnceThanConfigured) {
  world_.Stop();
  world_.options.max_concurrent = 1;
  world_.options.max_queued = 0;
  world_.Start();
  world_.AddOther();
  StartEndless();
  v1::Migration request = world_.Request();
  request.set_vm("vms/other");
  request.mutable_destination()->mutable_same_host()->set_qmp_socket("/run/d.qmp");
  EXPECT_EQ(world_.Create(request).status().code(), absl::StatusCode::kResourceExhausted);
  world_.migrator->Shutdown();
}

// QEMU says `active` with the same figures again and again.
TEST_F(MigratorTest, WithoutProgressItGoesBackAndSaysWhatQemuSaid) {
  world_.Stop();
  world_.options.stuck_timeout = absl::Seconds(1);
  world_.Start();
  world_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  const v1::Migration migration = world_.Migrate();
  EXPECT_EQ(migration.state(), v1::Migration::STATE_FAILED);
  EXPECT_THAT(migration.message(), HasSubstr("stuck: for 1s the source QEMU has said \"active\""));
  EXPECT_TRUE(world_.SourceRuns());
}

// The guest stands still meanwhile.
TEST_F(MigratorTest, LookingAgainHasALimitOfItsOwn) {
  world_.Stop();
  world_.options.switchover_timeout = absl::Milliseconds(1);
  world_.Start();
  world_.qemu.Before(kSource, FakeCall::kObserveAgain, [this] {
    if (world_.qemu.RunState(kSource) == "finish-migrate") absl::SleepFor(absl::Milliseconds(2));
  });
  const v1::Migration migration = world_.Migrate();
  EXPECT_EQ(migration.state(), v1::Migration::STATE_FAILED);
  EXPECT_THAT(migration.message(), HasSubstr("migrations.switchover_timeout, 1ms"));
  EXPECT_TRUE(world_.SourceRuns());
}

TEST_F(MigratorTest, AnUnknownVmIsNotFound) {
  v1::Migration request = world_.Request();
  request.set_vm("vms/nobody");
  EXPECT_EQ(world_.Create(request).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(world_.migrator->Cancel("migrations/none").status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(MigratorTest, WhatCannotBeWrittenIsNotAccepted) {
  world_.store.FailWrites(absl::ResourceExhaustedError("the disk is full"));
  EXPECT_EQ(world_.Create(world_.Request()).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(world_.migrator->List(), IsEmpty());
  EXPECT_EQ(world_.migrator->RunningMigrationOf(kVm), "");
  EXPECT_EQ(world_.Migrate().state(), v1::Migration::STATE_SUCCEEDED);
}

TEST_F(MigratorTest, KeepsAsManyEndedMigrationsAsConfigured) {
  world_.Stop();
  world_.options.history_limit = 2;
  world_.options.evaluate = [](const Facts&) { return Verdict{}; };
  world_.Start();
  std::string newest;
  for (int i = 0; i < 4; ++i) newest = world_.Migrate().name();
  EXPECT_THAT(world_.migrator->List(), SizeIs(2));
  EXPECT_EQ(world_.migrator->List().front().name(), newest);
  EXPECT_THAT(*world_.store.ReadAll(Table::kMigrations), SizeIs(2));
  EXPECT_THAT(*world_.store.ReadAll(Table::kRequests), SizeIs(2));
}

TEST_F(MigratorTest, ADamagedRecordIsAnErrorNotAnEmptyHistory) {
  world_.Stop();
  ASSERT_TRUE(world_.store.Write({{Table::kMigrations, "migrations/m0000000001", "x"}}).ok());
  EXPECT_EQ(world_.TryStart().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace vuf
