// Arming, saving and loading.
#include "keeper/hand_over.h"

#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "keeper/testing/hand_over_fixture.h"

namespace vuf::keeper {
namespace {

using std::chrono::seconds;

TEST_F(HandOverTest, FromArmedToHandedOver) {
  HandOver hand_over = InPhase(Phase::kLoaded);
  EXPECT_EQ(hand_over.nominee(), kDestination);
  EXPECT_TRUE(hand_over.saved_stateless());
  hand_over.Complete();
  EXPECT_EQ(hand_over.phase(), Phase::kNone);
  EXPECT_EQ(hand_over.handed_over(), "p");
  EXPECT_EQ(hand_over.count(), 1u);
  EXPECT_EQ(hand_over.nominee(), 0u);
  EXPECT_FALSE(hand_over.fenced());
  EXPECT_EQ(hand_over.permit().id, "");
}

TEST_F(HandOverTest, SaveInEachPhase) {
  EXPECT_EQ(InPhase(Phase::kNone).MaySave(kNow, kSource), "no permit is armed");
  EXPECT_EQ(InPhase(Phase::kArmed).MaySave(kNow, kSource), "");
  EXPECT_NE(InPhase(Phase::kSaved).MaySave(kNow, kSource), "");
  EXPECT_NE(InPhase(Phase::kLoaded).MaySave(kNow, kSource), "");
}

TEST_F(HandOverTest, SaveNeedsTheNamedSourceInTime) {
  const HandOver armed = InPhase(Phase::kArmed);
  EXPECT_NE(armed.MaySave(kNow, kDestination), "");
  EXPECT_NE(armed.MaySave(kNow, 0), "");
  EXPECT_EQ(armed.MaySave(kNow + seconds(60) - std::chrono::nanoseconds(1), kSource), "");
  EXPECT_EQ(armed.MaySave(kNow + seconds(60), kSource), "permit p has expired");
}

TEST_F(HandOverTest, LoadInEachPhase) {
  for (const Phase phase : kAll) {
    HandOver hand_over = InPhase(phase);
    // Before anything was saved only a marker of somebody else's can come.
    if (phase < Phase::kSaved) InPhase(Phase::kSaved);
    EXPECT_EQ(Load(hand_over).empty(), phase == Phase::kSaved) << static_cast<int>(phase);
    EXPECT_EQ(hand_over.phase(), phase == Phase::kSaved ? Phase::kLoaded : phase);
  }
}

TEST_F(HandOverTest, LoadNeedsTheNamedDestinationInTime) {
  HandOver hand_over = InPhase(Phase::kSaved);
  EXPECT_NE(Load(hand_over, kThird), "");
  EXPECT_NE(Load(hand_over, kSource), "");
  EXPECT_EQ(Load(hand_over, kDestination, kNow + seconds(60)), "permit p has expired");
  EXPECT_EQ(hand_over.phase(), Phase::kSaved);
  EXPECT_EQ(Load(hand_over), "");
}

TEST_F(HandOverTest, UnnamedDestinationIsWhoeverComesFirst) {
  HandOver hand_over(RandomId());
  Permit permit = Outgoing();
  permit.destination = 0;
  ASSERT_TRUE(hand_over.Arm(permit).ok());
  marker_ = hand_over.Save(session_);
  EXPECT_EQ(Load(hand_over, kThird), "");
  EXPECT_NE(Load(hand_over, kDestination), "");
  EXPECT_EQ(hand_over.nominee(), kThird);
}

TEST_F(HandOverTest, SecondNomineeIsRefused) {
  HandOver hand_over = InPhase(Phase::kLoaded);
  EXPECT_EQ(Load(hand_over, kThird), "another front-end has loaded under this permit");
  EXPECT_EQ(Load(hand_over, kDestination), "another front-end has loaded under this permit");
  EXPECT_EQ(hand_over.nominee(), kDestination);
}

TEST_F(HandOverTest, MarkersOfOthersAreRefused) {
  const auto refused = [this](auto&& spoil) {
    HandOver hand_over = InPhase(Phase::kSaved);
    Marker marker;
    EXPECT_EQ(Decode(marker_, marker), "");
    spoil(marker);
    marker_ = Encode(marker);
    const std::string why = Load(hand_over);
    EXPECT_EQ(hand_over.phase(), why.empty() ? Phase::kLoaded : Phase::kSaved);
    return !why.empty();
  };
  EXPECT_FALSE(refused([](Marker&) {}));
  EXPECT_TRUE(refused([](Marker& m) { m.instance[3] ^= 1; }));
  EXPECT_TRUE(refused([](Marker& m) { m.session[3] ^= 1; }));
  EXPECT_TRUE(refused([](Marker& m) { m.permit = "q"; }));
  EXPECT_TRUE(refused([](Marker& m) { m.nonce[3] ^= 1; }));
  EXPECT_TRUE(refused([](Marker& m) { m.mode = MarkerMode::kStateful; }));
}

TEST_F(HandOverTest, MarkerThatWasUsedIsRefused) {
  HandOver hand_over = InPhase(Phase::kLoaded);
  hand_over.Complete();
  EXPECT_NE(Load(hand_over), "");
  Permit next = Outgoing();
  next.id = "next";
  ASSERT_TRUE(hand_over.Arm(next).ok());
  EXPECT_NE(Load(hand_over), "");
  hand_over.Save(session_);
  EXPECT_NE(Load(hand_over), "") << "it is of the permit before";
}

TEST_F(HandOverTest, EverySaveHasItsOwnMarker) {
  HandOver hand_over = InPhase(Phase::kSaved);
  EXPECT_EQ(hand_over.TakeBack(), "");
  ASSERT_TRUE(hand_over.Arm(Outgoing()).ok());
  hand_over.Save(session_);
  EXPECT_EQ(Load(hand_over), "the marker is an old one of this migration");
}

TEST_F(HandOverTest, ArmInEachPhase) {
  for (const Phase phase : kAll) {
    HandOver hand_over = InPhase(phase);
    Permit again = Outgoing();
    again.expires += seconds(60);
    EXPECT_TRUE(hand_over.Arm(again).ok());
    EXPECT_EQ(hand_over.permit().expires, again.expires) << "it is renewed";
    EXPECT_EQ(hand_over.phase(), phase == Phase::kNone ? Phase::kArmed : phase);
    Permit other = again;
    other.id = "other";
    EXPECT_EQ(hand_over.Arm(other).code, Result::Code::kFailedPrecondition);
    EXPECT_EQ(hand_over.permit().id, "p");
  }
}

TEST_F(HandOverTest, RenewingAnExpiredPermitRevivesIt) {
  HandOver hand_over = InPhase(Phase::kSaved);
  EXPECT_NE(Load(hand_over, kDestination, kNow + seconds(100)), "");
  Permit again = Outgoing();
  again.expires = kNow + seconds(200);
  ASSERT_TRUE(hand_over.Arm(again).ok());
  EXPECT_EQ(Load(hand_over, kDestination, kNow + seconds(100)), "");
}

TEST_F(HandOverTest, ArmAgainNeedsTheSamePermit) {
  const std::vector<std::function<void(Permit&)>> changes = {
      [](Permit& p) { p.mode = MarkerMode::kStateful; },
      [](Permit& p) { p.direction = Permit::Direction::kIncoming; },
      [](Permit& p) { p.source = kThird; },
  };
  for (const auto& change : changes) {
    HandOver hand_over = InPhase(Phase::kArmed);
    Permit again = Outgoing();
    change(again);
    EXPECT_EQ(hand_over.Arm(again).code, Result::Code::kFailedPrecondition);
    EXPECT_EQ(hand_over.MaySave(kNow, kSource), "");
  }
}

TEST_F(HandOverTest, DestinationCanBeNamedUntilItHasLoaded) {
  Permit named = Outgoing();
  named.destination = kThird;
  HandOver saved = InPhase(Phase::kSaved);
  ASSERT_TRUE(saved.Arm(named).ok());
  EXPECT_NE(Load(saved, kDestination), "");
  EXPECT_EQ(Load(saved, kThird), "");
  EXPECT_FALSE(InPhase(Phase::kLoaded).Arm(named).ok());
}

}  // namespace
}  // namespace vuf::keeper
