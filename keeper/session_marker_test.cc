// Saves and loads that are refused.
#include "gtest/gtest.h"
#include "keeper/session.h"
#include "keeper/testing/hand_over_world.h"

namespace vuf::keeper {
namespace {

using Session_ = v1::KeeperSession;

class SessionMarker : public testing::Test, protected HandOverWorld {};

TEST_F(SessionMarker, SaveWithoutAPermitIsRefused) {
  ASSERT_TRUE(source.Stop());
  EXPECT_FALSE(source.Save().has_value());
  EXPECT_NE(world.Describe().last_refusal(), "");
  EXPECT_TRUE(source.Start());
  EXPECT_TRUE(Works(source));
}

TEST_F(SessionMarker, SaveUnderAnExpiredPermitIsRefused) {
  ASSERT_TRUE(Reach(Session_::PHASE_ARMED));
  ASSERT_TRUE(source.Stop());
  world.Advance(std::chrono::minutes(1));
  EXPECT_EQ(world.Describe().ttl_ms(), 0u);
  EXPECT_FALSE(source.Save().has_value());
  EXPECT_TRUE(source.Start());
}

TEST_F(SessionMarker, SaveWhileRingsRunIsRefused) {
  ASSERT_TRUE(Reach(Session_::PHASE_ARMED));
  EXPECT_FALSE(source.Save().has_value());
  EXPECT_EQ(world.Phase(), Session_::PHASE_ARMED);
  ASSERT_TRUE(source.Enable(0, false));
  EXPECT_FALSE(source.Save().has_value()) << "one ring still runs";
  EXPECT_TRUE(Works(source));
}

TEST_F(SessionMarker, SaveByAnyoneElseIsRefused) {
  ASSERT_TRUE(Reach(Session_::PHASE_ARMED));
  ASSERT_TRUE(source.Stop());
  EXPECT_FALSE(destination.Save().has_value());
  EXPECT_EQ(world.Phase(), Session_::PHASE_ARMED);
}

TEST_F(SessionMarker, SaveIntoWhatTakesNothingIsRefused) {
  ASSERT_TRUE(Reach(Session_::PHASE_ARMED));
  ASSERT_TRUE(source.Stop());
  Pipe unread = MakePipe();
  unread.read.Close();
  EXPECT_FALSE(source.TransferState(DeviceStateFd::kSave, std::move(unread.write)));
  EXPECT_NE(world.Phase(), Session_::PHASE_SAVED);
  EXPECT_TRUE(source.Start());
}

TEST_F(SessionMarker, ArmNeedsTheDriver) {
  EXPECT_FALSE(world.session->Arm(world.PermitFor(destination, source)).ok());
  EXPECT_FALSE(world.session->Arm(Permit{"p"}).ok());
  Permit incoming = world.PermitFor(source, destination);
  incoming.mode = MarkerMode::kStateful;
  incoming.direction = Permit::Direction::kIncoming;
  EXPECT_FALSE(world.session->Arm(incoming).ok()) << "it has begun";
}

TEST_F(SessionMarker, ReplayedMarkerIsRefused) {
  ASSERT_TRUE(Reach(Session_::PHASE_LOADED));
  ASSERT_TRUE(destination.Start());
  FakeFrontEnd& late = world.ConnectCopyOf(source);
  ASSERT_TRUE(late.Realize());
  EXPECT_FALSE(late.Load(marker));
  ASSERT_TRUE(world.session->Arm(world.PermitFor(destination, late, "next")).ok());
  EXPECT_FALSE(late.Load(marker));
  EXPECT_FALSE(late.Start());
  EXPECT_TRUE(Works(destination));
}

TEST_F(SessionMarker, StatesThatAreNoMarkerAreRefused) {
  ASSERT_TRUE(Reach(Session_::PHASE_SAVED));
  std::string flipped = marker;
  flipped[60] ^= 1;
  const std::vector<std::string> bad = {"",
                                        "x",
                                        marker.substr(1),
                                        marker.substr(0, 127),
                                        marker + "x",
                                        marker + marker,
                                        flipped,
                                        std::string(4096, '\xff')};
  for (const std::string& state : bad) EXPECT_FALSE(destination.Load(state)) << state.size();
  EXPECT_EQ(world.Phase(), Session_::PHASE_SAVED);
  EXPECT_TRUE(destination.Load(marker)) << "and then the right one";
}

TEST_F(SessionMarker, MarkerOfAnotherKeeperIsRefused) {
  ASSERT_TRUE(Reach(Session_::PHASE_SAVED));
  HandOverWorld other;
  ASSERT_TRUE(other.Reach(Session_::PHASE_SAVED));
  EXPECT_FALSE(other.destination.Load(marker));
  EXPECT_NE(other.world.Describe().last_refusal().find("another vuf-keeper"), std::string::npos);
  EXPECT_TRUE(other.source.Start());
}

}  // namespace
}  // namespace vuf::keeper
