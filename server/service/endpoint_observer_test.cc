#include "server/service/endpoint_observer.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "server/discovery/fake_discovery.h"
#include "server/profile/profile.h"
#include "server/store/fake_store.h"

namespace vuf {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1700000000);

EndpointSighting Served(int pid = 42) {
  EndpointSighting sighting;
  sighting.state = EndpointSighting::State::kInUse;
  sighting.socket_file = FileId{1, 7};
  sighting.back_end.process = Known(ProcessId{pid, 4711}, Source::kProcfs, kNow);
  return sighting;
}

Evidence<std::string> Boot(const std::string& id = "boot-1") {
  return Known(id, Source::kProcfs, kNow);
}

class ApplySightingTest : public ::testing::Test {
 protected:
  ApplySightingTest() { ApplySighting(Served(), Boot(), kNow, &endpoint_); }
  bool Apply(const EndpointSighting& sighting, const Evidence<std::string>& boot = Boot()) {
    return ApplySighting(sighting, boot, kNow, &endpoint_);
  }

  v1::Endpoint endpoint_;
};

TEST_F(ApplySightingTest, TheFirstSightIsNoChange) {
  v1::Endpoint fresh;
  EXPECT_FALSE(ApplySighting(Served(), Boot(), kNow, &fresh));
  EXPECT_EQ(fresh.back_end().pid(), 42);
  EXPECT_EQ(fresh.socket_inode(), 7u);
  EXPECT_EQ(fresh.boot_id(), "boot-1");
}

TEST_F(ApplySightingTest, TheSameAgainIsNoChange) { EXPECT_FALSE(Apply(Served())); }

TEST_F(ApplySightingTest, EveryPartOfTheIdentityCounts) {
  EXPECT_TRUE(Apply(Served(43)));
  EndpointSighting restarted = Served(43);
  restarted.back_end.process.value->start_ticks = 1;
  EXPECT_TRUE(Apply(restarted));
  EndpointSighting other_file = restarted;
  other_file.socket_file->inode = 8;
  EXPECT_TRUE(Apply(other_file));
  other_file.socket_file->device = 2;
  EXPECT_TRUE(Apply(other_file));
  EXPECT_TRUE(Apply(other_file, Boot("boot-2")));
  EXPECT_FALSE(Apply(other_file, Boot("boot-2")));
}

TEST_F(ApplySightingTest, WhoLeavesAndComesBackIsAChangeEachTime) {
  EndpointSighting absent;
  absent.state = EndpointSighting::State::kAbsent;
  EXPECT_TRUE(Apply(absent));
  EXPECT_EQ(endpoint_.state(), v1::Endpoint::STATE_ABSENT);
  EXPECT_FALSE(endpoint_.has_back_end());
  EXPECT_TRUE(Apply(Served()));
}

TEST_F(ApplySightingTest, NotToSeeIsNoEvidenceOfAChange) {
  EndpointSighting blind;
  blind.error = "permission denied";
  EXPECT_FALSE(Apply(blind));
  EXPECT_EQ(endpoint_.state(), v1::Endpoint::STATE_UNKNOWN);
  EXPECT_EQ(endpoint_.observe_error(), "permission denied");
  EXPECT_EQ(endpoint_.back_end().pid(), 42);
  EXPECT_FALSE(Apply(Served()));
  EXPECT_EQ(endpoint_.observe_error(), "");
}

// Two endpoints, each served by a process of its own.
class ObserveAllTest : public ::testing::Test {
 protected:
  ObserveAllTest() {
    Add("a", Served(42));
    Add("b", Served(43));
    Round();
    looks_ = host_.endpoint_observations();
  }
  static std::string Path(const std::string& id) { return "/run/" + id + ".sock"; }
  void Add(const std::string& id, const EndpointSighting& sighting) {
    host_.SetEndpoint(Path(id), sighting);
    v1::Endpoint endpoint;
    endpoint.set_name("endpoints/" + id);
    endpoint.set_socket_path(Path(id));
    EXPECT_TRUE(registry_->CreateEndpoint(endpoint, {}, Soon()).ok());
  }
  void Round() {
    observer_.ObserveAll(absl::Seconds(30), [] { return true; });
  }
  int LooksMade() {
    const int before = host_.endpoint_observations();
    Round();
    return host_.endpoint_observations() - before;
  }
  v1::Endpoint At(const std::string& id) const {
    return registry_->snapshot()->endpoints.at("endpoints/" + id);
  }
  absl::Time Soon() const { return clock_.Now() + absl::Seconds(30); }

  FakeClock clock_{kNow};
  FakeStore store_;
  FakeDiscovery host_;
  const std::unique_ptr<Registry> registry_ = *Registry::Open(&store_, &clock_, ShippedProfiles());
  EndpointObserver observer_{&host_, registry_.get(), &clock_};
  int looks_ = 0;
};

TEST_F(ObserveAllTest, WhatIsAsItWasIsNotLookedAtButItsTimeIsNew) {
  EXPECT_EQ(At("a").back_end().pid(), 42);
  EXPECT_EQ(At("b").back_end().pid(), 43);
  clock_.Advance(absl::Minutes(1));
  EXPECT_EQ(LooksMade(), 0);
  v1::Endpoint endpoint = At("a");
  observer_.FillObserveTime(&endpoint);
  EXPECT_EQ(endpoint.observe_time().seconds(), absl::ToUnixSeconds(clock_.Now()));
}

TEST_F(ObserveAllTest, OtherSocketsAreLookedAt) {
  host_.SetEndpoint(Path("a"), Served(44));
  EXPECT_EQ(LooksMade(), 1);
  EXPECT_EQ(At("a").back_end().pid(), 44);
  EXPECT_EQ(At("a").generation(), 2u);
  EXPECT_EQ(At("b").generation(), 1u);
}

TEST_F(ObserveAllTest, TheSameSocketsOfAProcessThatEndedAreLookedAt) {
  host_.SetGone({43, 4711});
  EXPECT_EQ(LooksMade(), 1);
}

TEST_F(ObserveAllTest, WhatCouldNotBeSeenIsLookedAtEachTime) {
  EndpointSighting blind;
  blind.error = "permission denied";
  host_.SetEndpoint(Path("a"), blind);
  EXPECT_EQ(LooksMade(), 1);
  EXPECT_EQ(LooksMade(), 1);
  host_.HideSockets(true);
  EXPECT_EQ(LooksMade(), 2);
}

TEST_F(ObserveAllTest, WhoIsAbsentStaysSoUntilTheSocketsSayOtherwise) {
  EndpointSighting absent;
  absent.state = EndpointSighting::State::kAbsent;
  host_.SetEndpoint(Path("a"), absent);
  EXPECT_EQ(LooksMade(), 1);
  EXPECT_EQ(LooksMade(), 0);
  host_.SetEndpoint(Path("a"), Served(45));
  EXPECT_EQ(LooksMade(), 1);
  EXPECT_EQ(At("a").state(), v1::Endpoint::STATE_IN_USE);
}

TEST_F(ObserveAllTest, KeepersAreAskedEachTime) {
  EndpointSighting kept = Served(46);
  kept.back_end.keeper = Known(KeeperFacts(), Source::kBackEndExecutable, kNow);
  host_.SetEndpoint(Path("a"), kept);
  EXPECT_EQ(LooksMade(), 1);
  EXPECT_EQ(LooksMade(), 1);
}

TEST_F(ObserveAllTest, ItEndsWhenItIsTold) {
  host_.HideSockets(true);
  int asked = 0;
  observer_.ObserveAll(absl::Seconds(30), [&asked] { return asked++ == 0; });
  EXPECT_EQ(host_.endpoint_observations() - looks_, 1);
}

}  // namespace
}  // namespace vuf
