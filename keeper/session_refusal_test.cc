// What no QEMU sends, and connections that end when they should not.
#include "gtest/gtest.h"
#include "keeper/session.h"
#include "keeper/testing/session_world.h"

namespace vuf::keeper {
namespace {

TEST(SessionRefusal, UnknownRequestIsAnsweredWithAnErrorOrEndsTheConnection) {
  for (const uint32_t request : {0u, 4u, 7u, 19u, 21u, 24u, 34u, 36u, 37u, 44u, 0xffffffffu}) {
    SessionWorld world;
    FakeFrontEnd& qemu = world.Connect();
    ASSERT_TRUE(qemu.Realize());
    Message message = Message::Make(request);
    message.header.flags |= kNeedReply;
    const std::optional<Message> answer = qemu.Ask(std::move(message));
    uint64_t result = 0;
    ASSERT_TRUE(answer.has_value() && answer->Get(result)) << request;
    EXPECT_NE(result, 0u);
    EXPECT_FALSE(qemu.closed());
    EXPECT_FALSE(qemu.Ask(Message::Make(request)).has_value());
    EXPECT_TRUE(qemu.closed());
  }
}

TEST(SessionRefusal, FeaturesThatWereNotOffered) {
  for (const uint64_t bit : {1ull << 9, 1ull << 15, 1ull << 12, 1ull << 63}) {
    SessionWorld world;
    FakeFrontEnd& qemu = world.Connect();
    EXPECT_FALSE(qemu.Tell(Message::Make(kSetProtocolFeatures, bit | kReplyAck)));
    EXPECT_TRUE(qemu.closed());
  }
  for (const uint64_t bit : {kRingPacked, kAccessPlatform, uint64_t{1} << 63}) {
    SessionWorld world;
    FakeFrontEnd& qemu = world.Connect();
    EXPECT_FALSE(qemu.Tell(Message::Make(kSetFeatures, bit)));
    EXPECT_TRUE(qemu.closed());
  }
}

TEST(SessionRefusal, RingsThatThereAreNot) {
  for (const uint32_t request : {kSetVringNum, kSetVringBase, kGetVringBase, kSetVringEnable}) {
    for (const uint32_t index : {uint32_t{kMaxRings}, 255u, 256u, 0x10000u, 0xffffffffu}) {
      SessionWorld world;
      FakeFrontEnd& qemu = world.Driver();
      EXPECT_FALSE(qemu.Ask(Message::Make(request, VringState{index, 1})).has_value());
      EXPECT_TRUE(qemu.closed()) << request << " " << index;
    }
  }
  for (const uint32_t request : {kSetVringKick, kSetVringCall, kSetVringErr}) {
    SessionWorld world;
    FakeFrontEnd& qemu = world.Driver();
    EXPECT_FALSE(qemu.SetFd(request, kMaxRings, EventFd()));
    EXPECT_TRUE(qemu.closed()) << request;
  }
  for (const uint32_t index : {uint32_t{kMaxRings}, 256u, 0xffffffffu}) {
    SessionWorld world;
    FakeFrontEnd& qemu = world.Driver();
    EXPECT_FALSE(qemu.Tell(Message::Make(kSetVringAddr, VringAddr{index, 0, 0, 0, 0, 0})));
    EXPECT_TRUE(qemu.closed()) << index;
  }
}

// A back-end that is told of a ring that it has not may give up.
TEST(SessionRefusal, RingsThatTheBackEndHasNot) {
  SessionWorld world;
  FakeFrontEnd::Options options;
  options.queues = 3;
  FakeFrontEnd& qemu = world.Connect(options, Memory(kGuestMemory));
  EXPECT_FALSE(qemu.Realize() && qemu.Start());
  EXPECT_FALSE(world.back_end.rings[2].enabled);
}

TEST(SessionRefusal, PayloadsOfOtherSizes) {
  for (const uint32_t request : {kSetFeatures, kSetProtocolFeatures, kSetMemTable, kSetLogBase,
                                 kSetVringNum, kSetVringAddr, kSetVringBase, kGetVringBase,
                                 kSetVringKick, kSetVringCall, kSetVringErr, kSetVringEnable}) {
    for (const uint32_t size : {0u, 3u, 7u, 9u, 17u, 41u, uint32_t{kMaxPayload}}) {
      SessionWorld world;
      FakeFrontEnd& qemu = world.Driver();
      Message message = Message::Make(request);
      message.payload.fill(0);
      message.header.size = size;
      EXPECT_FALSE(qemu.Tell(std::move(message)));
      EXPECT_TRUE(qemu.closed()) << request << " " << size;
      EXPECT_TRUE(world.session->end().has_value()) << "the driver has left";
    }
  }
}

TEST(SessionRefusal, DescriptorsTooFewOrTooMany) {
  for (const uint32_t request : {kSetVringKick, kSetVringCall, kSetVringErr}) {
    for (const size_t count : {size_t{0}, size_t{2}, kMaxFds}) {
      SessionWorld world;
      FakeFrontEnd& qemu = world.Connect();
      Message message = Message::Make(request, uint64_t{0});
      for (size_t i = 0; i < count; ++i) message.Add(EventFd());
      EXPECT_FALSE(qemu.Tell(std::move(message)));
      EXPECT_TRUE(qemu.closed()) << request << " " << count;
    }
    SessionWorld world;
    FakeFrontEnd& qemu = world.Connect();
    Message message = Message::Make(request, kVringNoFd);
    message.Add(EventFd());
    EXPECT_FALSE(qemu.Tell(std::move(message))) << "said to have none";
  }
  SessionWorld world;
  FakeFrontEnd& qemu = world.Connect();
  EXPECT_FALSE(qemu.Tell(Message::Make(kSetLogBase, LogBase{1, 0})));
  EXPECT_TRUE(qemu.closed());
}

// A back-end that gets a descriptor where none belongs may end the connection.
TEST(SessionRefusal, DescriptorsWhereNoneBelongReachNobody) {
  SessionWorld world;
  FakeFrontEnd& qemu = world.Driver();
  Message message = Message::Make(kSetFeatures, qemu.features);
  message.Add(EventFd());
  qemu.Tell(std::move(message));
  for (const FakeBackEnd::Seen& one : world.back_end.seen) {
    if (one.request == kSetFeatures) {
      EXPECT_EQ(one.fds, 0u);
    }
  }
}

TEST(SessionRefusal, AsManyFrontEndsAsThereArePlaces) {
  SessionWorld world;
  std::vector<FakeFrontEnd*> all;
  for (size_t i = 0; i < kMaxFrontEnds; ++i) all.push_back(&world.Connect());
  for (FakeFrontEnd* one : all) EXPECT_TRUE(one->Realize());
  FakeFrontEnd& one_more = world.Connect();
  world.Run();
  EXPECT_TRUE(one_more.closed());
  all[3]->Close();
  world.Run();
  EXPECT_TRUE(world.Connect().Realize()) << "a place is free again";
}

TEST(SessionRefusal, ASessionEndsWithItsDriver) {
  SessionWorld world;
  FakeFrontEnd& idle = world.Connect();
  FakeFrontEnd& qemu = world.Driver();
  idle.Close();
  world.Run();
  EXPECT_FALSE(world.session->end().has_value());
  qemu.Close();
  world.Run();
  ASSERT_TRUE(world.session->end().has_value());
  EXPECT_EQ(world.session->end()->code, End::kDriverLeft);
}

TEST(SessionRefusal, StoppedDriverThatLeavesEndsTheSessionToo) {
  SessionWorld world;
  FakeFrontEnd& qemu = world.Driver();
  ASSERT_TRUE(qemu.Stop());
  qemu.Close();
  world.Run();
  ASSERT_TRUE(world.session->end().has_value());
}

TEST(SessionRefusal, FrontEndMayLeaveAtEveryStep) {
  // Counts messages: the connection is closed behind the n-th, answered or not.
  for (const bool stalled : {false, true}) {
    for (int steps = 0; steps < 16; ++steps) {
      SessionWorld world;
      FakeFrontEnd& qemu = world.Connect();
      const size_t before = OpenDescriptors();
      int left = steps;
      const auto go_on = [&left] { return left-- > 0; };
      if (go_on()) qemu.Realize();
      if (go_on()) qemu.Tell(Message::Make(kSetFeatures, qemu.features));
      if (go_on()) qemu.SetMemory();
      for (uint32_t ring = 0; ring < 2; ++ring) {
        if (go_on()) qemu.DescribeRing(ring);
      }
      world.back_end.stalled = stalled;
      for (uint32_t ring = 0; ring < 2; ++ring) {
        if (go_on()) qemu.SendOnly(Message::Make(kSetVringEnable, VringState{ring, 1}));
        world.Run();
      }
      if (go_on()) qemu.SendOnly(Message::Make(kSetVringEnable, VringState{0, 0}));
      qemu.Close();
      world.Run();
      world.back_end.stalled = false;
      world.Run();
      EXPECT_EQ(world.session->end().has_value(), steps > 5) << steps;
      EXPECT_FALSE(world.back_end.AnyEnabled());
      EXPECT_LE(OpenDescriptors(), before + 8) << "the back-end's own";
    }
  }
}

TEST(SessionRefusal, ABackEndThatIsLostAtAnyStepEndsTheSession) {
  for (const uint32_t request : {kSetFeatures, kSetMemTable, kSetVringNum, kSetVringBase,
                                 kSetVringAddr, kSetVringKick, kSetVringCall, kSetVringEnable}) {
    SessionWorld world;
    FakeFrontEnd& qemu = world.Connect();
    world.back_end.closes_at = request;
    ASSERT_TRUE(qemu.Realize());
    EXPECT_FALSE(qemu.Start());
    ASSERT_TRUE(world.session->end().has_value()) << request;
    EXPECT_EQ(world.session->end()->code, End::kBackEndGone);
  }
  SessionWorld world;
  FakeFrontEnd& qemu = world.Driver();
  world.back_end.closes_at = kGetVringBase;
  EXPECT_FALSE(qemu.Stop());
  EXPECT_TRUE(world.session->end().has_value());
}

TEST(SessionRefusal, IdleBackEndThatIsLostEndsTheSession) {
  SessionWorld world;
  world.back_end.Close();
  world.Run();
  ASSERT_TRUE(world.session->end().has_value());
  EXPECT_EQ(world.session->end()->code, End::kBackEndGone);
}

TEST(SessionRefusal, ABackEndThatMakesNoSenseIsLost) {
  {
    SessionWorld world;
    world.back_end.Send(Message::Make(kGetVringBase, VringState{0, 0}, kVersion | kReply));
    world.Run();
    EXPECT_TRUE(world.session->end().has_value()) << "an answer that nobody asked for";
  }
  for (const uint32_t request : {kSetVringEnable, kSetMemTable, kSetVringNum}) {
    SessionWorld world;
    world.back_end.garbles = request;
    FakeFrontEnd& qemu = world.Connect();
    EXPECT_FALSE(qemu.Realize() && qemu.Start());
    EXPECT_TRUE(world.session->end().has_value()) << request;
  }
}

}  // namespace
}  // namespace vuf::keeper
