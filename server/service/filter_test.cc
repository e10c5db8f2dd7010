#include "server/service/filter.h"

#include <string>

#include "gtest/gtest.h"

namespace vuf {
namespace {

v1::Endpoint Endpoint() {
  v1::Endpoint endpoint;
  endpoint.set_state(v1::Endpoint::STATE_IN_USE);
  endpoint.set_profile("backEndProfiles/x");
  endpoint.set_socket_path("/run/a=b.sock");
  (*endpoint.mutable_labels())["tier"] = "gold";
  return endpoint;
}

bool Matches(const std::string& text) {
  const absl::StatusOr<EndpointFilter> filter = EndpointFilter::Parse(text);
  EXPECT_TRUE(filter.ok()) << filter.status();
  return filter->Matches(Endpoint());
}

TEST(FilterTest, EveryTermMustHold) {
  EXPECT_TRUE(Matches(""));
  EXPECT_TRUE(Matches("state=IN_USE"));
  EXPECT_TRUE(Matches("state=IN_USE AND labels.tier=gold AND profile=backEndProfiles/x"));
  EXPECT_TRUE(Matches("socket_path=/run/a=b.sock"));
  EXPECT_FALSE(Matches("state=IN_USE AND labels.tier=silver"));
  EXPECT_FALSE(Matches("state=ABSENT"));
  EXPECT_FALSE(Matches("state=IN_USE AND state=ABSENT"));
  EXPECT_FALSE(Matches("labels.none="));
}

TEST(FilterTest, RefusesWhatItDoesNotKnow) {
  for (const char* const bad :
       {"state", "state=", "state=BUSY", "state=UNSPECIFIED", "colour=red", "labels.=x", "=x",
        "state=IN_USE AND ", "state=IN_USE OR state=ABSENT", " state=IN_USE"}) {
    EXPECT_EQ(EndpointFilter::Parse(bad).status().code(), absl::StatusCode::kInvalidArgument)
        << bad;
  }
  EXPECT_FALSE(EndpointFilter::Parse(std::string(5000, 'a')).ok());
}

}  // namespace
}  // namespace vuf
