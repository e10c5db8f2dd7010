// Migrations of a VM whose sessions are behind keepers: one stays (fs0), one moves (fs1).
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/migration/kept_world.h"

namespace vuf {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

using Phase = KeeperFacts::Phase;
constexpr char kFirst[] = "migrations/m0000000001";

class KeeperTest : public ::testing::Test {
 protected:
  void Start() { world_.Start(); }
  std::string Permit(const char* control_socket) {
    return world_.keepers.LastPermit(control_socket).permit;
  }
  void ExpectAtSource(const v1::Migration& migration, v1::Migration::State state) {
    EXPECT_EQ(migration.state(), state) << migration.message();
    EXPECT_TRUE(world_.SourceRuns()) << migration.message();
    EXPECT_FALSE(world_.DestinationRuns());
    EXPECT_EQ(world_.NotAtSource(), "") << migration.message();
  }

  KeptWorld world_;
};

TEST_F(KeeperTest, ArmsFencesAndHandsOverInThisOrder) {
  std::vector<Phase> before_migrate;
  v1::Migration recorded;
  v1::Migration::State at_fence = v1::Migration::STATE_UNSPECIFIED;
  bool fenced_before_cont = false;
  world_.qemu.Before(kSource, FakeCall::kStartOutgoing, [&] {
    before_migrate = {world_.Phase(kStays), world_.Phase(kMovesFrom), world_.Phase(kMovesTo)};
  });
  world_.keepers.Before(kStays, KeeperCall::kArm, [&] { recorded = world_.Stored(kFirst); });
  world_.keepers.Before(kStays, KeeperCall::kFence, [&] { at_fence = world_.StoredState(kFirst); });
  world_.qemu.Before(kDestination, FakeCall::kCont, [&] {
    fenced_before_cont =
        world_.keepers.Facts(kStays).fenced && world_.keepers.Facts(kMovesFrom).fenced;
  });
  Start();
  const v1::Migration migration = world_.Migrate();
  EXPECT_EQ(migration.state(), v1::Migration::STATE_SUCCEEDED) << migration.message();
  EXPECT_EQ(migration.message(), "");
  EXPECT_THAT(before_migrate, ElementsAre(Phase::kArmed, Phase::kArmed, Phase::kArmed));
  EXPECT_EQ(at_fence, v1::Migration::STATE_TRANSFERRING);
  EXPECT_TRUE(fenced_before_cont);
  EXPECT_EQ(world_.NotAtDestination(), "");
  EXPECT_EQ(world_.keepers.Facts(kStays).handed_over_permit, Permit(kStays));
  EXPECT_EQ(recorded.permits_size(), 3) << "recorded before the first was armed";
  EXPECT_THAT(world_.keepers.Actions(),
              ElementsAre(absl::StrCat(kStays, " Arm ", Permit(kStays)),
                          absl::StrCat(kMovesFrom, " Arm ", Permit(kMovesFrom)),
                          absl::StrCat(kMovesTo, " Arm ", Permit(kMovesFrom)),
                          absl::StrCat(kStays, " Fence ", Permit(kStays)),
                          absl::StrCat(kMovesFrom, " Fence ", Permit(kMovesFrom))));
}

TEST_F(KeeperTest, APermitNamesItsTwoFrontEndsAndEndsByItself) {
  Start();
  v1::Migration request = world_.Request();
  request.mutable_timeout()->set_seconds(60);
  const v1::Migration migration = world_.Migrate(request);
  const KeeperPermit stays = world_.keepers.LastPermit(kStays);
  EXPECT_THAT(stays.permit, StartsWith("m0000000001-"));
  EXPECT_LE(stays.permit.size(), 39u);
  EXPECT_EQ(stays.mode, Mode::kStateless);
  EXPECT_EQ(stays.source_inode, 1000u);
  EXPECT_EQ(stays.destination_inode, 1002u);
  EXPECT_GT(stays.ttl, absl::Seconds(55));
  EXPECT_LE(stays.ttl, absl::Seconds(62));
  EXPECT_EQ(world_.keepers.LastPermit(kMovesFrom).direction, KeeperPermit::Direction::kOutgoing);
  EXPECT_EQ(world_.keepers.LastPermit(kMovesTo).direction, KeeperPermit::Direction::kIncoming);
  EXPECT_NE(stays.permit, Permit(kMovesFrom)) << "a stream at the wrong keeper must be refused";
  ASSERT_EQ(migration.permits_size(), 3);
  EXPECT_EQ(migration.permits(0).device(), "fs0");
  EXPECT_EQ(migration.permits(0).control_socket(), kStays);
  EXPECT_EQ(migration.permits(0).instance(), "instance 300");
  EXPECT_EQ(migration.permits(0).pid(), 300);
  EXPECT_EQ(migration.permits(0).mode(), v1::MIGRATION_MODE_STATELESS);
  EXPECT_EQ(migration.permits(2).mode(), v1::MIGRATION_MODE_STATEFUL);
}

TEST_F(KeeperTest, TwoMigrationsNeverShareAPermit) {
  world_.keepers.Fail(kMovesTo, KeeperCall::kArm, {absl::FailedPreconditionError("no"), 0, 1});
  Start();
  world_.Migrate();
  const std::string first = Permit(kStays);
  world_.Migrate();
  EXPECT_NE(first, Permit(kStays));
}

TEST_F(KeeperTest, ARefusedPermitLeavesTheSourceUntouched) {
  world_.keepers.Fail(kMovesFrom, KeeperCall::kArm,
                      {absl::FailedPreconditionError("permit x is in force")});
  Start();
  const v1::Migration migration = world_.Migrate();
  ExpectAtSource(migration, v1::Migration::STATE_FAILED);
  EXPECT_THAT(migration.message(), AllOf(HasSubstr("device fs1"), HasSubstr("permit x is in force"),
                                         HasSubstr("untouched")));
  EXPECT_FALSE(world_.Did("/run/a.qmp StartOutgoing"));
  EXPECT_THAT(world_.keepers.Actions(), Each(Not(HasSubstr("fs1-destination"))));
}

TEST_F(KeeperTest, WithoutAWayToAskKeepersNothingIsTouched) {
  world_.options.keepers = nullptr;
  Start();
  const v1::Migration migration = world_.Migrate();
  EXPECT_EQ(migration.state(), v1::Migration::STATE_FAILED);
  EXPECT_THAT(world_.qemu.Actions(), IsEmpty());
}

TEST_F(KeeperTest, TheSourceHasItsSessionsBackWhateverQemuDoes) {
  for (const FakeOutcome outcome :
       {FakeOutcome::kFailsWhileActive, FakeOutcome::kFailsAtSwitchover,
        FakeOutcome::kDestinationLoadFails, FakeOutcome::kDestinationDies,
        FakeOutcome::kDestinationNeverReports, FakeOutcome::kStuckAtSwitchover}) {
    KeptWorld world;
    world.options.settle_timeout = absl::Milliseconds(300);
    world.qemu.SetOutcome(kSource, outcome);
    world.Start();
    v1::Migration request = world.Request();
    request.mutable_timeout()->set_seconds(1);
    const v1::Migration migration = world.Migrate(request);
    EXPECT_EQ(migration.state(), v1::Migration::STATE_FAILED) << static_cast<int>(outcome);
    EXPECT_TRUE(world.SourceRuns()) << static_cast<int>(outcome);
    EXPECT_EQ(world.NotAtSource(), "") << static_cast<int>(outcome) << migration.message();
  }
}

TEST_F(KeeperTest, CancelTakesBackWhatWasArmed) {
  world_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  Start();
  const std::string name = world_.Create(world_.Request())->name();
  ASSERT_TRUE(world_.AwaitThat([&] { return world_.qemu.MigrationStatus(kSource) == "active"; }));
  EXPECT_EQ(world_.Phase(kStays), Phase::kArmed);
  ASSERT_TRUE(world_.migrator->Cancel(name).ok());
  ExpectAtSource(world_.Await(name), v1::Migration::STATE_CANCELLED);
}

TEST_F(KeeperTest, ShutdownTakesBackWhatWasArmed) {
  world_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  Start();
  const std::string name = world_.Create(world_.Request())->name();
  ASSERT_TRUE(world_.AwaitThat([&] { return world_.qemu.MigrationStatus(kSource) == "active"; }));
  world_.migrator->Shutdown();
  ExpectAtSource(*world_.migrator->Get(name), v1::Migration::STATE_CANCELLED);
}

TEST_F(KeeperTest, ACancelBetweenFenceAndCommitLiftsTheFenceBeforeTheSourceRuns) {
  bool fenced_at_cont = true;
  world_.keepers.Before(kMovesFrom, KeeperCall::kFence,
                        [&] { (void)world_.migrator->Cancel(kFirst); });
  world_.qemu.Before(kSource, FakeCall::kCont, [&] {
    fenced_at_cont = world_.keepers.Facts(kStays).fenced || world_.keepers.Facts(kMovesFrom).fenced;
  });
  Start();
  ExpectAtSource(world_.Migrate(), v1::Migration::STATE_CANCELLED);
  EXPECT_FALSE(fenced_at_cont);
}

TEST_F(KeeperTest, ACommitThatCannotBeWrittenLiftsTheFence) {
  world_.keepers.Before(kMovesFrom, KeeperCall::kFence, [&] {
    world_.store.FailWrites(absl::ResourceExhaustedError("the disk is full"));
  });
  Start();
  const v1::Migration migration = world_.Migrate();
  ExpectAtSource(migration, v1::Migration::STATE_FAILED);
  EXPECT_THAT(migration.message(), HasSubstr("the disk is full"));
}

TEST_F(KeeperTest, ASourceWhoseFenceCannotBeLiftedStaysStopped) {
  world_.options.settle_timeout = absl::Milliseconds(200);
  world_.keepers.Fail(kMovesFrom, KeeperCall::kFence,
                      {absl::DeadlineExceededError("no answer"), 0, 1, true});
  world_.keepers.Fail(kMovesFrom, KeeperCall::kDisarm, {absl::DeadlineExceededError("no answer")});
  Start();
  const v1::Migration migration = world_.Migrate();
  EXPECT_EQ(migration.state(), v1::Migration::STATE_FAILED);
  EXPECT_EQ(world_.qemu.RunState(kSource), "postmigrate");
  EXPECT_FALSE(world_.DestinationRuns());
  EXPECT_THAT(migration.message(), AllOf(HasSubstr("holds the guest, stopped"), HasSubstr("fs1"),
                                         HasSubstr("vuf-keeperctl disarm")));
  EXPECT_EQ(world_.keepers.Facts(kStays).permit, "") << "the others are taken back all the same";
}

TEST_F(KeeperTest, AKeeperThatDiesMeanwhileIsNotSwitchedOverTo) {
  world_.options.settle_timeout = absl::Milliseconds(200);
  world_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  world_.qemu.Before(kSource, FakeCall::kStartOutgoing, [&] { world_.keepers.Die(kStays); });
  Start();
  const v1::Migration migration = world_.Migrate();
  EXPECT_EQ(migration.state(), v1::Migration::STATE_FAILED);
  EXPECT_TRUE(world_.SourceRuns());
  EXPECT_FALSE(world_.Did("/run/a.qmp MigrateContinue"));
  EXPECT_THAT(migration.message(), HasSubstr("the session at the keeper of device fs0"));
  EXPECT_EQ(world_.keepers.Facts(kMovesFrom).permit, "");
}

TEST_F(KeeperTest, APermitThatSomebodyTookBackIsNotSwitchedOverWith) {
  world_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  world_.qemu.Before(kSource, FakeCall::kStartOutgoing, [&] {
    const KeeperAddress address = {kMovesTo, {302, 2000}, ""};
    (void)world_.keepers.Disarm(address, Permit(kMovesTo), absl::Now() + absl::Seconds(5));
  });
  Start();
  const v1::Migration migration = world_.Migrate();
  ExpectAtSource(migration, v1::Migration::STATE_FAILED);
  EXPECT_FALSE(world_.Did("/run/a.qmp MigrateContinue"));
  EXPECT_THAT(migration.message(), HasSubstr("armed any more"));
}

TEST_F(KeeperTest, SuccessOfBothQemusIsNotEnough) {
  world_.qemu.Before(kSource, FakeCall::kAwait, [&] {
    if (world_.qemu.MigrationStatus(kSource) != "completed") return;
    world_.keepers.Change(kStays, [](KeeperFacts& facts) { facts.phase = Phase::kSaved; });
  });
  Start();
  const v1::Migration migration = world_.Migrate();
  ExpectAtSource(migration, v1::Migration::STATE_FAILED);
  EXPECT_THAT(migration.message(), HasSubstr("QEMU reports success, but"));
}

TEST_F(KeeperTest, ADestinationThatRunsWithoutItsSessionIsReported) {
  world_.options.qmp_timeout = absl::Milliseconds(200);
  world_.StartNothing();
  Start();
  const v1::Migration migration = world_.Migrate();
  EXPECT_EQ(migration.state(), v1::Migration::STATE_SUCCEEDED);
  EXPECT_THAT(migration.message(), AllOf(HasSubstr("not with its file system"), HasSubstr("fs0"),
                                         HasSubstr("`cont` the destination")));
}

TEST_F(KeeperTest, ADestinationThatSomebodyElseStartedIsNotDisarmed) {
  world_.qemu.Before(kSource, FakeCall::kMigrateContinue,
                     [&] { EXPECT_TRUE(world_.qemu.ContByOther(kDestination).ok()); });
  Start();
  const v1::Migration migration = world_.Migrate();
  EXPECT_TRUE(world_.DestinationRuns());
  EXPECT_FALSE(world_.SourceRuns());
  EXPECT_EQ(world_.NotAtDestination(), "") << migration.message();
  EXPECT_THAT(world_.keepers.Actions(), Each(Not(HasSubstr("Disarm"))));
}

TEST_F(KeeperTest, APausedGuestIsHandedOverWhenSomebodyResumesIt) {
  world_.qemu.ChangeFacts(kSource, [](VmFacts& vm) { vm.run_state.value = "paused"; });
  Start();
  const v1::Migration migration = world_.Migrate();
  EXPECT_EQ(migration.state(), v1::Migration::STATE_SUCCEEDED) << migration.message();
  EXPECT_EQ(world_.Phase(kStays), Phase::kLoaded);
  EXPECT_TRUE(world_.keepers.Facts(kStays).fenced);
  ASSERT_TRUE(world_.qemu.ContByOther(kDestination).ok());
  EXPECT_EQ(world_.NotAtDestination(), "");
}

TEST_F(KeeperTest, SharedMemoryIsAskedForAndPutBack) {
  bool source = false, destination = false;
  world_.qemu.Before(kSource, FakeCall::kStartOutgoing, [&] {
    source = world_.qemu.Settings(kSource).capabilities["x-ignore-shared"];
    destination = world_.qemu.Settings(kDestination).capabilities["x-ignore-shared"];
  });
  Start();
  v1::Migration request = world_.Request();
  request.set_ram_transfer(v1::RAM_TRANSFER_SHARED);
  EXPECT_EQ(world_.Migrate(request).state(), v1::Migration::STATE_SUCCEEDED);
  EXPECT_TRUE(source);
  EXPECT_TRUE(destination);
  EXPECT_FALSE(world_.qemu.Settings(kSource).capabilities["x-ignore-shared"]);
  EXPECT_FALSE(world_.qemu.Settings(kDestination).capabilities["x-ignore-shared"]);
}

}  // namespace
}  // namespace vuf
