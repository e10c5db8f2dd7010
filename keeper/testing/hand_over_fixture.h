// A hand-over in each of its phases, for its tests.
#ifndef VUFD_KEEPER_TESTING_HAND_OVER_FIXTURE_H_
#define VUFD_KEEPER_TESTING_HAND_OVER_FIXTURE_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "gtest/gtest.h"
#include "keeper/hand_over.h"

namespace vuf::keeper {

inline constexpr uint64_t kSource = 11;
inline constexpr uint64_t kDestination = 22;
inline constexpr uint64_t kThird = 33;
inline const Time kNow = Time() + std::chrono::seconds(1000);

class HandOverTest : public testing::Test {
 protected:
  using Phase = HandOver::Phase;
  static constexpr Phase kAll[] = {Phase::kNone, Phase::kArmed, Phase::kSaved, Phase::kLoaded};

  HandOverTest() { session_.fill(5); }

  static Permit Outgoing() {
    Permit out;
    out.id = "p";
    out.expires = kNow + std::chrono::seconds(60);
    out.source = kSource;
    out.destination = kDestination;
    return out;
  }
  static Permit Stateful(Permit::Direction direction) {
    Permit out = Outgoing();
    out.mode = MarkerMode::kStateful;
    out.direction = direction;
    if (direction == Permit::Direction::kIncoming) out.source = 0;
    return out;
  }
  HandOver InPhase(Phase phase) {
    HandOver out(RandomId());
    if (phase >= Phase::kArmed) {
      EXPECT_TRUE(out.Arm(Outgoing()).ok());
    }
    if (phase >= Phase::kSaved) marker_ = out.Save(session_);
    if (phase >= Phase::kLoaded) {
      EXPECT_EQ(Load(out), "");
    }
    EXPECT_EQ(out.phase(), phase);
    return out;
  }
  std::string Load(HandOver& hand_over, uint64_t who = kDestination, Time now = kNow) {
    return hand_over.Load(now, who, session_, marker_);
  }

  Id session_;
  MarkerBytes marker_ = {};
};

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_TESTING_HAND_OVER_FIXTURE_H_
