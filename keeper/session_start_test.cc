// One front-end: what it is told, and what the back-end hears of it.
#include "gtest/gtest.h"
#include "keeper/session.h"
#include "keeper/testing/session_world.h"

namespace vuf::keeper {
namespace {

uint64_t U64(const std::optional<Message>& message) {
  uint64_t out = 0;
  if (message.has_value()) message->Get(out);
  return out;
}

TEST(SessionStart, OffersWhatItCarriesAndNothingElse) {
  SessionWorld world;
  FakeFrontEnd& qemu = world.Connect();
  EXPECT_EQ(U64(qemu.Ask(Message::Make(kGetProtocolFeatures))),
            kMq | kLogShmfd | kReplyAck | kDeviceState);
  EXPECT_EQ(U64(qemu.Ask(Message::Make(kGetQueueNum))), 2u);
  EXPECT_EQ(U64(qemu.Ask(Message::Make(kGetFeatures))), FakeBackEnd::Options().features);
}

TEST(SessionStart, OffersItsOwnFeaturesToABackEndThatHasNone) {
  FakeBackEnd::Options old;
  old.protocol_features = 0;
  old.features |= kRingPacked | kAccessPlatform;
  SessionWorld world(old);
  FakeFrontEnd& qemu = world.Connect();
  EXPECT_EQ(U64(qemu.Ask(Message::Make(kGetProtocolFeatures))), kReplyAck | kDeviceState);
  EXPECT_EQ(U64(qemu.Ask(Message::Make(kGetFeatures))) & (kRingPacked | kAccessPlatform), 0u)
      << "rings that it cannot read";
}

TEST(SessionStart, BackEndHearsNothingBeforeTheStart) {
  SessionWorld world;
  const size_t before = world.back_end.seen.size();
  FakeFrontEnd& qemu = world.Connect();
  ASSERT_TRUE(qemu.Realize());
  ASSERT_TRUE(qemu.Describe());
  EXPECT_EQ(world.back_end.seen.size(), before);
  EXPECT_EQ(world.Role(qemu), v1::KeeperFrontEnd::ROLE_IDLE);
}

TEST(SessionStart, StartsWithAddressesThatAreTheBackEnds) {
  SessionWorld world;
  FakeFrontEnd& qemu = world.Driver();
  EXPECT_EQ(world.back_end.features, qemu.features);
  ASSERT_EQ(world.back_end.memory.count, 2u);
  EXPECT_EQ(world.back_end.memory.regions[0].user_address, 0x100000000000u);
  EXPECT_TRUE(SameFile(world.back_end.files[0], qemu.memory));
  for (uint32_t i = 0; i < 2; ++i) {
    const FakeBackEnd::Ring& ring = world.back_end.rings[i];
    EXPECT_TRUE(ring.enabled);
    EXPECT_EQ(ring.size, 128u);
    const VringAddr wanted = qemu.AddressAtBackEnd(i);
    EXPECT_EQ(memcmp(&ring.address, &wanted, sizeof wanted), 0);
  }
  EXPECT_EQ(world.Role(qemu), v1::KeeperFrontEnd::ROLE_DRIVER);
  EXPECT_EQ(world.Describe().front_ends(0).running_rings(), 2u);
  EXPECT_EQ(world.Describe().back_end().unanswered(), 0u);
}

// A back-end may lose a kick that comes before the ring is enabled. Whoever was woken by one of
// before the last stop and comes now must find one.
TEST(SessionStart, KicksAgainOnceTheRingIsEnabled) {
  SessionWorld world;
  FakeFrontEnd& qemu = world.Connect();
  ASSERT_TRUE(qemu.Realize() && qemu.Describe());
  world.back_end.stalled = true;
  EXPECT_FALSE(qemu.Enable(0, true)) << "it is not answered before the back-end has";
  EXPECT_EQ(Signalled(qemu.kicks[0]), 1u);
  world.back_end.stalled = false;
  world.Run();
  EXPECT_EQ(qemu.unread_answers(), 1u);
  EXPECT_EQ(world.back_end.rings[0].kicks_taken, 1u);
  EXPECT_EQ(Signalled(qemu.calls[0]), 1u);
  EXPECT_EQ(Signalled(qemu.kicks[1]), 0u);
}

TEST(SessionStart, WorksWithoutAcknowledgementsOnEitherSide) {
  for (const bool front : {false, true}) {
    for (const bool back : {false, true}) {
      FakeBackEnd::Options options;
      if (!back) options.protocol_features &= ~kReplyAck;
      SessionWorld world(options);
      FakeFrontEnd::Options qemu_options;
      qemu_options.need_reply = front;
      FakeFrontEnd& qemu = world.Connect(qemu_options, Memory(kGuestMemory));
      ASSERT_TRUE(qemu.Realize() && qemu.Start());
      qemu.Submit(1, 3);
      world.Run();
      EXPECT_EQ(qemu.Used(1), 3);
      EXPECT_TRUE(qemu.Stop());
      EXPECT_EQ(qemu.bases[1], 3u);
      EXPECT_TRUE(qemu.Start());
      EXPECT_EQ(world.back_end.rings[1].base, 3u);
      EXPECT_EQ(qemu.unread_answers(), 0u);
    }
  }
}

TEST(SessionStart, AllRingsThereCanBe) {
  for (const bool acknowledges : {false, true}) {
    FakeBackEnd::Options options;
    options.queues = kMaxRings;
    if (!acknowledges) options.protocol_features &= ~kReplyAck;
    SessionWorld world(options);
    FakeFrontEnd::Options qemu_options;
    qemu_options.queues = kMaxRings;
    FakeFrontEnd& qemu = world.Connect(qemu_options, Memory(kGuestMemory));
    ASSERT_TRUE(qemu.Realize() && qemu.Start());
    for (uint32_t i = 0; i < kMaxRings; ++i) qemu.Submit(i, static_cast<uint16_t>(i + 1));
    world.Run();
    ASSERT_TRUE(qemu.Stop());
    for (uint32_t i = 0; i < kMaxRings; ++i) EXPECT_EQ(qemu.bases[i], i + 1);
    EXPECT_TRUE(qemu.Start());
  }
}

TEST(SessionStart, StopAndStartAgain) {
  SessionWorld world;
  FakeFrontEnd& qemu = world.Driver();
  for (int i = 1; i < 4; ++i) {
    qemu.Submit(1, 5);
    world.Run();
    ASSERT_TRUE(qemu.Stop());
    EXPECT_FALSE(world.back_end.AnyEnabled());
    EXPECT_EQ(qemu.bases[1], 5u * i);
    ASSERT_TRUE(qemu.Start());
    EXPECT_TRUE(world.back_end.rings[1].enabled);
  }
  EXPECT_FALSE(world.session->end().has_value());
}

TEST(SessionStart, GuestThatBeginsAnewMay) {
  SessionWorld world;
  FakeFrontEnd& qemu = world.Driver();
  qemu.Submit(1, 5);
  world.Run();
  ASSERT_TRUE(qemu.Stop());
  qemu.ResetGuest();
  ASSERT_TRUE(qemu.Start());
  EXPECT_EQ(world.back_end.rings[1].base, 0u);
}

TEST(SessionStart, ChangesWhileItRunsReachTheBackEnd) {
  SessionWorld world;
  FakeFrontEnd& qemu = world.Driver();
  const Fd call = EventFd();
  ASSERT_TRUE(qemu.SetFd(kSetVringCall, 1, call));
  EXPECT_EQ(Signalled(call), 1u) << "what was signalled to the one before is not lost";
  EXPECT_TRUE(SameEvent(world.back_end.rings[1].call, call));
  ASSERT_TRUE(qemu.SetFd(kSetVringCall, 1, Fd()));
  EXPECT_FALSE(world.back_end.rings[1].call.valid());
  const size_t tables = world.back_end.Count(kSetMemTable);
  ASSERT_TRUE(qemu.SetMemory());
  EXPECT_EQ(world.back_end.Count(kSetMemTable), tables + 1);
  EXPECT_EQ(world.back_end.memory.regions[1].user_address, 0x100000000000u + (1ull << 32));
  ASSERT_TRUE(qemu.SetLog(true));
  EXPECT_EQ(world.back_end.log_bases, 1u);
  EXPECT_EQ(world.back_end.features, qemu.features);
  ASSERT_TRUE(qemu.SetLog(false));
  EXPECT_EQ(world.back_end.features & kLogAll, 0u);
}

// One at a time, however many there are: the next may rest on what became of the one before.
TEST(SessionStart, ChangesThatQueueUpBehindAStalledBackEndAreEachHeardAndAnsweredOnce) {
  SessionWorld world;
  FakeFrontEnd& qemu = world.Driver();
  const size_t before = world.back_end.Count(kSetVringCall);
  constexpr size_t kMany = 100;
  world.back_end.stalled = true;
  Fd call;
  for (size_t i = 0; i < kMany; ++i) {
    call = EventFd();
    Message message = Message::Make(kSetVringCall, uint64_t{1}, kVersion | kNeedReply);
    message.Add(call.Duplicate());
    qemu.SendOnly(message);
  }
  world.Run();
  EXPECT_EQ(world.Describe().back_end().unanswered(), 1u);
  world.back_end.stalled = false;
  for (size_t i = 1; i <= kMany; ++i) {
    world.back_end.Serve();
    EXPECT_EQ(world.back_end.Count(kSetVringCall), before + i);
    world.session->Dispatch(world.now);
    EXPECT_EQ(world.Describe().back_end().unanswered(), i < kMany ? 1u : 0u);
  }
  world.Run();
  EXPECT_EQ(qemu.unread_answers(), kMany);
  EXPECT_TRUE(SameEvent(world.back_end.rings[1].call, call));
}

TEST(SessionStart, LogOfBeforeTheStartIsSetWithIt) {
  SessionWorld world;
  FakeFrontEnd& qemu = world.Driver();
  ASSERT_TRUE(qemu.Stop());
  ASSERT_TRUE(qemu.SetLog(true));
  EXPECT_EQ(world.back_end.log_bases, 0u);
  ASSERT_TRUE(qemu.Start());
  EXPECT_EQ(world.back_end.log_bases, 1u);
  ASSERT_TRUE(qemu.Stop() && qemu.SetLog(false) && qemu.Start());
  EXPECT_EQ(world.back_end.log_bases, 1u) << "no log is wanted any more";
}

TEST(SessionStart, RefusalOfABackEndIsPassedOnWhileItRuns) {
  SessionWorld world;
  FakeFrontEnd& qemu = world.Driver();
  world.back_end.refused = {kSetMemTable};
  EXPECT_FALSE(qemu.SetMemory());
  EXPECT_FALSE(qemu.closed());
}

TEST(SessionStart, RefusedPartOfAStartFailsIt) {
  for (const uint32_t request : {kSetFeatures, kSetMemTable, kSetVringNum, kSetVringBase,
                                 kSetVringAddr, kSetVringCall, kSetVringKick, kSetVringEnable}) {
    SessionWorld world;
    FakeFrontEnd& qemu = world.Connect();
    world.back_end.refused = {request};
    ASSERT_TRUE(qemu.Realize());
    EXPECT_FALSE(qemu.Start()) << request;
    EXPECT_EQ(world.Describe().back_end().unanswered(), 0u);
  }
}

TEST(SessionStart, RefusedStartClosesOneThatWaitsForNoAnswer) {
  SessionWorld world;
  FakeFrontEnd::Options options;
  options.need_reply = false;
  FakeFrontEnd& qemu = world.Connect(options, Memory(kGuestMemory));
  world.back_end.refused = {kSetMemTable};
  ASSERT_TRUE(qemu.Realize());
  EXPECT_FALSE(qemu.Start());
  EXPECT_TRUE(qemu.closed());
}

TEST(SessionStart, RingThatWasNotDescribedDoesNotStart) {
  for (int missing = 0; missing < 4; ++missing) {
    SessionWorld world;
    FakeFrontEnd& qemu = world.Connect();
    ASSERT_TRUE(qemu.Realize());
    if (missing != 0) {
      ASSERT_TRUE(qemu.SetMemory());
    }
    if (missing != 1) {
      ASSERT_TRUE(qemu.Tell(Message::Make(kSetVringNum, VringState{0, 128})));
    }
    const uint64_t at = 0x7f0000000000 + (missing == 2 ? kGuestMemory : 0);
    ASSERT_TRUE(qemu.Tell(Message::Make(kSetVringAddr, VringAddr{0, 0, at, at, at, 0})));
    if (missing != 3) {
      ASSERT_TRUE(qemu.SetFd(kSetVringKick, 0, qemu.kicks[0]));
    }
    EXPECT_FALSE(qemu.Enable(0, true)) << missing;
    EXPECT_EQ(world.back_end.Count(kSetVringEnable), 0u);
    EXPECT_FALSE(world.session->end().has_value()) << "it never was the driver";
  }
}

// A guest that was at work has a session already, and it is not this one.
TEST(SessionStart, UsedRingsDoNotBeginASession) {
  SessionWorld world;
  FakeFrontEnd& qemu = world.Connect();
  qemu.bases[1] = 7;
  ASSERT_TRUE(qemu.Realize());
  EXPECT_FALSE(qemu.Start());
  EXPECT_FALSE(world.back_end.AnyEnabled());
}

}  // namespace
}  // namespace vuf::keeper
