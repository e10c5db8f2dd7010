#include "gtest/gtest.h"
#include "server/policy/policy.h"

namespace vuf {
namespace {

absl::Time At(const char* text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_sec, text, &time, &error)) << error;
  return time;
}

absl::TimeZone Berlin() {
  absl::TimeZone zone;
  EXPECT_TRUE(absl::LoadTimeZone("Europe/Berlin", &zone));
  return zone;
}

// Weekdays (Monday to Friday) from 22:00 for four hours.
Window Nights(absl::TimeZone zone = absl::UTCTimeZone()) {
  return {{1, 2, 3, 4, 5}, absl::Hours(22), absl::Hours(4), zone};
}

TEST(WindowTest, IsOpenFromItsBeginUntilItsEnd) {
  // A Wednesday.
  EXPECT_FALSE(StateOf({Nights()}, At("2026-11-25T21:59:59Z")).open);
  EXPECT_TRUE(StateOf({Nights()}, At("2026-11-25T22:00:00Z")).open);
  EXPECT_TRUE(StateOf({Nights()}, At("2026-11-26T01:59:59Z")).open);
  EXPECT_FALSE(StateOf({Nights()}, At("2026-11-26T02:00:00Z")).open);
}

TEST(WindowTest, TheDayIsTheOneOnWhichItBegins) {
  EXPECT_TRUE(StateOf({Nights()}, At("2026-11-28T01:00:00Z")).open) << "Saturday, begun on Friday";
  EXPECT_FALSE(StateOf({Nights()}, At("2026-11-28T23:00:00Z")).open) << "Saturday";
}

TEST(WindowTest, SaysWhenItOpensNext) {
  EXPECT_EQ(StateOf({Nights()}, At("2026-11-28T12:00:00Z")).opens, At("2026-11-30T22:00:00Z"));
  EXPECT_EQ(StateOf({Nights()}, At("2026-11-25T12:00:00Z")).opens, At("2026-11-25T22:00:00Z"));
}

TEST(WindowTest, GoesByTheWallClockOfItsZone) {
  // 22:00 in Berlin is 21:00 UTC in winter and 20:00 UTC in summer.
  EXPECT_TRUE(StateOf({Nights(Berlin())}, At("2026-11-25T21:00:00Z")).open);
  EXPECT_FALSE(StateOf({Nights(Berlin())}, At("2026-07-15T19:59:59Z")).open);
  EXPECT_TRUE(StateOf({Nights(Berlin())}, At("2026-07-15T20:00:00Z")).open);
}

TEST(WindowTest, OneOfSeveralIsEnough) {
  const Window noon = {{}, absl::Hours(12), absl::Hours(1), absl::UTCTimeZone()};
  EXPECT_TRUE(StateOf({Nights(), noon}, At("2026-11-25T12:30:00Z")).open);
  EXPECT_EQ(StateOf({Nights(), noon}, At("2026-11-25T11:00:00Z")).opens,
            At("2026-11-25T12:00:00Z"));
}

TEST(WindowTest, AWeekLongOneIsOpenAllTheTime) {
  const Window week = {{1}, absl::ZeroDuration(), absl::Hours(7 * 24), absl::UTCTimeZone()};
  for (int day = 0; day < 8; ++day) {
    EXPECT_TRUE(StateOf({week}, At("2026-11-23T00:00:00Z") + absl::Hours(24 * day + 23)).open);
  }
}

}  // namespace
}  // namespace vuf
