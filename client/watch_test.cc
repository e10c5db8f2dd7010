// vufctl following a migration or the endpoints: what is printed, and how it ends.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <thread>

#include "client/cli.h"
#include "client/testing/fake_agent.h"
#include "client/testing/vufctl_run.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

TEST(WatchTest, AWatchSurvivesALostConnectionAndReportsNothingTwice) {
  FakeWorld world;
  const v1::Migration transferring = At(v1::Migration::STATE_TRANSFERRING, 2);
  world.streams = {{transferring}, {}, {transferring, At(v1::Migration::STATE_SUCCEEDED, 3)}};
  FakeAgent agent(world);
  const Result result = Vufctl(agent, {"migrations", "watch", "m1", "--output=json"});
  EXPECT_EQ(result.code, kExitOk);
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 2) << result.out;
  EXPECT_THAT(agent.calls(), SizeIs(3));
}

TEST(WatchTest, CtrlCLeavesTheMigrationAloneAndSaysHowToCancelIt) {
  FakeWorld world;
  world.migration = At(v1::Migration::STATE_EVALUATING, 1);
  world.streams = {{At(v1::Migration::STATE_TRANSFERRING, 2)}};
  FakeAgent agent(world);
  std::thread user([&] {
    EXPECT_TRUE(agent.AwaitIdleStream());
    kill(getpid(), SIGINT);
  });
  const Result result = Vufctl(agent, {"migrate", "a", "--to=/run/d", "--watch"});
  user.join();
  EXPECT_EQ(result.code, kExitCtrlC);
  EXPECT_THAT(result.err, HasSubstr("migrations/m1 goes on"));
  EXPECT_THAT(result.err, HasSubstr("vufctl --server=" + agent.address() + " cancel m1"));
  EXPECT_THAT(agent.calls(), SizeIs(2));
}

TEST(WatchTest, EndpointsWatchPrintsTheStateAndEndsWithCtrlC) {
  FakeWorld world;
  v1::WatchEndpointsResponse& present = world.endpoint_changes.emplace_back();
  present.set_kind(v1::WatchEndpointsResponse::KIND_PRESENT);
  present.set_revision(4);
  present.mutable_endpoint()->set_name("endpoints/e");
  present.mutable_endpoint()->set_socket_path("/run/e");
  v1::WatchEndpointsResponse& synced = world.endpoint_changes.emplace_back();
  synced.set_kind(v1::WatchEndpointsResponse::KIND_SYNCED);
  synced.set_revision(5);
  FakeAgent agent(world);
  std::thread user([&] {
    EXPECT_TRUE(agent.AwaitIdleStream());
    kill(getpid(), SIGINT);
  });
  const Result result = Vufctl(agent, {"endpoints", "watch"});
  user.join();
  EXPECT_EQ(result.code, kExitCtrlC);
  EXPECT_THAT(result.out, StartsWith("4 present e unspecified generation 0 - /run/e\n"));
}

}  // namespace
}  // namespace vuf::cli
