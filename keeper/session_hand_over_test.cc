// From one front-end to another, and every way in which that does not come about.
#include "gtest/gtest.h"
#include "keeper/session.h"
#include "keeper/testing/hand_over_world.h"

namespace vuf::keeper {
namespace {

using Session_ = v1::KeeperSession;
using FrontEnd_ = v1::KeeperFrontEnd;

class SessionHandOver : public testing::Test, protected HandOverWorld {};

constexpr Session_::Phase kPhases[] = {Session_::PHASE_NONE, Session_::PHASE_ARMED,
                                       Session_::PHASE_SAVED, Session_::PHASE_LOADED};

TEST_F(SessionHandOver, DestinationGoesOnWhereTheSourceStopped) {
  ASSERT_TRUE(Reach(Session_::PHASE_LOADED));
  EXPECT_EQ(world.Role(destination), FrontEnd_::ROLE_NOMINEE);
  EXPECT_EQ(world.Role(source), FrontEnd_::ROLE_DRIVER);
  const uint64_t kicks = world.back_end.rings[1].kicks_taken;
  ASSERT_TRUE(destination.Start());
  EXPECT_EQ(world.Role(destination), FrontEnd_::ROLE_DRIVER);
  EXPECT_EQ(world.Role(source), FrontEnd_::ROLE_FENCED);
  EXPECT_EQ(world.Phase(), Session_::PHASE_NONE);
  EXPECT_EQ(world.Describe().handed_over_permit(), "permit");
  EXPECT_EQ(world.Describe().hand_overs(), 1u);
  EXPECT_EQ(world.back_end.rings[1].base, 9u);
  const VringAddr wanted = destination.AddressAtBackEnd(1);
  EXPECT_EQ(memcmp(&world.back_end.rings[1].address, &wanted, sizeof wanted), 0);
  EXPECT_TRUE(SameFile(world.back_end.files[0], destination.memory));
  EXPECT_EQ(world.back_end.rings[1].kicks_taken, kicks + 2);
  EXPECT_NE(Signalled(destination.calls[1]), 0u);
  EXPECT_TRUE(Works(destination));
}

TEST_F(SessionHandOver, SourceMayLeaveAfterwards) {
  ASSERT_TRUE(Reach(Session_::PHASE_LOADED));
  ASSERT_TRUE(destination.Start());
  source.Close();
  world.Run();
  EXPECT_FALSE(world.session->end().has_value());
  EXPECT_TRUE(Works(destination));
}

TEST_F(SessionHandOver, OneAfterAnother) {
  ASSERT_TRUE(Reach(Session_::PHASE_LOADED));
  ASSERT_TRUE(destination.Start());
  FakeFrontEnd* from = &destination;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(Works(*from));
    FakeFrontEnd& to = world.ConnectCopyOf(*from);
    const Permit permit = world.PermitFor(*from, to, "permit" + std::to_string(i));
    ASSERT_TRUE(to.Realize() && world.session->Arm(permit).ok());
    ASSERT_TRUE(from->SetLog(true) && from->Stop());
    const std::optional<std::string> state = from->Save();
    ASSERT_TRUE(state.has_value());
    world.CopyGuest(*from, to);
    ASSERT_TRUE(to.Load(*state) && to.Start());
    from->Close();
    world.Run();
    from = &to;
  }
  EXPECT_EQ(world.Describe().hand_overs(), 21u);
}

TEST_F(SessionHandOver, DestinationMayNotStartBeforeItHasLoaded) {
  for (const Session_::Phase phase :
       {Session_::PHASE_NONE, Session_::PHASE_ARMED, Session_::PHASE_SAVED}) {
    HandOverWorld other;
    ASSERT_TRUE(other.Reach(phase));
    EXPECT_FALSE(other.destination.Start()) << phase;
    EXPECT_TRUE(other.destination.closed());
    EXPECT_FALSE(other.world.session->end().has_value());
    EXPECT_NE(other.world.Describe().last_refusal(), "");
    if (phase == Session_::PHASE_SAVED) {
      EXPECT_TRUE(other.source.Start());
    }
    EXPECT_TRUE(other.Works(other.source));
  }
}

TEST_F(SessionHandOver, SourceTakesItsRingsBackAfterSavingAndAfterLoading) {
  for (const Session_::Phase phase : {Session_::PHASE_SAVED, Session_::PHASE_LOADED}) {
    HandOverWorld other;
    ASSERT_TRUE(other.Reach(phase));
    ASSERT_TRUE(other.source.Start());
    EXPECT_EQ(other.world.Phase(), Session_::PHASE_NONE);
    EXPECT_TRUE(other.Works(other.source));
    EXPECT_FALSE(other.destination.Load(other.marker)) << "the marker is void";
    EXPECT_FALSE(other.destination.Start());
    EXPECT_TRUE(other.destination.closed());
    EXPECT_TRUE(other.Works(other.source));
  }
}

TEST_F(SessionHandOver, FencedSourceMayNotStart) {
  ASSERT_TRUE(Reach(Session_::PHASE_LOADED));
  ASSERT_TRUE(world.session->Fence("permit").ok());
  const size_t before = world.back_end.seen.size();
  EXPECT_FALSE(source.Start());
  EXPECT_FALSE(world.back_end.AnyEnabled());
  for (size_t i = before; i < world.back_end.seen.size(); ++i) {
    EXPECT_EQ(world.back_end.seen[i].request, uint32_t{kSetMemTable}) << "a placeholder at most";
  }
  EXPECT_FALSE(world.session->end().has_value());
  ASSERT_TRUE(destination.Start());
  EXPECT_TRUE(Works(destination));
}

TEST_F(SessionHandOver, DisarmingUndoesTheFence) {
  ASSERT_TRUE(Reach(Session_::PHASE_LOADED));
  ASSERT_TRUE(world.session->Fence("permit").ok());
  ASSERT_TRUE(world.session->Disarm("permit").ok());
  EXPECT_TRUE(source.Start());
  EXPECT_FALSE(destination.Start());
  EXPECT_TRUE(Works(source));
}

TEST_F(SessionHandOver, NothingOfAFencedSourceReachesTheBackEnd) {
  ASSERT_TRUE(Reach(Session_::PHASE_LOADED));
  ASSERT_TRUE(destination.Start());
  const size_t before = world.back_end.seen.size();
  EXPECT_TRUE(source.Describe()) << "it is told nothing is wrong until it starts";
  EXPECT_TRUE(source.SetLog(true) && source.SetLog(false));
  EXPECT_TRUE(source.Stop());
  EXPECT_FALSE(source.Save().has_value());
  EXPECT_FALSE(source.Load(marker));
  EXPECT_FALSE(source.Enable(0, true));
  EXPECT_TRUE(source.closed());
  EXPECT_EQ(world.back_end.seen.size(), before);
  EXPECT_TRUE(Works(destination));
}

TEST_F(SessionHandOver, DisarmedMarkerIsVoid) {
  for (const Session_::Phase phase : kPhases) {
    HandOverWorld other;
    ASSERT_TRUE(other.Reach(phase));
    EXPECT_TRUE(other.world.session->Disarm("permit").ok());
    EXPECT_EQ(other.world.Phase(), Session_::PHASE_NONE);
    EXPECT_FALSE(other.marker.size() == kMarkerSize && other.destination.Load(other.marker));
    EXPECT_FALSE(other.destination.Start());
    if (phase >= Session_::PHASE_SAVED) {
      EXPECT_TRUE(other.source.Start());
    }
    EXPECT_TRUE(other.Works(other.source));
  }
}

TEST_F(SessionHandOver, SourceThatLeavesEndsTheSessionUnlessItHasSaved) {
  for (const Session_::Phase phase : kPhases) {
    HandOverWorld other;
    ASSERT_TRUE(other.Reach(phase));
    other.source.Close();
    other.world.Run();
    EXPECT_EQ(other.world.session->end().has_value(), phase < Session_::PHASE_SAVED) << phase;
    if (phase < Session_::PHASE_SAVED) continue;
    if (phase == Session_::PHASE_SAVED) {
      EXPECT_TRUE(other.destination.Load(other.marker));
    }
    ASSERT_TRUE(other.destination.Start());
    EXPECT_TRUE(other.Works(other.destination));
  }
}

// The sequential way: to a file, quit, start from the file.
TEST_F(SessionHandOver, MemoryOfASourceThatHasLeftIsLetGo) {
  Permit permit = world.PermitFor(source, destination);
  permit.destination = 0;
  ASSERT_TRUE(world.session->Arm(permit).ok());
  ASSERT_TRUE(source.Stop());
  const std::optional<std::string> state = source.Save();
  ASSERT_TRUE(state.has_value());
  EXPECT_TRUE(SameFile(world.back_end.files[0], source.memory));
  source.Close();
  world.Run();
  ASSERT_EQ(world.back_end.files.size(), 2u);
  EXPECT_FALSE(SameFile(world.back_end.files[0], source.memory));
  EXPECT_EQ(world.back_end.memory.regions[0].user_address, 0x100000000000u);
  FakeFrontEnd& later = world.ConnectCopyOf(source);
  ASSERT_TRUE(later.Realize() && later.Load(*state) && later.Start());
  EXPECT_TRUE(Works(later));
}

TEST_F(SessionHandOver, DisarmingWhatASourceThatHasLeftSavedEndsTheSession) {
  ASSERT_TRUE(Reach(Session_::PHASE_SAVED));
  source.Close();
  world.Run();
  ASSERT_TRUE(world.session->Disarm("permit").ok());
  EXPECT_TRUE(world.session->end().has_value());
}

TEST_F(SessionHandOver, DestinationThatLeavesLeavesTheWayOpen) {
  for (const Session_::Phase phase : kPhases) {
    HandOverWorld other;
    ASSERT_TRUE(other.Reach(phase));
    other.destination.Close();
    other.world.Run();
    EXPECT_EQ(other.world.Phase(), phase == Session_::PHASE_LOADED ? Session_::PHASE_SAVED : phase);
    if (phase >= Session_::PHASE_SAVED) {
      EXPECT_TRUE(other.source.Start());
    }
    EXPECT_TRUE(other.Works(other.source));
  }
}

TEST_F(SessionHandOver, AnotherDestinationMayTakeThePlaceOfOneThatLeft) {
  ASSERT_TRUE(Reach(Session_::PHASE_LOADED));
  destination.Close();
  FakeFrontEnd& next = world.ConnectCopyOf(source);
  ASSERT_TRUE(next.Realize());
  EXPECT_FALSE(next.Load(marker)) << "the permit names the one that left";
  ASSERT_TRUE(world.session->Arm(world.PermitFor(source, next)).ok());
  EXPECT_TRUE(next.Load(marker));
  EXPECT_TRUE(next.Start());
}

TEST_F(SessionHandOver, OfTwoDestinationsOneWins) {
  Permit permit = world.PermitFor(source, destination);
  permit.destination = 0;
  ASSERT_TRUE(world.session->Arm(permit).ok());
  ASSERT_TRUE(source.Stop());
  const std::optional<std::string> state = source.Save();
  ASSERT_TRUE(state.has_value());
  FakeFrontEnd& rival = world.ConnectCopyOf(source);
  ASSERT_TRUE(rival.Realize() && destination.Load(*state));
  EXPECT_FALSE(rival.Load(*state));
  EXPECT_FALSE(rival.Start());
  ASSERT_TRUE(destination.Start());
  EXPECT_TRUE(Works(destination));
}

TEST_F(SessionHandOver, OtherVirtioFeaturesAreRefused) {
  ASSERT_TRUE(Reach(Session_::PHASE_LOADED));
  destination.features &= ~(1ull << 29);
  EXPECT_FALSE(destination.Start());
  EXPECT_TRUE(source.Start());
  EXPECT_TRUE(Works(source));
}

TEST_F(SessionHandOver, BackEndThatIsLostWhileNobodyRunsEndsTheSession) {
  for (const Session_::Phase phase : kPhases) {
    HandOverWorld other;
    ASSERT_TRUE(other.Reach(phase));
    other.world.back_end.Close();
    other.world.Run();
    ASSERT_TRUE(other.world.session->end().has_value());
    EXPECT_EQ(other.world.session->end()->code, End::kBackEndGone);
  }
}

}  // namespace
}  // namespace vuf::keeper
