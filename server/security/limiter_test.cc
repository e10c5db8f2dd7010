#include "server/security/limiter.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "server/security/detail.h"

namespace vuf {
namespace {

class LimiterTest : public ::testing::Test {
 protected:
  absl::Status Enter(const std::string& client, bool always = false) {
    absl::StatusOr<Limiter::Ticket> ticket = limiter_.Enter(client, always);
    if (ticket.ok()) held_.push_back(*std::move(ticket));
    return ticket.status();
  }

  FakeClock clock_{absl::FromUnixSeconds(1'700'000'000)};
  Limiter limiter_{{10, 5, 3}, &clock_};
  std::vector<Limiter::Ticket> held_;
};

absl::Duration RetryOf(const absl::Status& status) {
  google::rpc::Status details;
  google::rpc::RetryInfo info;
  EXPECT_TRUE(details.ParseFromString(SerializedDetails(status)));
  EXPECT_EQ(details.details_size(), 1);
  EXPECT_TRUE(details.details(0).UnpackTo(&info));
  return absl::Seconds(info.retry_delay().seconds()) +
         absl::Nanoseconds(info.retry_delay().nanos());
}

TEST_F(LimiterTest, BurstThenSoManyPerSecond) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(Enter("a").ok());
    held_.clear();
  }
  const absl::Status refused = Enter("a");
  EXPECT_TRUE(absl::IsResourceExhausted(refused));
  EXPECT_EQ(RetryOf(refused), absl::Milliseconds(100));
  EXPECT_TRUE(Enter("b").ok());
  clock_.Advance(absl::Milliseconds(100));
  EXPECT_TRUE(Enter("a").ok());
  EXPECT_TRUE(absl::IsResourceExhausted(Enter("a")));
}

TEST_F(LimiterTest, SoManyUnderWay) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Enter("a").ok());
  const absl::Status refused = Enter("a");
  EXPECT_TRUE(absl::IsResourceExhausted(refused));
  EXPECT_GT(RetryOf(refused), absl::ZeroDuration());
  held_.pop_back();
  EXPECT_TRUE(Enter("a").ok());
}

TEST_F(LimiterTest, WhatIsEssentialIsLetInAlways) {
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(Enter("a", true).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(Enter("a")));
}

TEST_F(LimiterTest, TheTableIsBoundedAndForgetsWhoIsQuiet) {
  for (size_t i = 0; i < 3 * Limiter::kMaxClients; ++i) {
    EXPECT_TRUE(Enter(absl::StrCat("c", i)).ok());
    held_.clear();
    clock_.Advance(absl::Milliseconds(1));
  }
  // The first is unknown again, and has its whole burst.
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(Enter("c0").ok());
    held_.clear();
  }
}

TEST_F(LimiterTest, ClientsWithCallsUnderWayAreNotForgotten) {
  for (size_t i = 0; i < Limiter::kMaxClients; ++i) EXPECT_TRUE(Enter(absl::StrCat("c", i)).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(Enter("new")));
  EXPECT_TRUE(Enter("new", true).ok());
  held_.clear();
  EXPECT_TRUE(Enter("new").ok());
}

TEST_F(LimiterTest, ClockThatGoesBackGivesAndTakesNothing) {
  EXPECT_TRUE(Enter("a").ok());
  clock_.Advance(-absl::Hours(1));
  held_.clear();
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(Enter("a").ok());
    held_.clear();
  }
  EXPECT_TRUE(absl::IsResourceExhausted(Enter("a")));
}

}  // namespace
}  // namespace vuf
