// Taking a hand-over back, and fencing; those with the state in the stream.
#include "gtest/gtest.h"
#include "keeper/hand_over.h"
#include "keeper/testing/hand_over_fixture.h"

namespace vuf::keeper {
namespace {

using std::chrono::seconds;

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
