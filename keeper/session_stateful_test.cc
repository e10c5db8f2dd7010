// Mode 1: the back-end's own state goes from one keeper's to another's.
#include "gtest/gtest.h"
#include "keeper/session.h"
#include "keeper/testing/session_world.h"

namespace vuf::keeper {
namespace {

struct TwoKeepers {
  TwoKeepers() : source(from.Driver()), destination(to.ConnectCopyOf(source)) {
    source.Submit(1, 6);
    from.Run();
    EXPECT_TRUE(destination.Realize());
  }

  Permit Outgoing() const {
    Permit out = from.PermitFor(source, source);
    out.mode = MarkerMode::kStateful;
    out.destination = 0;
    return out;
  }
  Permit Incoming() const {
    Permit out = to.PermitFor(destination, destination);
    out.mode = MarkerMode::kStateful;
    out.direction = Permit::Direction::kIncoming;
    out.source = 0;
    return out;
  }
  // The state, saved under a permit.
  std::string Save() {
    EXPECT_TRUE(from.session->Arm(Outgoing()).ok());
    EXPECT_TRUE(source.Stop());
    to.CopyGuest(source, destination);
    const std::optional<std::string> state = source.Save();
    EXPECT_TRUE(state.has_value());
    return state.value_or("");
  }

  SessionWorld from;
  SessionWorld to;
  FakeFrontEnd& source;
  FakeFrontEnd& destination;
};

class SessionStateful : public testing::Test, protected TwoKeepers {};

TEST_F(SessionStateful, StateArrivesAsItWasSaved) {
  const std::string state = Save();
  EXPECT_EQ(state.substr(kMarkerSize), from.back_end.state);
  ASSERT_TRUE(to.session->Arm(Incoming()).ok());
  ASSERT_TRUE(destination.Load(state));
  EXPECT_EQ(to.back_end.loaded, from.back_end.state);
  EXPECT_TRUE(to.back_end.load_was_blocking) << "a back-end reads without polling";
  ASSERT_TRUE(from.session->Fence("permit").ok());
  ASSERT_TRUE(to.session->Fence("permit").ok());
  ASSERT_TRUE(destination.Start());
  EXPECT_EQ(to.back_end.rings[1].base, 6u);
  EXPECT_EQ(to.Describe().handed_over_permit(), "permit");
  EXPECT_FALSE(source.Start()) << "it was fenced";
  EXPECT_FALSE(from.back_end.AnyEnabled());
}

TEST_F(SessionStateful, SourceGoesOnWhenTheBackEndCannotSave) {
  ASSERT_TRUE(from.session->Arm(Outgoing()).ok());
  ASSERT_TRUE(source.Stop());
  for (const uint32_t request : {kSetDeviceStateFd, kCheckDeviceState}) {
    from.back_end.refused = {request};
    EXPECT_FALSE(source.Save().has_value()) << request;
    from.back_end.refused = {};
    EXPECT_TRUE(source.Start());
    ASSERT_TRUE(from.session->Disarm("permit").ok());
    ASSERT_TRUE(from.session->Arm(Outgoing()).ok());
    ASSERT_TRUE(source.Stop());
  }
  EXPECT_TRUE(source.Save().has_value());
}

TEST_F(SessionStateful, LoadNeedsItsPermit) {
  const std::string state = Save();
  EXPECT_FALSE(destination.Load(state)) << "not armed";
  Permit other = Incoming();
  other.id = "other";
  ASSERT_TRUE(to.session->Arm(other).ok());
  EXPECT_FALSE(destination.Load(state)) << "of another permit";
  EXPECT_FALSE(destination.Start()) << "armed for a load that did not come";
  EXPECT_EQ(to.back_end.Count(kSetDeviceStateFd), 0u);
}

TEST_F(SessionStateful, DestinationThatCouldNotLoadMayNotStart) {
  for (const uint32_t request : {kSetDeviceStateFd, kCheckDeviceState}) {
    TwoKeepers other;
    const std::string state = other.Save();
    ASSERT_TRUE(other.to.session->Arm(other.Incoming()).ok());
    other.to.back_end.refused = {request};
    EXPECT_FALSE(other.destination.Load(state)) << request;
    EXPECT_NE(other.to.Phase(), v1::KeeperSession::PHASE_LOADED);
    EXPECT_FALSE(other.destination.Start());
    EXPECT_TRUE(other.source.Start());
  }
}

TEST_F(SessionStateful, RunningSessionIsNeverLoadedOver) {
  const std::string state = Save();
  FakeFrontEnd& running = to.Driver();
  EXPECT_FALSE(to.session->Arm(Incoming()).ok());
  EXPECT_FALSE(destination.Load(state));
  EXPECT_FALSE(running.Load(state));
  EXPECT_EQ(to.back_end.Count(kSetDeviceStateFd), 0u);
  EXPECT_FALSE(to.session->end().has_value());
}

TEST_F(SessionStateful, PlainBackEndsStateIsRefused) {
  ASSERT_TRUE(to.session->Arm(Incoming()).ok());
  EXPECT_FALSE(destination.Load(from.back_end.state + std::string(4096, 's')));
  EXPECT_EQ(to.back_end.Count(kSetDeviceStateFd), 0u);
}

TEST_F(SessionStateful, ArmNeedsABackEndThatCan) {
  FakeBackEnd::Options options;
  options.protocol_features &= ~kDeviceState;
  SessionWorld old(options);
  FakeFrontEnd& qemu = old.Driver();
  Permit permit = old.PermitFor(qemu, qemu);
  EXPECT_TRUE(old.session->Arm(permit).ok());
  ASSERT_TRUE(old.session->Disarm(permit.id).ok());
  permit.mode = MarkerMode::kStateful;
  EXPECT_FALSE(old.session->Arm(permit).ok());
}

TEST_F(SessionStateful, SourceThatLeavesAfterItSavedEndsItsSession) {
  Save();
  source.Close();
  from.Run();
  EXPECT_TRUE(from.session->end().has_value()) << "it goes on elsewhere";
}

}  // namespace
}  // namespace vuf::keeper
