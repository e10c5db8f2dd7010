// Either agent is killed before each of its steps towards its store, a QEMU or the other agent, and
// between a step's effect and its learning of it; then it is started again.
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/migration/two_hosts.h"

namespace vuf {
namespace {

using State = v1::Migration;

enum class Killed { kSource, kDestination };

// More than a migration takes, of which each shard of the test takes its part.
constexpr int kMostSteps = 80;

TwoHosts::Host& HostOf(TwoHosts& hosts, Killed killed) {
  return killed == Killed::kSource ? hosts.a : hosts.b;
}

// What must be true at last, whatever happened.
void ExpectOneGuest(TwoHosts& hosts, const v1::Migration& migration) {
  EXPECT_FALSE(hosts.qemu.SplitBrain());
  EXPECT_NE(hosts.SourceRuns(), hosts.DestinationRuns()) << migration.DebugString();
  const bool moved = migration.state() == State::STATE_SUCCEEDED;
  EXPECT_EQ(hosts.DestinationRuns(), moved) << "the API says so: " << migration.DebugString();
  EXPECT_EQ(hosts.a.registry().snapshot()->vms.count(kVm), moved ? 0u : 1u);
  EXPECT_EQ(hosts.b.registry().snapshot()->vms.count(kVm), moved ? 1u : 0u);
  if (moved) return;
  EXPECT_FALSE(hosts.qemu.Settings(kSource).capabilities["pause-before-switchover"])
      << "the next migration of anybody would stop the guest for good";
}

class RemoteCrashTest : public testing::TestWithParam<std::tuple<Killed, int>> {};

INSTANTIATE_TEST_SUITE_P(Each, RemoteCrashTest,
                         testing::Combine(testing::Values(Killed::kSource, Killed::kDestination),
                                          testing::Range(1, kMostSteps)));

TEST_P(RemoteCrashTest, OneGuestRunsAfterTheRestart) {
  const auto [killed, step] = GetParam();
  TwoHosts hosts;
  hosts.Start();
  TwoHosts::Host& host = HostOf(hosts, killed);
  const size_t before = host.power.steps().size();
  host.power.OffAt(step);
  const absl::StatusOr<v1::Migration> created = hosts.Create(hosts.Request());
  std::string name = created.ok() ? created->name() : "";
  hosts.AwaitThat([&] { return !host.power.on() || (!name.empty() && hosts.AtRest()); });
  if (host.power.on()) {
    // There are not so many steps: this is the whole migration.
    EXPECT_EQ(hosts.AwaitEnd(name).state(), State::STATE_SUCCEEDED);
    EXPECT_LT(host.power.steps().size() - before, static_cast<size_t>(kMostSteps));
    return;
  }
  const std::vector<std::string> steps = host.power.steps();
  SCOPED_TRACE(absl::StrCat("after ", steps.empty() ? "nothing" : steps.back()));
  hosts.KillAgent(host);
  // A call of the other agent's may still be in the one that is dead, which could write again with
  // the power back on. Held here, and by the host.
  EXPECT_TRUE(hosts.AwaitThat([&] { return host.agent().use_count() == 2; }));
  host.power.On();
  hosts.StartAgent(host);
  if (hosts.a.migrator().List().empty()) {
    EXPECT_TRUE(hosts.SourceRuns()) << "it was never accepted";
    return;
  }
  name = hosts.a.migrator().List().front().name();
  const v1::Migration migration = hosts.AwaitEnd(name);
  EXPECT_TRUE(hosts.AwaitThat([&] { return hosts.AtRest(); })) << "something is left behind";
  ExpectOneGuest(hosts, migration);
}

}  // namespace
}  // namespace vuf
