// What a start of vufd makes of migrations that the previous run left under way.
#include "server/migration/settle.h"

#include <functional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/migration/migration_world.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;

constexpr char kName[] = "migrations/m0000000001";

class SettleTest : public ::testing::Test {
 protected:
  SettleTest() { world_.options.settle_timeout = absl::Milliseconds(300); }

  // Brings both QEMUs where a vufd that then died would have left them.
  void Qemu(const std::vector<std::string>& steps) {
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    source_ = *world_.qemu.Connect(kSource, deadline);
    destination_ = *world_.qemu.Connect(kDestination, deadline);
    MigrationSettings settings;
    settings.capabilities = {{"return-path", true}, {"pause-before-switchover", true}};
    ASSERT_TRUE(source_->Configure(settings, deadline).ok());
    for (const std::string& step : steps) {
      if (step == "migrate") {
        ASSERT_TRUE(destination_->PrepareIncoming(0, deadline).ok());
        ASSERT_TRUE(source_->StartOutgoing(0, deadline).ok());
      }
      if (step == "continue") {
        ASSERT_TRUE(source_->Do(Hypervisor::Act::kMigrateContinue, deadline).ok());
      }
      if (step == "cont destination") {
        ASSERT_TRUE(destination_->Do(Hypervisor::Act::kCont, deadline).ok());
      }
      if (step == "cont source") {
        ASSERT_TRUE(source_->Do(Hypervisor::Act::kCont, deadline).ok());
      }
    }
  }

  static v1::QemuProcess Identity(const char* socket, int pid) {
    v1::QemuProcess process;
    process.set_qmp_socket(socket);
    process.set_pid(pid);
    process.set_start_ticks(1000);
    process.set_boot_id("boot");
    auto& capabilities = *process.mutable_settings()->mutable_capabilities();
    capabilities["return-path"] = capabilities["pause-before-switchover"] = false;
    return process;
  }

  v1::Migration RestartAt(v1::Migration::State state) {
    v1::Migration migration = world_.Request();
    migration.set_name(kName);
    migration.set_revision(7);
    migration.set_state(state);
    migration.set_source_disposition(disposition_);
    migration.set_message(message_);
    *migration.mutable_source_qemu() = Identity(kSource, 100);
    *migration.mutable_destination_qemu() = Identity(kDestination, 101);
    if (change_) change_(migration);
    EXPECT_TRUE(
        world_.store.Write({{Table::kMigrations, kName, migration.SerializeAsString()}}).ok());
    world_.Start();
    return *world_.migrator->Get(kName);
  }

  void ExpectEnded(const v1::Migration& migration, v1::Migration::State state,
                   const std::string& words) {
    EXPECT_EQ(migration.state(), state) << migration.message();
    EXPECT_THAT(migration.message(), HasSubstr(words));
    EXPECT_EQ(world_.StoredState(kName), state);
    EXPECT_GT(migration.revision(), 100000u);
    EXPECT_FALSE(world_.qemu.SplitBrain());
    EXPECT_EQ(world_.migrator->RunningMigrationOf(kVm), "");
  }

  MigrationWorld world_;
  std::unique_ptr<Hypervisor> source_;
  std::unique_ptr<Hypervisor> destination_;
  v1::SourceDisposition disposition_ = v1::SOURCE_DISPOSITION_KEEP;
  std::string message_;
  // What else is in the record.
  std::function<void(v1::Migration&)> change_;
};

TEST_F(SettleTest, BeforeItWasBegun) {
  ExpectEnded(RestartAt(v1::Migration::STATE_EVALUATING), v1::Migration::STATE_FAILED,
              "stays at the source");
  EXPECT_TRUE(world_.SourceRuns());
}

TEST_F(SettleTest, PreparedCapabilitiesDoNotStopALaterMigration) {
  Qemu({});
  ExpectEnded(RestartAt(v1::Migration::STATE_PREPARING), v1::Migration::STATE_FAILED,
              "stays at the source");
  for (const auto& [name, on] : world_.qemu.Settings(kSource).capabilities) {
    EXPECT_FALSE(on) << name;
  }
}

TEST_F(SettleTest, ParametersAreAsBefore) {
  Qemu({});
  change_ = [](v1::Migration& migration) {
    v1::QemuSettings& settings = *migration.mutable_source_qemu()->mutable_settings();
    settings.set_max_bandwidth_bytes_per_second(1000);
    settings.mutable_downtime_limit()->set_seconds(2);
    settings.set_max_cpu_throttle(98);
    settings.set_cpu_throttle_initial(19);
  };
  RestartAt(v1::Migration::STATE_PREPARING);
  const MigrationSettings now = world_.qemu.Settings(kSource);
  EXPECT_EQ(now.max_bandwidth, 1000u);
  EXPECT_EQ(now.downtime_limit, absl::Seconds(2));
  EXPECT_EQ(now.max_cpu_throttle, 98u);
  EXPECT_EQ(now.cpu_throttle_initial, 19u);
}

TEST_F(SettleTest, CapabilitiesThatWereOnBeforeStayOn) {
  Qemu({});
  change_ = [](v1::Migration& migration) {
    (*migration.mutable_source_qemu()->mutable_settings()->mutable_capabilities())["return-path"] =
        true;
  };
  RestartAt(v1::Migration::STATE_PREPARING);
  EXPECT_TRUE(world_.qemu.Settings(kSource).capabilities["return-path"]);
  EXPECT_FALSE(world_.qemu.Settings(kSource).capabilities["pause-before-switchover"]);
}

TEST_F(SettleTest, WhileMemoryIsCopied) {
  world_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  Qemu({"migrate"});
  ExpectEnded(RestartAt(v1::Migration::STATE_TRANSFERRING), v1::Migration::STATE_FAILED,
              "cancelled at restart");
  EXPECT_TRUE(world_.SourceRuns());
  EXPECT_EQ(world_.qemu.MigrationStatus(kSource), "cancelled");
}

TEST_F(SettleTest, StoppedAtPreSwitchover) {
  Qemu({"migrate"});
  ASSERT_EQ(world_.qemu.RunState(kSource), "finish-migrate");
  ExpectEnded(RestartAt(v1::Migration::STATE_TRANSFERRING), v1::Migration::STATE_FAILED,
              "cancelled at restart");
  EXPECT_TRUE(world_.SourceRuns());
}

TEST_F(SettleTest, HandedOverWithoutACommitIsLeftToPeople) {
  Qemu({"migrate", "continue"});
  ExpectEnded(RestartAt(v1::Migration::STATE_TRANSFERRING), v1::Migration::STATE_INTERRUPTED,
              "Never both");
  EXPECT_FALSE(world_.Did("/run/a.qmp Cont"));
  EXPECT_FALSE(world_.Did("/run/b.qmp Cont"));
}

TEST_F(SettleTest, ASourceThatDoesNotAnswer) {
  world_.qemu.Die(kSource);
  ExpectEnded(RestartAt(v1::Migration::STATE_TRANSFERRING), v1::Migration::STATE_INTERRUPTED,
              "not known");
}

TEST_F(SettleTest, CommittedAndRunning) {
  Qemu({"migrate", "continue", "cont destination"});
  disposition_ = v1::SOURCE_DISPOSITION_QUIT;
  ExpectEnded(RestartAt(v1::Migration::STATE_COMMITTED), v1::Migration::STATE_SUCCEEDED, "");
  EXPECT_EQ(world_.RegisteredMonitor(), kDestination);
  EXPECT_FALSE(world_.qemu.Alive(kSource));
}

TEST_F(SettleTest, CommittedButNotStartedYet) {
  Qemu({"migrate", "continue"});
  ExpectEnded(RestartAt(v1::Migration::STATE_COMMITTED), v1::Migration::STATE_SUCCEEDED, "");
  EXPECT_TRUE(world_.DestinationRuns());
  EXPECT_EQ(world_.RegisteredMonitor(), kDestination);
}

TEST_F(SettleTest, ACommittedGuestThatWasPausedStaysPaused) {
  message_ = "The guest was paused before the migration and is paused at the destination.";
  Qemu({"migrate", "continue"});
  ExpectEnded(RestartAt(v1::Migration::STATE_COMMITTED), v1::Migration::STATE_SUCCEEDED, "paused");
  EXPECT_FALSE(world_.DestinationRuns());
}

// The write of the commit was reported as failed, the source resumed, and yet it is on the disk.
TEST_F(SettleTest, ACommitOverARunningSourceStartsNothing) {
  Qemu({"migrate", "continue", "cont source"});
  ExpectEnded(RestartAt(v1::Migration::STATE_COMMITTED), v1::Migration::STATE_INTERRUPTED,
              "the source's run state is running");
  EXPECT_FALSE(world_.DestinationRuns());
  EXPECT_TRUE(world_.SourceRuns());
}

TEST_F(SettleTest, ACommitWhoseSourceCannotBeSeenStartsNothing) {
  Qemu({"migrate", "continue"});
  world_.qemu.Die(kSource);
  ExpectEnded(RestartAt(v1::Migration::STATE_COMMITTED), v1::Migration::STATE_INTERRUPTED,
              "belongs to the destination");
  EXPECT_FALSE(world_.DestinationRuns());
}

// The source died with vufd, and its monitor's path serves another VM that libvirt is migrating.
TEST_F(SettleTest, AnotherQemuAtTheSourcesMonitorIsNotCancelled) {
  world_.qemu.AddVm(TestVm(kSource, kSourceFs, 999, "running"));
  world_.qemu.Link(kSource, kDestination);
  world_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  Qemu({"migrate"});
  ExpectEnded(RestartAt(v1::Migration::STATE_TRANSFERRING), v1::Migration::STATE_INTERRUPTED,
              "another QEMU answers");
  EXPECT_EQ(world_.qemu.MigrationStatus(kSource), "active");
  EXPECT_TRUE(world_.qemu.Settings(kSource).capabilities["pause-before-switchover"]);
}

TEST_F(SettleTest, AQemuWhoseProcessCannotBeToldIsNotCancelled) {
  world_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  Qemu({"migrate"});
  world_.qemu.ChangeFacts(
      kSource, [](VmFacts& vm) { vm.process = Unknown<ProcessId>("not seen", Source::kProcfs); });
  ExpectEnded(RestartAt(v1::Migration::STATE_TRANSFERRING), v1::Migration::STATE_INTERRUPTED,
              "cannot be told");
  EXPECT_EQ(world_.qemu.MigrationStatus(kSource), "active");
}

TEST_F(SettleTest, AnotherQemuAtTheDestinationsMonitorIsNotTakenForTheVm) {
  Qemu({"migrate", "continue"});
  world_.qemu.AddVm(TestVm(kDestination, kDestinationFs, 999, "running"));
  ExpectEnded(RestartAt(v1::Migration::STATE_COMMITTED), v1::Migration::STATE_INTERRUPTED,
              "another QEMU answers");
  EXPECT_EQ(world_.RegisteredMonitor(), kSource);
}

TEST_F(SettleTest, ARecordWithoutProcessesTouchesNothing) {
  world_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  Qemu({"migrate"});
  change_ = [](v1::Migration& migration) { migration.clear_source_qemu(); };
  ExpectEnded(RestartAt(v1::Migration::STATE_TRANSFERRING), v1::Migration::STATE_INTERRUPTED,
              "which QEMUs took part");
  EXPECT_EQ(world_.qemu.MigrationStatus(kSource), "active");
}

TEST_F(SettleTest, AfterARestartOfTheHostNothingIsTouched) {
  Qemu({"migrate", "continue"});
  change_ = [](v1::Migration& migration) {
    migration.mutable_destination_qemu()->set_boot_id("before");
  };
  ExpectEnded(RestartAt(v1::Migration::STATE_COMMITTED), v1::Migration::STATE_INTERRUPTED,
              "the host was restarted");
  EXPECT_FALSE(world_.DestinationRuns());
}

// RemoveVm may slip in between the acceptance of a migration and its start.
TEST_F(SettleTest, TheRecordKnowsTheSourceOfAVmThatWasRemoved) {
  world_.Start();
  ASSERT_TRUE(world_.registry->DeleteVm(kVm, "", absl::Now() + absl::Seconds(10)).ok());
  world_.Stop();
  Qemu({"migrate"});
  change_ = [](v1::Migration& migration) { migration.set_vm("vms/removed"); };
  ExpectEnded(RestartAt(v1::Migration::STATE_TRANSFERRING), v1::Migration::STATE_FAILED,
              "cancelled at restart");
  EXPECT_TRUE(world_.SourceRuns());
}

TEST_F(SettleTest, ManyThatDoNotAnswerAreSettledAtTheSameTime) {
  world_.qemu.Die(kSource);
  for (int i = 0; i < 20; ++i) {
    v1::Migration migration = world_.Request();
    migration.set_name(absl::StrCat("migrations/m00000000", 10 + i));
    migration.set_state(v1::Migration::STATE_TRANSFERRING);
    *migration.mutable_source_qemu() = Identity(kSource, 100);
    *migration.mutable_destination_qemu() = Identity(kDestination, 101);
    ASSERT_TRUE(
        world_.store.Write({{Table::kMigrations, migration.name(), migration.SerializeAsString()}})
            .ok());
  }
  const absl::Time begin = absl::Now();
  world_.Start();
  EXPECT_LT(absl::Now() - begin, absl::Seconds(4));
  for (const v1::Migration& migration : world_.migrator->List()) {
    EXPECT_EQ(migration.state(), v1::Migration::STATE_INTERRUPTED);
  }
}

}  // namespace
}  // namespace vuf
