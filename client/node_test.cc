// What probes and a stop of the agent ask of vufctl.
#include <deque>
#include <string>
#include <vector>

#include "client/cli.h"
#include "client/testing/fake_agent.h"
#include "client/testing/vufctl_run.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf::cli {
namespace {

using ::testing::HasSubstr;

TEST(NodeTest, HealthIsAnExitCode) {
  FakeAgent agent(FakeWorld{});
  EXPECT_EQ(Vufctl(agent, {"health"}).code, kExitOk);
  agent.SetServing(false);
  EXPECT_EQ(Vufctl(agent, {"health"}).code, kExitError);
  EXPECT_EQ(Vufctl(agent, {"health", "--live"}).code, kExitOk);
}

TEST(NodeTest, AnAgentThatIsNotThereIsNotAlive) {
  std::ostringstream out;
  std::ostringstream err;
  Terminal terminal{out, err};
  EXPECT_EQ(RunVufctl({"health", "--live", "--server=unix:/nonexistent/s"}, terminal), kExitError);
}

TEST(NodeTest, WaitsForTheEndOfWhatIsUnderWay) {
  FakeWorld world;
  world.migrations = {{At(v1::Migration::STATE_TRANSFERRING, 2)},
                      {At(v1::Migration::STATE_SUCCEEDED, 3)}};
  world.streams = {{At(v1::Migration::STATE_TRANSFERRING, 2)},
                   {At(v1::Migration::STATE_SUCCEEDED, 3)}};
  FakeAgent agent(world);
  EXPECT_EQ(Vufctl(agent, {"migrations", "wait", "--timeout=1m"}).code, kExitOk);
}

TEST(NodeTest, DoesNotWaitForWhatAStartTakesUpAgain) {
  for (const auto state :
       {v1::Migration::STATE_QUEUED, v1::Migration::STATE_AWAITING_DESTINATION}) {
    FakeWorld world;
    world.migrations = {{At(state, 1)}};
    FakeAgent agent(world);
    EXPECT_EQ(Vufctl(agent, {"migrations", "wait", "--timeout=1m"}).code, kExitOk);
  }
}

TEST(NodeTest, GivesUpWhenTheTimeIsOverAndSaysWhatIsLeft) {
  FakeWorld world;
  world.migrations = {{At(v1::Migration::STATE_TRANSFERRING, 2)}};
  world.streams = {{At(v1::Migration::STATE_TRANSFERRING, 2)}};
  FakeAgent agent(world);
  const Result result = Vufctl(agent, {"migrations", "wait", "--timeout=200ms"});
  EXPECT_EQ(result.code, kExitUnknown);
  EXPECT_THAT(result.err, HasSubstr("still under way: migrations/m1"));
}

}  // namespace
}  // namespace vuf::cli
