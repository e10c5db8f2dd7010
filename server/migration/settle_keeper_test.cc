// What a start of vufd does with the permits that the previous run left behind.
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/migration/kept_world.h"

namespace vuf {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

using Direction = KeeperPermit::Direction;
constexpr char kName[] = "migrations/m0000000001";

absl::Time Soon() { return absl::Now() + absl::Seconds(10); }

class SettleKeeperTest : public ::testing::Test {
 protected:
  SettleKeeperTest() {
    world_.options.settle_timeout = absl::Milliseconds(300);
    world_.options.qmp_timeout = absl::Milliseconds(200);
    source_ = *world_.qemu.Connect(kSource, Soon());
    destination_ = *world_.qemu.Connect(kDestination, Soon());
  }

  void Arm() {
    KeeperPermit permit{"m1-0", Mode::kStateless, Direction::kOutgoing, absl::Hours(1), 1000, 1002};
    ASSERT_TRUE(world_.keepers.Arm({kStays, {300, 2000}, ""}, permit, Soon()).ok());
    permit = {"m1-1", Mode::kStateful, Direction::kOutgoing, absl::Hours(1), 1001, 0};
    ASSERT_TRUE(world_.keepers.Arm({kMovesFrom, {301, 2000}, ""}, permit, Soon()).ok());
    permit = {"m1-1", Mode::kStateful, Direction::kIncoming, absl::Hours(1), 0, 1003};
    ASSERT_TRUE(world_.keepers.Arm({kMovesTo, {302, 2000}, ""}, permit, Soon()).ok());
  }
  void Migrate() {
    Arm();
    MigrationSettings settings;
    settings.capabilities = {
        {"return-path", true}, {"pause-before-switchover", true}, {"x-ignore-shared", true}};
    ASSERT_TRUE(source_->Configure(settings, Soon()).ok());
    ASSERT_TRUE(destination_->PrepareIncoming(0, Soon()).ok());
    ASSERT_TRUE(source_->StartOutgoing(0, Soon()).ok());
  }
  void SwitchOver() {
    Migrate();
    ASSERT_TRUE(source_->Do(Hypervisor::Act::kMigrateContinue, Soon()).ok());
    ASSERT_EQ(world_.Phase(kStays), KeeperFacts::Phase::kLoaded);
  }
  void Fence() {
    SwitchOver();
    ASSERT_TRUE(world_.keepers.Fence({kStays, {300, 2000}, ""}, "m1-0", Soon()).ok());
    ASSERT_TRUE(world_.keepers.Fence({kMovesFrom, {301, 2000}, ""}, "m1-1", Soon()).ok());
  }

  v1::Migration RestartAt(v1::Migration::State state) {
    v1::Migration migration = world_.Request();
    migration.set_name(kName);
    migration.set_state(state);
    migration.set_ram_transfer(v1::RAM_TRANSFER_SHARED);
    Name(kSource, 100, *migration.mutable_source_qemu());
    Name(kDestination, 101, *migration.mutable_destination_qemu());
    Record(migration, "fs0", kStays, 300, "m1-0", v1::MIGRATION_MODE_STATELESS);
    Record(migration, "fs1", kMovesFrom, 301, "m1-1", v1::MIGRATION_MODE_STATEFUL);
    Record(migration, "fs1", kMovesTo, 302, "m1-1", v1::MIGRATION_MODE_STATEFUL);
    if (change_) change_(migration);
    EXPECT_TRUE(
        world_.store.Write({{Table::kMigrations, kName, migration.SerializeAsString()}}).ok());
    world_.Start();
    return *world_.migrator->Get(kName);
  }

  void RecordRunState() {
    change_ = [](v1::Migration& migration) {
      migration.mutable_source_qemu()->set_run_state("running");
    };
  }
  void ExpectAtSource(const v1::Migration& migration) {
    EXPECT_EQ(migration.state(), v1::Migration::STATE_FAILED) << migration.message();
    EXPECT_TRUE(world_.SourceRuns());
    EXPECT_EQ(world_.NotAtSource(), "") << migration.message();
  }

  KeptWorld world_;
  std::function<void(v1::Migration&)> change_;
  std::unique_ptr<Hypervisor> source_;
  std::unique_ptr<Hypervisor> destination_;

 private:
  static void Name(const char* socket, int pid, v1::QemuProcess& out) {
    out.set_qmp_socket(socket);
    out.set_pid(pid);
    out.set_start_ticks(1000);
    out.set_boot_id("boot");
    auto& capabilities = *out.mutable_settings()->mutable_capabilities();
    capabilities["return-path"] = capabilities["pause-before-switchover"] = false;
    capabilities["x-ignore-shared"] = false;
  }
  static void Record(v1::Migration& migration, const char* device, const char* socket, int pid,
                     const char* id, v1::MigrationMode mode) {
    v1::KeeperPermit& permit = *migration.add_permits();
    permit.set_device(device);
    permit.set_control_socket(socket);
    permit.set_instance(absl::StrCat("instance ", pid));
    permit.set_pid(pid);
    permit.set_start_ticks(2000);
    permit.set_permit(id);
    permit.set_mode(mode);
    if (std::string(socket) != kMovesTo) permit.set_source_inode(pid == 300 ? 1000 : 1001);
  }
};

TEST_F(SettleKeeperTest, ArmedAndNoMore) {
  Arm();
  ExpectAtSource(RestartAt(v1::Migration::STATE_PREPARING));
}

TEST_F(SettleKeeperTest, RecordedButNotArmed) {
  const v1::Migration migration = RestartAt(v1::Migration::STATE_PREPARING);
  ExpectAtSource(migration);
  EXPECT_THAT(migration.message(), Not(HasSubstr("permit")));
}

TEST_F(SettleKeeperTest, SomebodyElsesPermitIsNotTakenBack) {
  const KeeperPermit other{"other", Mode::kStateless, Direction::kOutgoing, absl::Hours(1), 1000,
                           0};
  ASSERT_TRUE(world_.keepers.Arm({kStays, {300, 2000}, ""}, other, Soon()).ok());
  const v1::Migration migration = RestartAt(v1::Migration::STATE_PREPARING);
  EXPECT_EQ(world_.keepers.Facts(kStays).permit, "other");
  EXPECT_THAT(migration.message(), Not(HasSubstr("taken back")));
}

TEST_F(SettleKeeperTest, StoppedAtPreSwitchover) {
  Migrate();
  ExpectAtSource(RestartAt(v1::Migration::STATE_TRANSFERRING));
  EXPECT_FALSE(world_.qemu.Settings(kSource).capabilities["x-ignore-shared"]);
}

// Saved, and then refused by something else at the destination: the source's QEMU took its rings
// back by itself.
TEST_F(SettleKeeperTest, FailedBehindVufdsBack) {
  world_.qemu.SetOutcome(kSource, FakeOutcome::kDestinationLoadFails);
  Migrate();
  ASSERT_TRUE(source_->Do(Hypervisor::Act::kMigrateContinue, Soon()).ok());
  ExpectAtSource(RestartAt(v1::Migration::STATE_TRANSFERRING));
}

TEST_F(SettleKeeperTest, HandedOverWithoutACommitKeepsItsPermitsAndNamesThem) {
  Fence();
  const v1::Migration migration = RestartAt(v1::Migration::STATE_TRANSFERRING);
  EXPECT_EQ(migration.state(), v1::Migration::STATE_INTERRUPTED);
  EXPECT_EQ(world_.keepers.Facts(kStays).permit, "m1-0");
  EXPECT_TRUE(world_.keepers.Facts(kStays).fenced);
  EXPECT_THAT(migration.message(),
              AllOf(HasSubstr("m1-0"), HasSubstr(kMovesTo), HasSubstr("vuf-keeperctl disarm")));
}

// vufd was on its way back to the source, and had not resumed it yet.
TEST_F(SettleKeeperTest, ASourceWhosePermitsAreTakenBackAlreadyIsResumed) {
  Fence();
  for (const auto& [socket, pid, permit] :
       {std::tuple(kStays, 300, "m1-0"), {kMovesFrom, 301, "m1-1"}, {kMovesTo, 302, "m1-1"}}) {
    ASSERT_TRUE(world_.keepers.Disarm({socket, {pid, 2000}, ""}, permit, Soon()).ok());
  }
  RecordRunState();
  ExpectAtSource(RestartAt(v1::Migration::STATE_TRANSFERRING));
}

// What keepers say before QEMU is done is not what they say when it is.
TEST_F(SettleKeeperTest, ASourceThatHandsOverDuringTheRestartIsResumed) {
  Migrate();
  world_.qemu.Before(kSource, FakeCall::kQueryStanding, [this] {
    if (world_.qemu.RunState(kSource) != "finish-migrate") return;
    EXPECT_TRUE(source_->Do(Hypervisor::Act::kMigrateContinue, Soon()).ok());
  });
  RecordRunState();
  ExpectAtSource(RestartAt(v1::Migration::STATE_TRANSFERRING));
}

TEST_F(SettleKeeperTest, ADestinationThatMayHaveRunKeepsTheSourceStopped) {
  Fence();
  ASSERT_TRUE(destination_->Do(Hypervisor::Act::kCont, Soon()).ok());
  world_.qemu.StopByOther(kDestination);
  RecordRunState();
  EXPECT_EQ(RestartAt(v1::Migration::STATE_TRANSFERRING).state(), v1::Migration::STATE_INTERRUPTED);
  EXPECT_FALSE(world_.SourceRuns());
}

// It was paused when vufd looked first, and ran before the source was seen to be done.
TEST_F(SettleKeeperTest, ADestinationThatRanDuringTheRestartKeepsTheSourceStopped) {
  Migrate();
  world_.qemu.Before(kSource, FakeCall::kQueryStanding, [this] {
    if (world_.qemu.RunState(kSource) != "finish-migrate") return;
    EXPECT_TRUE(source_->Do(Hypervisor::Act::kMigrateContinue, Soon()).ok());
    EXPECT_TRUE(world_.qemu.ContByOther(kDestination).ok());
    world_.qemu.StopByOther(kDestination);
  });
  RecordRunState();
  EXPECT_EQ(RestartAt(v1::Migration::STATE_TRANSFERRING).state(), v1::Migration::STATE_INTERRUPTED);
  EXPECT_FALSE(world_.SourceRuns());
  EXPECT_TRUE(world_.qemu.Alive(kDestination)) << "it has the guest";
}

TEST_F(SettleKeeperTest, CommittedAndItsSourceIsGone) {
  Fence();
  world_.qemu.Die(kSource);
  const v1::Migration migration = RestartAt(v1::Migration::STATE_COMMITTED);
  EXPECT_EQ(migration.state(), v1::Migration::STATE_SUCCEEDED) << migration.message();
  EXPECT_TRUE(world_.DestinationRuns());
}

// Its commit was reported as failed and is on the disk all the same.
TEST_F(SettleKeeperTest, CommittedButTheSourceWentOnAndIsGone) {
  SwitchOver();
  ASSERT_TRUE(world_.qemu.ContByOther(kSource).ok());
  world_.qemu.Die(kSource);
  EXPECT_EQ(RestartAt(v1::Migration::STATE_COMMITTED).state(), v1::Migration::STATE_INTERRUPTED);
  EXPECT_FALSE(world_.DestinationRuns());
}

TEST_F(SettleKeeperTest, CommittedButNotStartedYet) {
  Fence();
  const v1::Migration migration = RestartAt(v1::Migration::STATE_COMMITTED);
  EXPECT_EQ(migration.state(), v1::Migration::STATE_SUCCEEDED) << migration.message();
  EXPECT_EQ(migration.message(), "");
  EXPECT_TRUE(world_.DestinationRuns());
  EXPECT_EQ(world_.NotAtDestination(), "");
}

TEST_F(SettleKeeperTest, ACommittedDestinationIsStartedOnlyBehindAFence) {
  SwitchOver();
  bool fenced = false;
  world_.qemu.Before(kDestination, FakeCall::kCont,
                     [&] { fenced = world_.keepers.Facts(kMovesFrom).fenced; });
  EXPECT_EQ(RestartAt(v1::Migration::STATE_COMMITTED).state(), v1::Migration::STATE_SUCCEEDED);
  EXPECT_TRUE(fenced);
}

TEST_F(SettleKeeperTest, ACommittedDestinationIsNotStartedWhenAKeeperDoesNotAnswer) {
  Fence();
  world_.keepers.Fail(kStays, KeeperCall::kFence, {absl::DeadlineExceededError("it hangs")});
  const v1::Migration migration = RestartAt(v1::Migration::STATE_COMMITTED);
  EXPECT_EQ(migration.state(), v1::Migration::STATE_INTERRUPTED);
  EXPECT_FALSE(world_.DestinationRuns());
  EXPECT_THAT(migration.message(), AllOf(HasSubstr("fs0"), HasSubstr("it hangs")));
}

TEST_F(SettleKeeperTest, CommittedAndRunning) {
  Fence();
  ASSERT_TRUE(destination_->Do(Hypervisor::Act::kCont, Soon()).ok());
  const v1::Migration migration = RestartAt(v1::Migration::STATE_COMMITTED);
  EXPECT_EQ(migration.state(), v1::Migration::STATE_SUCCEEDED) << migration.message();
  EXPECT_EQ(migration.message(), "");
  EXPECT_THAT(world_.keepers.Actions(), Each(Not(HasSubstr("Disarm"))));
}

TEST_F(SettleKeeperTest, CommittedAndRunningWithoutItsSession) {
  Fence();
  world_.StartNothing();
  ASSERT_TRUE(destination_->Do(Hypervisor::Act::kCont, Soon()).ok());
  const v1::Migration migration = RestartAt(v1::Migration::STATE_COMMITTED);
  EXPECT_EQ(migration.state(), v1::Migration::STATE_SUCCEEDED);
  EXPECT_THAT(migration.message(), HasSubstr("not with its file system"));
}

TEST_F(SettleKeeperTest, AnotherKeeperAtTheSamePathIsNotTouched) {
  Migrate();
  change_ = [](v1::Migration& migration) { migration.mutable_permits(0)->set_start_ticks(1); };
  const v1::Migration migration = RestartAt(v1::Migration::STATE_TRANSFERRING);
  EXPECT_EQ(world_.keepers.Facts(kStays).permit, "m1-0");
  EXPECT_EQ(world_.keepers.Facts(kMovesFrom).permit, "");
  EXPECT_THAT(migration.message(), HasSubstr("another process"));
}

// Its keepers went with it, and what listens there now has nothing to do with this migration.
TEST_F(SettleKeeperTest, AfterARestartOfTheHostNoKeeperIsAsked) {
  Arm();
  change_ = [](v1::Migration& migration) {
    migration.mutable_source_qemu()->set_boot_id("before");
    migration.mutable_destination_qemu()->set_boot_id("before");
  };
  RestartAt(v1::Migration::STATE_PREPARING);
  EXPECT_THAT(world_.keepers.Actions(), Each(Not(HasSubstr("Disarm"))));
}

}  // namespace
}  // namespace vuf
