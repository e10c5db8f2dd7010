// Whatever fails once, at a QEMU or at a keeper: the sessions end up where the guest runs.
#include <tuple>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/migration/kept_world.h"

namespace vuf {
namespace {

// The vm, the call, whether it took effect, how many such calls went well before.
using QemuFailure = std::tuple<const char*, FakeCall, bool, int>;
class QemuFailureTest : public ::testing::TestWithParam<QemuFailure> {};

TEST_P(QemuFailureTest, TheSessionsAreWhereTheGuestRuns) {
  const auto& [vm, call, after_effect, skip] = GetParam();
  KeptWorld world;
  world.Start();
  world.qemu.Fail(vm, call, {absl::DeadlineExceededError("QEMU hangs"), skip, 1, after_effect});
  const v1::Migration migration = world.Migrate();
  EXPECT_NE(world.SourceRuns(), world.DestinationRuns()) << migration.message();
  EXPECT_EQ(world.SourceRuns() ? world.NotAtSource() : world.NotAtDestination(), "")
      << migration.message();
}

INSTANTIATE_TEST_SUITE_P(
    EveryCall, QemuFailureTest,
    ::testing::Combine(::testing::Values(kSource, kDestination),
                       ::testing::Values(FakeCall::kConnect, FakeCall::kObserve,
                                         FakeCall::kObserveAgain, FakeCall::kQueryMigration,
                                         FakeCall::kQueryStanding, FakeCall::kQueryRunState,
                                         FakeCall::kConfigure, FakeCall::kPrepareIncoming,
                                         FakeCall::kStartOutgoing, FakeCall::kAwait,
                                         FakeCall::kMigrateContinue, FakeCall::kCont,
                                         FakeCall::kQuit),
                       ::testing::Bool(), ::testing::Values(0, 1)));

// The keeper, the call, how it fails, whether it took effect, how many such calls went well before.
using KeeperFailure = std::tuple<const char*, KeeperCall, absl::StatusCode, bool, int>;
class KeeperFailureTest : public ::testing::TestWithParam<KeeperFailure> {};

TEST_P(KeeperFailureTest, TheSessionsAreWhereTheGuestRuns) {
  const auto& [keeper, call, code, after_effect, skip] = GetParam();
  KeptWorld world;
  world.Start();
  // So that there is something to take back.
  if (call == KeeperCall::kDisarm) {
    world.qemu.SetOutcome(kSource, FakeOutcome::kFailsWhileActive);
  }
  world.keepers.Fail(keeper, call,
                     {absl::Status(code, "the keeper says no"), skip, 1, after_effect});
  const v1::Migration migration = world.Migrate();
  EXPECT_NE(world.SourceRuns(), world.DestinationRuns()) << migration.message();
  EXPECT_EQ(world.SourceRuns() ? world.NotAtSource() : world.NotAtDestination(), "")
      << migration.message();
}

INSTANTIATE_TEST_SUITE_P(EveryCall, KeeperFailureTest,
                         ::testing::Combine(::testing::Values(kStays, kMovesFrom, kMovesTo),
                                            ::testing::Values(KeeperCall::kLook, KeeperCall::kArm,
                                                              KeeperCall::kDisarm,
                                                              KeeperCall::kFence),
                                            ::testing::Values(absl::StatusCode::kUnavailable,
                                                              absl::StatusCode::kDeadlineExceeded),
                                            ::testing::Bool(), ::testing::Values(0, 1)));

}  // namespace
}  // namespace vuf
