// Stops that find requests of the guest under way.
#include "gtest/gtest.h"
#include "keeper/session.h"
#include "keeper/testing/session_world.h"

namespace vuf::keeper {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// How long a ring is left ready when its stop was given up.
constexpr milliseconds kSettling{50};

class SessionDrain : public testing::Test {
 protected:
  SessionDrain() : qemu_(world_.Driver()) {
    qemu_.Submit(1, 4);
    world_.Run();
  }

  // A request that the back-end has taken and does not answer; the rest of it goes on or not.
  void Hold(bool stalls) {
    world_.back_end.rings[1].held = true;
    qemu_.Submit(1);
    world_.Run();
    world_.back_end.stalled = stalls;
  }
  void Release() {
    world_.back_end.rings[1].held = false;
    world_.back_end.stalled = false;
    world_.Run();
    world_.Advance(kSettling);
  }
  // So that the rings are being started.
  void AnswerTheOldStopOnly() {
    world_.back_end.rings[1].held = false;
    world_.back_end.stalled = false;
    world_.Run();
    world_.now += kSettling;
    world_.session->Dispatch(world_.now);
    world_.back_end.Serve();
    world_.back_end.stalled = true;
    world_.Run();
  }
  void Kick() const {
    const uint64_t one = 1;
    ASSERT_EQ(write(qemu_.kicks[1].get(), &one, sizeof one), ssize_t{sizeof one});
  }
  void Send(uint32_t request, VringState state) {
    qemu_.SendOnly(Message::Make(request, state, kVersion | kNeedReply));
    world_.Run();
  }
  // A stop that is given up at the limit.
  void StopInVain() {
    Hold(true);
    EXPECT_FALSE(qemu_.Enable(1, false));
    world_.Advance(milliseconds(500));
    ASSERT_EQ(qemu_.unread_answers(), 1u);
    ASSERT_TRUE(qemu_.TakeAnswer().has_value());
    ASSERT_TRUE(qemu_.Enable(0, false));
    const std::optional<uint32_t> base = qemu_.GetBase(1);
    ASSERT_EQ(base, 4u) << "what is used so far";
    qemu_.bases[1] = *base;
    qemu_.bases[0] = qemu_.GetBase(0).value_or(77);
    EXPECT_EQ(qemu_.bases[0], 0u);
  }

  SessionWorld world_;
  FakeFrontEnd& qemu_;
};

TEST_F(SessionDrain, StopWaitsForTheLastAnswer) {
  Hold(false);
  Send(kSetVringEnable, {1, 0});
  EXPECT_EQ(qemu_.unread_answers(), 0u);
  EXPECT_TRUE(world_.back_end.rings[1].enabled) << "not told before";
  ASSERT_TRUE(world_.session->Patience(world_.now).has_value());
  world_.Advance(milliseconds(300));
  EXPECT_EQ(qemu_.unread_answers(), 0u);
  Release();
  EXPECT_EQ(qemu_.unread_answers(), 1u);
  EXPECT_FALSE(world_.back_end.rings[1].enabled);
  qemu_.TakeAnswer();
  EXPECT_EQ(qemu_.GetBase(1), 5u);
  EXPECT_FALSE(world_.Describe().front_ends(0).undrained());
  EXPECT_EQ(world_.Describe().last_drain_us(), 350000u);
  EXPECT_EQ(world_.Describe().drain_timeouts(), 0u);
}

TEST_F(SessionDrain, WaitingKicksAgain) {
  Hold(false);
  Signalled(qemu_.kicks[1]);
  Send(kSetVringEnable, {1, 0});
  EXPECT_EQ(Signalled(qemu_.kicks[1]), 0u);
  world_.Advance(milliseconds(5));
  EXPECT_EQ(Signalled(qemu_.kicks[1]), 1u);
  world_.Advance(milliseconds(4));
  EXPECT_EQ(Signalled(qemu_.kicks[1]), 0u);
  world_.Advance(milliseconds(1));
  EXPECT_EQ(Signalled(qemu_.kicks[1]), 1u);
}

// Whoever has taken the last kick may still look at the ring that has nothing more in it.
TEST_F(SessionDrain, DisabledRingStaysReadyForAMomentAfterItsLastKick) {
  Send(kSetVringEnable, {1, 0});
  EXPECT_FALSE(world_.back_end.rings[1].enabled);
  EXPECT_EQ(world_.back_end.Count(kGetVringBase), 0u);
  EXPECT_LE(world_.session->Patience(world_.now), microseconds(250));
  world_.Advance(microseconds(249));
  EXPECT_EQ(world_.back_end.Count(kGetVringBase), 0u);
  world_.Advance(microseconds(1));
  EXPECT_EQ(world_.back_end.Count(kGetVringBase), 1u);
  EXPECT_EQ(qemu_.unread_answers(), 1u);
}

TEST_F(SessionDrain, StopIsGivenUpAtTheLimitAndCannotBeSaved) {
  FakeFrontEnd& destination = world_.ConnectCopyOf(qemu_);
  ASSERT_TRUE(destination.Realize());
  ASSERT_TRUE(world_.session->Arm(world_.PermitFor(qemu_, destination)).ok());
  StopInVain();
  EXPECT_TRUE(world_.Describe().front_ends(0).undrained());
  EXPECT_GE(world_.Describe().drain_timeouts(), 1u);
  EXPECT_FALSE(qemu_.Save().has_value());
  Release();
  EXPECT_FALSE(qemu_.Save().has_value()) << "not of this stop";
  ASSERT_TRUE(qemu_.Start());
  EXPECT_EQ(world_.back_end.rings[1].base, 5u);
  ASSERT_TRUE(qemu_.Stop());
  EXPECT_TRUE(qemu_.Save().has_value()) << "of the next";
}

TEST_F(SessionDrain, StopWaitsUntilTheLastKickIsTaken) {
  world_.back_end.stalled = true;
  Kick();
  const size_t told = world_.back_end.Count(kSetVringEnable);
  EXPECT_FALSE(qemu_.Enable(1, false));
  world_.back_end.stalled = false;
  world_.back_end.Serve();
  EXPECT_EQ(world_.back_end.Count(kSetVringEnable), told) << "it had not been told";
  world_.Settle();
  EXPECT_EQ(qemu_.unread_answers(), 1u);
  EXPECT_FALSE(world_.Describe().front_ends(0).undrained());
}

// QEMU takes a kick that is left when the stop is answered. virtiofsd's worker, if that kick had
// woken it, would find none and end.
TEST_F(SessionDrain, WhoeverWasWokenFindsAKickAfterAStopInVain) {
  StopInVain();
  Signalled(qemu_.kicks[1]);
  world_.Run();
  EXPECT_EQ(Signalled(qemu_.kicks[1]), 1u);
  world_.Advance(milliseconds(1));
  EXPECT_EQ(Signalled(qemu_.kicks[1]), 1u) << "again";
}

TEST_F(SessionDrain, RingStaysReadyForAWhileAfterAStopInVain) {
  StopInVain();
  ASSERT_TRUE(world_.session->Patience(world_.now).has_value());
  EXPECT_LE(*world_.session->Patience(world_.now), milliseconds(5));
  const size_t asked = world_.back_end.Count(kGetVringBase);
  world_.back_end.rings[1].held = false;
  world_.back_end.stalled = false;
  world_.Run();
  world_.Advance(kSettling - milliseconds(1));
  EXPECT_FALSE(world_.back_end.rings[1].enabled);
  EXPECT_EQ(world_.back_end.Count(kGetVringBase), asked + 1) << "the other ring's";
  world_.Advance(milliseconds(1));
  EXPECT_EQ(world_.back_end.Count(kGetVringBase), asked + 2);
  Signalled(qemu_.kicks[1]);
  world_.Advance(milliseconds(1));
  EXPECT_EQ(Signalled(qemu_.kicks[1]), 0u) << "enough";
}

TEST_F(SessionDrain, RestartWhileARequestIsUnderWayIsNotMadeToWait) {
  StopInVain();
  ASSERT_TRUE(qemu_.Start()) << "the guest goes on at once";
  EXPECT_EQ(world_.Describe().front_ends(0).running_rings(), 0u);
  Release();
  EXPECT_EQ(world_.Describe().front_ends(0).running_rings(), 2u);
  EXPECT_TRUE(world_.back_end.rings[1].enabled);
  qemu_.Submit(1, 2);
  world_.Run();
  EXPECT_EQ(qemu_.Used(1), 7u) << "4, the held one, and these two; none twice";
  EXPECT_EQ(qemu_.Available(1), 7u);
}

TEST_F(SessionDrain, BaseIsTheBackEndsWhenItHasGoneOnMeanwhile) {
  StopInVain();
  // It takes and answers the request before it reads that it is to stop.
  world_.back_end.rings[1].base = 5;
  Release();
  ASSERT_TRUE(qemu_.Start());
  EXPECT_EQ(world_.back_end.rings[1].base, 5u);
}

// A guest that is reset meanwhile has new rings, and the old request's base is none of theirs.
TEST_F(SessionDrain, GuestThatBeginsAnewWhileARequestIsUnderWayStartsAtItsOwnBase) {
  StopInVain();
  qemu_.ResetGuest();
  ASSERT_TRUE(qemu_.Start());
  world_.back_end.rings[1].held = false;
  world_.back_end.rings[1].base = 5;
  Release();
  EXPECT_TRUE(world_.back_end.rings[1].enabled);
  EXPECT_EQ(world_.back_end.rings[1].base, 0u);
}

TEST_F(SessionDrain, StopDuringALateRestartIsAnsweredOnce) {
  StopInVain();
  ASSERT_TRUE(qemu_.Start());
  AnswerTheOldStopOnly();
  Send(kSetVringEnable, {1, 0});
  world_.back_end.stalled = false;
  world_.Settle();
  EXPECT_EQ(qemu_.unread_answers(), 1u);
  qemu_.TakeAnswer();
  EXPECT_FALSE(world_.back_end.rings[1].enabled);
  EXPECT_TRUE(qemu_.GetBase(1).has_value());
  EXPECT_EQ(qemu_.unread_answers(), 0u);
}

TEST_F(SessionDrain, ChangeDuringALateRestartIsNotLost) {
  StopInVain();
  ASSERT_TRUE(qemu_.Start());
  AnswerTheOldStopOnly();
  const Fd call = EventFd();
  Message message = Message::Make(kSetVringCall, uint64_t{1}, kVersion | kNeedReply);
  message.Add(call.Duplicate());
  qemu_.SendOnly(message);
  world_.Run();
  world_.back_end.stalled = false;
  world_.Run();
  EXPECT_EQ(qemu_.unread_answers(), 1u);
  EXPECT_TRUE(SameEvent(world_.back_end.rings[1].call, call));
}

TEST_F(SessionDrain, OneRingIsStartedLateWhileAnotherRuns) {
  Hold(true);
  EXPECT_FALSE(qemu_.Enable(1, false));
  world_.Advance(milliseconds(500));
  ASSERT_TRUE(qemu_.TakeAnswer().has_value());
  ASSERT_TRUE(qemu_.Enable(1, true));
  Release();
  EXPECT_EQ(world_.Describe().front_ends(0).running_rings(), 2u);
  EXPECT_EQ(qemu_.Used(1), 5u);
}

TEST_F(SessionDrain, FrontEndThatLeavesDuringTheWaitEndsTheSession) {
  Hold(true);
  Send(kSetVringEnable, {1, 0});
  qemu_.Close();
  world_.Run();
  EXPECT_TRUE(world_.session->end().has_value());
}

// As a back-end with threads: it stops at once, with the request still under way.
TEST_F(SessionDrain, RequestThatOutlastsTheBackEndsOwnStopCannotBeSaved) {
  FakeFrontEnd& destination = world_.ConnectCopyOf(qemu_);
  ASSERT_TRUE(world_.session->Arm(world_.PermitFor(qemu_, destination)).ok());
  Hold(false);
  world_.back_end.rings[1].base = 5;
  Send(kSetVringEnable, {1, 0});
  world_.Advance(milliseconds(500));
  ASSERT_EQ(qemu_.unread_answers(), 1u);
  qemu_.TakeAnswer();
  ASSERT_TRUE(qemu_.Enable(0, false));
  EXPECT_TRUE(world_.Describe().front_ends(0).undrained());
  EXPECT_FALSE(qemu_.Save().has_value());
}

TEST_F(SessionDrain, RingsThatCannotBeReadCannotBeSaved) {
  FakeFrontEnd& destination = world_.ConnectCopyOf(qemu_);
  ASSERT_TRUE(world_.session->Arm(world_.PermitFor(qemu_, destination)).ok());
  ASSERT_EQ(ftruncate(qemu_.memory.get(), 0), 0);
  Send(kSetVringEnable, {1, 0});
  world_.Advance(milliseconds(500));
  qemu_.TakeAnswer();
  EXPECT_FALSE(qemu_.Save().has_value());
  EXPECT_TRUE(world_.Describe().front_ends(0).undrained());
}

// Sixty-five rings, all of them stopped in vain, then all started at once.
TEST(SessionDrainAll, EveryRingIsStartedLate) {
  for (const bool acknowledges : {true, false}) {
    FakeBackEnd::Options options;
    options.queues = kMaxRings;
    if (!acknowledges) options.protocol_features &= ~kReplyAck;
    SessionWorld world(options);
    FakeFrontEnd::Options many;
    many.queues = kMaxRings;
    FakeFrontEnd& qemu = world.Connect(many, Memory(kGuestMemory));
    ASSERT_TRUE(qemu.Realize() && qemu.Start());
    world.back_end.stalled = true;
    EXPECT_FALSE(qemu.Enable(0, false));
    world.Advance(milliseconds(500));
    ASSERT_TRUE(qemu.TakeAnswer().has_value());
    for (uint32_t i = 1; i < kMaxRings; ++i) ASSERT_TRUE(qemu.Enable(i, false));
    ASSERT_TRUE(qemu.Start());
    EXPECT_FALSE(world.session->end().has_value()) << "a back-end that does not read is not lost";
    world.back_end.stalled = false;
    world.Settle();
    EXPECT_EQ(world.Describe().front_ends(0).running_rings(), kMaxRings);
  }
}

}  // namespace
}  // namespace vuf::keeper
