#include "server/keeper/fake_keeper.h"

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;
using Phase = KeeperFacts::Phase;
using Role = KeeperFacts::Role;

constexpr char kSocket[] = "/run/fs0.control";
constexpr uint64_t kSource = 2000;
constexpr uint64_t kDestination = 2001;

class FakeKeeperTest : public ::testing::Test {
 protected:
  FakeKeeperTest() {
    keepers_.Add(address_);
    keepers_.ConnectFrontEnd(kSocket, kSource);
    EXPECT_TRUE(keepers_.Start(kSocket, kSource).ok());
    keepers_.ConnectFrontEnd(kSocket, kDestination);
    permit_.permit = "m1";
    permit_.mode = Mode::kStateless;
    permit_.ttl = absl::Minutes(1);
    permit_.source_inode = kSource;
    permit_.destination_inode = kDestination;
  }
  absl::Status Arm() { return keepers_.Arm(address_, permit_, Soon()).status(); }
  absl::Status Disarm() { return keepers_.Disarm(address_, "m1", Soon()).status(); }
  absl::Status Fence() { return keepers_.Fence(address_, "m1", Soon()).status(); }
  void HandOverUntilLoaded() {
    ASSERT_TRUE(Arm().ok());
    ASSERT_TRUE(keepers_.Save(kSocket, kSource).ok());
    ASSERT_TRUE(keepers_.Load(kSocket, kDestination).ok());
  }
  Role RoleOf(uint64_t inode) const {
    for (const auto& one : keepers_.Facts(kSocket).front_ends) {
      if (one.socket_inode == inode) return one.role;
    }
    return Role::kUnknown;
  }
  static absl::Time Soon() { return absl::Now() + absl::Seconds(10); }

  FakeClock clock_{absl::FromUnixSeconds(1700000000)};
  FakeKeeper keepers_{&clock_};
  const KeeperAddress address_ = {kSocket, {300, 500}, "k1"};
  KeeperPermit permit_;
};

TEST_F(FakeKeeperTest, HandsOver) {
  HandOverUntilLoaded();
  EXPECT_EQ(RoleOf(kDestination), Role::kNominee);
  ASSERT_TRUE(Fence().ok());
  EXPECT_FALSE(keepers_.Start(kSocket, kSource).ok());
  ASSERT_TRUE(keepers_.Start(kSocket, kDestination).ok());
  const KeeperFacts facts = keepers_.Facts(kSocket);
  EXPECT_EQ(facts.phase, Phase::kNone);
  EXPECT_EQ(facts.handed_over_permit, "m1");
  EXPECT_FALSE(facts.fenced);
  EXPECT_EQ(RoleOf(kDestination), Role::kDriver);
  EXPECT_EQ(RoleOf(kSource), Role::kFenced);
  EXPECT_TRUE(absl::IsFailedPrecondition(Disarm()));
  EXPECT_FALSE(keepers_.Start(kSocket, kSource).ok());
  EXPECT_THAT(keepers_.Actions(),
              ElementsAre("/run/fs0.control Arm m1", "/run/fs0.control Fence m1",
                          "/run/fs0.control Disarm m1"));
}

TEST_F(FakeKeeperTest, TheSourceTakesItsRingsBack) {
  HandOverUntilLoaded();
  ASSERT_TRUE(keepers_.Start(kSocket, kSource).ok());
  EXPECT_EQ(RoleOf(kDestination), Role::kIdle);
  EXPECT_FALSE(keepers_.Start(kSocket, kDestination).ok());
}

TEST_F(FakeKeeperTest, DisarmUndoesAFence) {
  HandOverUntilLoaded();
  ASSERT_TRUE(Fence().ok());
  ASSERT_TRUE(Disarm().ok());
  EXPECT_TRUE(keepers_.Start(kSocket, kSource).ok());
}

TEST_F(FakeKeeperTest, RefusesWhatIsOutOfOrder) {
  EXPECT_FALSE(keepers_.Save(kSocket, kSource).ok());
  ASSERT_TRUE(Arm().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(Fence()));
  EXPECT_FALSE(keepers_.Load(kSocket, kDestination).ok());
  EXPECT_FALSE(keepers_.Save(kSocket, kDestination).ok());
  permit_.permit = "m2";
  EXPECT_TRUE(absl::IsFailedPrecondition(Arm()));
}

TEST_F(FakeKeeperTest, APermitExpiresUnlessItIsRenewed) {
  ASSERT_TRUE(Arm().ok());
  clock_.Advance(absl::Minutes(2));
  EXPECT_FALSE(keepers_.Save(kSocket, kSource).ok());
  EXPECT_EQ(keepers_.Facts(kSocket).last_refusal, "the permit has expired");
  ASSERT_TRUE(Arm().ok());
  EXPECT_TRUE(keepers_.Save(kSocket, kSource).ok());
}

TEST_F(FakeKeeperTest, AMarkerCanBePresentedAgain) {
  HandOverUntilLoaded();
  keepers_.Disconnect(kSocket, kDestination);
  EXPECT_EQ(keepers_.Facts(kSocket).phase, Phase::kSaved);
}

TEST_F(FakeKeeperTest, EndsWithItsDriver) {
  ASSERT_TRUE(Arm().ok());
  keepers_.Disconnect(kSocket, kSource);
  EXPECT_FALSE(keepers_.Alive(kSocket));
  EXPECT_TRUE(absl::IsUnavailable(keepers_.Look(address_, Soon()).status()));
}

TEST_F(FakeKeeperTest, RefusesAnotherInstanceOrProcess) {
  EXPECT_TRUE(
      absl::IsFailedPrecondition(keepers_.Look({kSocket, {300, 500}, "k2"}, Soon()).status()));
  EXPECT_TRUE(
      absl::IsFailedPrecondition(keepers_.Look({kSocket, {300, 501}, ""}, Soon()).status()));
  EXPECT_TRUE(keepers_.Look({kSocket, {300, 500}, ""}, Soon()).ok());
}

TEST_F(FakeKeeperTest, FailsAsToldBeforeOrAfterTheEffect) {
  keepers_.Fail(kSocket, KeeperCall::kArm, {absl::UnavailableError("gone"), 0, 1});
  EXPECT_TRUE(absl::IsUnavailable(Arm()));
  EXPECT_EQ(keepers_.Facts(kSocket).phase, Phase::kNone);
  keepers_.Fail(kSocket, KeeperCall::kArm, {absl::DeadlineExceededError("slow"), 0, 1, true});
  EXPECT_TRUE(absl::IsDeadlineExceeded(Arm()));
  EXPECT_EQ(keepers_.Facts(kSocket).phase, Phase::kArmed);
  EXPECT_EQ(keepers_.LastPermit(kSocket).source_inode, kSource);
  EXPECT_EQ(keepers_.CallCount(kSocket, KeeperCall::kArm), 2);
}

TEST_F(FakeKeeperTest, AHookMayPlayAQemu) {
  HandOverUntilLoaded();
  keepers_.Before(kSocket, KeeperCall::kFence,
                  [this] { EXPECT_TRUE(keepers_.Start(kSocket, kSource).ok()); });
  EXPECT_TRUE(absl::IsFailedPrecondition(Fence()));
}

}  // namespace
}  // namespace vuf
