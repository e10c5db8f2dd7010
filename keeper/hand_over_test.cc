#include "keeper/hand_over.h"

#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace vuf::keeper {
namespace {

using Phase = HandOver::Phase;
using std::chrono::seconds;

constexpr uint64_t kSource = 11;
constexpr uint64_t kDestination = 22;
constexpr uint64_t kThird = 33;
const Time kNow = Time() + seconds(1000);

class HandOverTest : public testing::Test {
 protected:
  HandOverTest() { session_.fill(5); }

  static Permit Outgoing() {
    Permit out;
    out.id = "p";
    out.expires = kNow + seconds(60);
    out.source = kSource;
    out.destination = kDestination;
    return out;
  }
  static Permit Stateful(Permit::Direction direction) {
    Permit out = Outgoing();
    out.mode = MarkerMode::kStateful;
    out.direction = direction;
    if (direction == Permit::Direction::kIncoming) out.source = 0;
    return out;
  }
  HandOver InPhase(Phase phase) {
    HandOver out(RandomId());
    if (phase >= Phase::kArmed) {
      EXPECT_TRUE(out.Arm(Outgoing()).ok());
    }
    if (phase >= Phase::kSaved) marker_ = out.Save(session_);
    if (phase >= Phase::kLoaded) {
      EXPECT_EQ(Load(out), "");
    }
    EXPECT_EQ(out.phase(), phase);
    return out;
  }
  std::string Load(HandOver& hand_over, uint64_t who = kDestination, Time now = kNow) {
    return hand_over.Load(now, who, session_, marker_);
  }

  Id session_;
  MarkerBytes marker_ = {};
};

constexpr Phase kAll[] = {Phase::kNone, Phase::kArmed, Phase::kSaved, Phase::kLoaded};

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

TEST_F(HandOverTest, DisarmInEachPhase) {
  for (const Phase phase : kAll) {
    HandOver hand_over = InPhase(phase);
    if (phase != Phase::kNone) {
      EXPECT_FALSE(hand_over.Disarm("other").ok());
    }
    EXPECT_EQ(hand_over.phase(), phase);
    EXPECT_TRUE(hand_over.Disarm("p").ok());
    EXPECT_EQ(hand_over.phase(), Phase::kNone);
    EXPECT_EQ(hand_over.nominee(), 0u);
    EXPECT_NE(hand_over.MaySave(kNow, kSource), "");
    if (phase >= Phase::kSaved) {
      EXPECT_NE(Load(hand_over), "");
    }
    EXPECT_TRUE(hand_over.Disarm("p").ok()) << "twice is fine";
  }
}

TEST_F(HandOverTest, HandOverThatIsDoneCannotBeDisarmed) {
  HandOver hand_over = InPhase(Phase::kLoaded);
  hand_over.Complete();
  EXPECT_EQ(hand_over.Disarm("p").code, Result::Code::kFailedPrecondition);
  EXPECT_TRUE(hand_over.Disarm("never seen").ok());
}

TEST_F(HandOverTest, PermitIsForOneHandOver) {
  HandOver hand_over = InPhase(Phase::kLoaded);
  hand_over.Complete();
  EXPECT_EQ(hand_over.Arm(Outgoing()).code, Result::Code::kFailedPrecondition);
  EXPECT_EQ(hand_over.phase(), Phase::kNone);
  Permit next = Outgoing();
  next.id = "next";
  EXPECT_TRUE(hand_over.Arm(next).ok());
}

TEST_F(HandOverTest, FenceInEachPhase) {
  for (const Phase phase : kAll) {
    HandOver hand_over = InPhase(phase);
    EXPECT_FALSE(hand_over.Fence("other").ok());
    EXPECT_EQ(hand_over.Fence("p").ok(), phase == Phase::kLoaded) << static_cast<int>(phase);
    EXPECT_EQ(hand_over.fenced(), phase == Phase::kLoaded);
  }
}

TEST_F(HandOverTest, FenceOfWhatIsDoneIsDone) {
  HandOver hand_over = InPhase(Phase::kLoaded);
  hand_over.Complete();
  EXPECT_TRUE(hand_over.Fence("p").ok());
  EXPECT_FALSE(hand_over.fenced()) << "there is nobody left to shut out";
  EXPECT_EQ(hand_over.TakeBack(), "") << "the new driver may stop and start";
}

TEST_F(HandOverTest, TakeBackInEachPhase) {
  for (const Phase phase : kAll) {
    HandOver hand_over = InPhase(phase);
    EXPECT_EQ(hand_over.TakeBack(), "");
    EXPECT_EQ(hand_over.phase(), phase == Phase::kArmed ? Phase::kArmed : Phase::kNone);
    EXPECT_EQ(hand_over.nominee(), 0u);
    if (phase >= Phase::kSaved) {
      EXPECT_NE(Load(hand_over), "") << "what was saved is void";
    }
  }
}

TEST_F(HandOverTest, FencedDriverMayNotTakeBackUntilDisarmed) {
  HandOver hand_over = InPhase(Phase::kLoaded);
  ASSERT_TRUE(hand_over.Fence("p").ok());
  EXPECT_NE(hand_over.TakeBack(), "");
  EXPECT_EQ(hand_over.phase(), Phase::kLoaded);
  ASSERT_TRUE(hand_over.Disarm("p").ok());
  EXPECT_FALSE(hand_over.fenced());
  EXPECT_EQ(hand_over.TakeBack(), "");
}

TEST_F(HandOverTest, NomineeThatLeavesLeavesTheMarker) {
  for (const Phase phase : kAll) {
    HandOver hand_over = InPhase(phase);
    hand_over.Gone(kThird);
    hand_over.Gone(kSource);
    EXPECT_EQ(hand_over.phase(), phase);
    hand_over.Gone(kDestination);
    EXPECT_EQ(hand_over.phase(), phase == Phase::kLoaded ? Phase::kSaved : phase);
    EXPECT_EQ(hand_over.nominee(), 0u);
    if (phase >= Phase::kSaved) {
      EXPECT_EQ(Load(hand_over), "");
    }
  }
}

TEST_F(HandOverTest, FenceOutlastsTheNominee) {
  HandOver hand_over = InPhase(Phase::kLoaded);
  ASSERT_TRUE(hand_over.Fence("p").ok());
  hand_over.Gone(kDestination);
  EXPECT_NE(hand_over.TakeBack(), "");
  EXPECT_EQ(Load(hand_over), "");
}

TEST_F(HandOverTest, StatefulOutgoingSavesAndIsFencedAfterwards) {
  HandOver hand_over(RandomId());
  ASSERT_TRUE(hand_over.Arm(Stateful(Permit::Direction::kOutgoing)).ok());
  EXPECT_FALSE(hand_over.Fence("p").ok());
  EXPECT_EQ(hand_over.MaySave(kNow, kSource), "");
  marker_ = hand_over.Save(session_);
  EXPECT_FALSE(hand_over.saved_stateless());
  EXPECT_EQ(Load(hand_over), "the permit is for a save");
  EXPECT_TRUE(hand_over.Fence("p").ok());
  EXPECT_NE(hand_over.TakeBack(), "");
}

TEST_F(HandOverTest, StatefulIncomingLoadsWhatAnotherKeeperSaved) {
  HandOver source(RandomId());
  ASSERT_TRUE(source.Arm(Stateful(Permit::Direction::kOutgoing)).ok());
  marker_ = source.Save(session_);
  HandOver hand_over(RandomId());
  session_.fill(6);
  EXPECT_NE(Load(hand_over), "") << "not armed";
  ASSERT_TRUE(hand_over.Arm(Stateful(Permit::Direction::kIncoming)).ok());
  EXPECT_EQ(hand_over.MaySave(kNow, kSource), "the permit is for a load");
  EXPECT_FALSE(hand_over.Fence("p").ok());
  EXPECT_NE(Load(hand_over, kThird), "");
  EXPECT_NE(Load(hand_over, kDestination, kNow + seconds(60)), "");
  EXPECT_EQ(Load(hand_over), "");
  EXPECT_FALSE(hand_over.saved_stateless());
  EXPECT_NE(Load(hand_over), "") << "twice";
  hand_over.Gone(kDestination);
  EXPECT_EQ(hand_over.phase(), Phase::kArmed);
  EXPECT_EQ(Load(hand_over), "");
  EXPECT_TRUE(hand_over.Fence("p").ok());
  hand_over.Complete();
  EXPECT_EQ(hand_over.handed_over(), "p");
}

TEST_F(HandOverTest, StatefulIncomingNeedsItsOwnPermitAndMode) {
  HandOver source(RandomId());
  Permit other = Stateful(Permit::Direction::kOutgoing);
  other.id = "q";
  ASSERT_TRUE(source.Arm(other).ok());
  marker_ = source.Save(session_);
  HandOver hand_over(RandomId());
  ASSERT_TRUE(hand_over.Arm(Stateful(Permit::Direction::kIncoming)).ok());
  EXPECT_EQ(Load(hand_over), "the state is of another permit");
  HandOver stateless = InPhase(Phase::kSaved);
  EXPECT_NE(Load(hand_over), "") << "a stateless marker of another keeper";
  EXPECT_EQ(hand_over.phase(), Phase::kArmed);
}

}  // namespace
}  // namespace vuf::keeper
