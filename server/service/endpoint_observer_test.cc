#include "server/service/endpoint_observer.h"

#include <string>

#include "gtest/gtest.h"

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

}  // namespace
}  // namespace vuf
