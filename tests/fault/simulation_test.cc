// The simulation itself: a seed gives the same run again, what was planted is found, and a number
// of schedules that is small enough for every build hold. `simulation --schedules=100000` runs
// more.
#include "tests/fault/simulation.h"

#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/log.h"

namespace vuf {
namespace {

class SimulationTest : public testing::Test {
 protected:
  // Agents that die complain of it.
  static void SetUpTestSuite() { ConfigureLog(LogLevel::kError, false); }
};

TEST_F(SimulationTest, NoInvariantIsViolated) {
  int moved = 0, disturbed = 0;
  constexpr int kSchedules = 500;
  for (int seed = 1; seed <= kSchedules; ++seed) {
    const Schedule schedule = Simulate(static_cast<uint64_t>(seed));
    EXPECT_EQ(schedule.violation, "") << "seed " << seed;
    moved += schedule.events.back() == "MOVED" ? 1 : 0;
    disturbed += schedule.events.size() > 1 ? 1 : 0;
  }
  EXPECT_GT(moved, kSchedules / 10) << "hardly a guest ever moves";
  EXPECT_GT(disturbed, kSchedules / 2) << "hardly anything ever goes wrong";
}

TEST_F(SimulationTest, ASeedIsTheSameScheduleAgain) {
  std::set<uint64_t> digests;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const Schedule first = Simulate(seed), second = Simulate(seed);
    EXPECT_EQ(first.digest, second.digest) << seed;
    EXPECT_EQ(first.events, second.events) << seed;
    digests.insert(first.digest);
  }
  EXPECT_EQ(digests.size(), 50u) << "another seed is another schedule";
}

class PlantedBugTest : public testing::TestWithParam<PlantedBug> {
 protected:
  static void SetUpTestSuite() { ConfigureLog(LogLevel::kError, false); }
};

TEST_P(PlantedBugTest, IsFound) {
  for (uint64_t seed = 1; seed <= 4000; ++seed) {
    if (!Simulate(seed, GetParam()).violation.empty()) return;
  }
  ADD_FAILURE() << "4000 schedules did not find it";
}

INSTANTIATE_TEST_SUITE_P(Each, PlantedBugTest,
                         testing::Values(PlantedBug::kCommitNotDurable,
                                         PlantedBug::kUndecidedIsAborted,
                                         PlantedBug::kRunsOnPromise));

}  // namespace
}  // namespace vuf
