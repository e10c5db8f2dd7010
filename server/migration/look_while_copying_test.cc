// When the last look at who takes part happens, and what it finds.
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/migration/kept_world.h"

namespace vuf {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class LookTest : public ::testing::Test {
 protected:
  LookTest() { world_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges); }
  int Looks() { return world_.qemu.CallCount(kSource, FakeCall::kObserveAgain); }
  std::string StartCopying() {
    world_.Start();
    const std::string name = world_.Create(world_.Request())->name();
    EXPECT_TRUE(world_.AwaitThat([&] { return Looks() > 0; }));
    return name;
  }

  KeptWorld world_;
};

// Behind keepers; MigratorTest.LookingAgainHasALimitOfItsOwn has the other kind.
TEST_F(LookTest, TheGuestDoesNotStandStillForIt) {
  int looks = 0;
  const std::string name = StartCopying();
  world_.qemu.Before(kSource, FakeCall::kMigrateContinue, [&] { looks = Looks(); });
  const int before = Looks();
  world_.qemu.Converge(kSource);
  EXPECT_EQ(world_.Await(name).state(), v1::Migration::STATE_SUCCEEDED);
  EXPECT_EQ(looks, before);
}

TEST_F(LookTest, ItIsRepeatedWhileMemoryIsCopied) {
  const std::string name = StartCopying();
  EXPECT_TRUE(world_.AwaitThat([&] { return Looks() > 1; }));
  EXPECT_EQ(world_.qemu.CallCount(kSource, FakeCall::kObserve), 1);
  world_.migrator->Shutdown();
}

TEST_F(LookTest, WhatItFindsEndsTheMigrationBeforeTheGuestStops) {
  const std::string name = StartCopying();
  world_.keepers.Change(kStays, [](KeeperFacts& facts) { facts.session = "another"; });
  const v1::Migration migration = world_.Await(name);
  EXPECT_EQ(migration.state(), v1::Migration::STATE_FAILED);
  EXPECT_THAT(migration.message(), AllOf(HasSubstr("ended while memory was copied"),
                                         HasSubstr("the session at the keeper of device fs0")));
  EXPECT_TRUE(world_.SourceRuns());
  EXPECT_EQ(world_.decisions.records().back().trigger(), v1::DECISION_TRIGGER_SWITCHOVER);
  EXPECT_GT(world_.decisions.records().back().changes_size(), 0);
}

// Somebody else said `migrate-continue`, and the source died of it: only the destination can go on.
TEST_F(LookTest, ASourceThatIsGoneIsNoReasonToGiveTheGuestUp) {
  world_.qemu.Before(kSource, FakeCall::kObserveAgain, [&] {
    if (!world_.qemu.Alive(kSource)) return;
    world_.qemu.SetOutcome(kSource, FakeOutcome::kSourceDiesAfterSwitchover);
    world_.qemu.Converge(kSource);
    const absl::Time soon = absl::Now() + absl::Seconds(10);
    auto other = *world_.qemu.Connect(kSource, soon);
    EXPECT_TRUE(other->Do(Hypervisor::Act::kMigrateContinue, soon).ok());
  });
  world_.Start();
  const v1::Migration migration = world_.Migrate();
  EXPECT_EQ(migration.state(), v1::Migration::STATE_SUCCEEDED) << migration.message();
  EXPECT_TRUE(world_.DestinationRuns());
}

}  // namespace
}  // namespace vuf
