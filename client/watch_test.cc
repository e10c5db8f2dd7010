// vufctl following a migration or the endpoints: what is printed, and how it ends.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <sstream>
#include <string>
#include <thread>
#include <utility>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
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

// What the agent has sent is not yet what vufctl has read: Ctrl-C waits for what is printed.
class NoticedOutput : public std::stringbuf {
 public:
  explicit NoticedOutput(std::string text) : text_(std::move(text)) {}
  bool Await() { return seen_.WaitForNotificationWithTimeout(absl::Seconds(10)); }

 protected:
  std::streamsize xsputn(const char* data, std::streamsize size) override {
    const std::streamsize put = std::stringbuf::xsputn(data, size);
    if (!seen_.HasBeenNotified() && str().find(text_) != std::string::npos) seen_.Notify();
    return put;
  }

 private:
  const std::string text_;
  absl::Notification seen_;
};

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
  NoticedOutput output("/run/e");
  std::ostream out(&output);
  std::ostringstream err;
  Terminal terminal{out, err};
  std::thread user([&] {
    EXPECT_TRUE(output.Await());
    kill(getpid(), SIGINT);
  });
  EXPECT_EQ(RunVufctl({"--server=" + agent.address(), "endpoints", "watch"}, terminal), kExitCtrlC);
  user.join();
  EXPECT_THAT(output.str(), StartsWith("4 present e unspecified generation 0 - /run/e\n"));
}

}  // namespace
}  // namespace vuf::cli
