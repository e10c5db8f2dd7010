#include "server/migration/gather.h"

#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/migration/migration_world.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class GatherTest : public ::testing::Test {
 protected:
  GatherTest() {
    world_.Start();
    request_.vm = kVm;
    request_.source_socket = kSource;
    request_.destination_socket = kDestination;
    request_.request.allow_stateful = true;
    request_.request.has_destination = true;
  }
  Facts GatherAgain(const Gathered& first) {
    return world_.gatherer->GatherAgain(request_, first.facts, *first.source,
                                        first.destination.get(), absl::Now() + absl::Seconds(5));
  }
  Gathered Gather() { return world_.gatherer->Gather(request_, absl::Now() + absl::Seconds(5)); }

  MigrationWorld world_;
  GatherRequest request_;
};

TEST_F(GatherTest, AsksBothSidesTheHostAndTheRegistry) {
  v1::Endpoint endpoint;
  endpoint.set_name("endpoints/a");
  endpoint.set_socket_path(kSourceFs);
  endpoint.mutable_back_end()->set_pid(200);
  endpoint.mutable_back_end()->set_start_ticks(2000);
  endpoint.set_boot_id("boot");
  endpoint.set_socket_device(1);
  endpoint.set_socket_inode(200);
  ASSERT_TRUE(
      world_.registry->CreateEndpoint(endpoint, {"test", "", ""}, absl::Now() + absl::Seconds(5))
          .ok());
  const Gathered gathered = Gather();
  const Facts& facts = gathered.facts;
  EXPECT_EQ(facts.source.run_state.value, "running");
  EXPECT_EQ(facts.destination->run_state.value, "inmigrate");
  EXPECT_EQ(facts.source.devices.value->front().back_end.process.value, (ProcessId{200, 2000}));
  EXPECT_EQ(facts.boot_id.value, "boot");
  ASSERT_THAT(facts.endpoints, SizeIs(1));
  EXPECT_EQ(facts.endpoints.front().process, (ProcessId{200, 2000}));
  EXPECT_EQ(facts.endpoints.front().socket_file, (FileId{1, 200}));
  EXPECT_EQ(facts.endpoints.front().boot_id, "boot");
  EXPECT_TRUE(facts.request.allow_stateful);
  EXPECT_GE(facts.now, facts.source.monitor.observed_at);
  EXPECT_NE(gathered.source, nullptr);
  EXPECT_NE(gathered.destination, nullptr);
  EXPECT_THAT(world_.qemu.Actions(), IsEmpty());
}

TEST_F(GatherTest, AMonitorThatDoesNotAnswerIsUnknownInItsOwnWords) {
  world_.qemu.Die(kDestination);
  const Gathered gathered = Gather();
  EXPECT_FALSE(gathered.facts.destination->monitor.known());
  EXPECT_THAT(gathered.facts.destination->monitor.detail, HasSubstr("nobody listens"));
  EXPECT_EQ(gathered.destination, nullptr);
  EXPECT_TRUE(gathered.facts.source.monitor.known());
}

TEST_F(GatherTest, AMonitorThatFailsWhileItIsReadIsUnknown) {
  world_.qemu.Fail(kSource, FakeCall::kObserve, {absl::DeadlineExceededError("hangs")});
  const Gathered gathered = Gather();
  EXPECT_THAT(gathered.facts.source.monitor.detail, HasSubstr("hangs"));
  EXPECT_EQ(gathered.source, nullptr);
}

TEST_F(GatherTest, WithoutADestinationThereIsNone) {
  request_.destination_socket.reset();
  EXPECT_FALSE(Gather().facts.destination.has_value());
}

TEST_F(GatherTest, TheSourcesOwnMonitorIsNotAskedTwice) {
  request_.destination_socket = kSource;
  const Gathered gathered = Gather();
  EXPECT_FALSE(gathered.facts.destination->monitor.known());
  EXPECT_EQ(world_.qemu.CallCount(kSource, FakeCall::kConnect), 1);
}

TEST_F(GatherTest, ARunningMigrationHasTheMonitorsToItself) {
  request_.running_migration = "migrations/m0000000001";
  const Gathered gathered = Gather();
  EXPECT_EQ(world_.qemu.CallCount(kSource, FakeCall::kConnect), 0);
  EXPECT_EQ(world_.qemu.CallCount(kDestination, FakeCall::kConnect), 0);
  EXPECT_EQ(gathered.facts.running_migration, "migrations/m0000000001");
  EXPECT_THAT(gathered.facts.source.monitor.detail, HasSubstr("migrations/m0000000001"));
  EXPECT_FALSE(gathered.facts.destination->monitor.known());
}

TEST_F(GatherTest, LooksAgainThroughTheSameConnections) {
  Gathered gathered = Gather();
  world_.host.SetBackEnd(kSourceFs, TestBackEnd(kSourceFs, 300));
  const Facts again = GatherAgain(gathered);
  EXPECT_EQ(again.source.devices.value->front().back_end.process.value->pid, 300);
  EXPECT_EQ(world_.qemu.CallCount(kSource, FakeCall::kConnect), 1);
}

// The guest is stopped then, and a back-end may have a million files open.
TEST_F(GatherTest, TheSecondLookCountsNoFiles) {
  BackEndFacts back_end = TestBackEnd(kSourceFs, 200);
  back_end.descriptors = Known(DescriptorFacts{10, 1024}, Source::kProcfs, absl::Now());
  world_.host.SetBackEnd(kSourceFs, back_end);
  Gathered gathered = Gather();
  EXPECT_TRUE(gathered.facts.source.devices.value->front().back_end.descriptors.known());
  const Facts again = GatherAgain(gathered);
  EXPECT_FALSE(again.source.devices.value->front().back_end.descriptors.known());
  EXPECT_TRUE(again.source.devices.value->front().back_end.process.known());
}

TEST_F(GatherTest, TheSecondLookCopiesTheEndpointsOfTheseDevicesOnly) {
  for (const auto& [name, path] : std::map<std::string, std::string>{
           {"endpoints/a", kSourceFs}, {"endpoints/b", kDestinationFs}, {"endpoints/c", "/x"}}) {
    v1::Endpoint endpoint;
    endpoint.set_name(name);
    endpoint.set_socket_path(path);
    ASSERT_TRUE(
        world_.registry->CreateEndpoint(endpoint, {"test", "", ""}, absl::Now() + absl::Seconds(5))
            .ok());
  }
  Gathered gathered = Gather();
  EXPECT_THAT(gathered.facts.endpoints, SizeIs(3));
  const Facts again = GatherAgain(gathered);
  ASSERT_THAT(again.endpoints, SizeIs(2));
  EXPECT_EQ(again.endpoints[0].name, "endpoints/a");
  EXPECT_EQ(again.endpoints[1].name, "endpoints/b");
}

// The guest is stopped then, and a whole look costs many answers of QEMU.
TEST_F(GatherTest, ShortlyAfterTheVerdictQemuIsAskedForWhatChangesOnly) {
  const Gathered gathered = Gather();
  world_.qemu.StopByOther(kSource);
  const Facts again = GatherAgain(gathered);
  EXPECT_EQ(world_.qemu.CallCount(kSource, FakeCall::kObserve), 1);
  EXPECT_EQ(again.source.run_state.value, "paused");
  EXPECT_EQ(again.source.devices.value->front().tag.value, "share");
  world_.qemu.Die(kDestination);
  EXPECT_THAT(GatherAgain(gathered).destination->monitor.detail, HasSubstr("is gone"));
}

TEST_F(GatherTest, LaterQemuIsAskedForEverything) {
  Gathered gathered = Gather();
  gathered.facts.now -= absl::Seconds(3);
  GatherAgain(gathered);
  EXPECT_EQ(world_.qemu.CallCount(kSource, FakeCall::kObserve), 2);
  EXPECT_EQ(world_.qemu.CallCount(kDestination, FakeCall::kObserve), 2);
  // The clock was set back.
  gathered.facts.now += absl::Minutes(1);
  GatherAgain(gathered);
  EXPECT_EQ(world_.qemu.CallCount(kSource, FakeCall::kObserve), 3);
}

// A scheduler asks, and migrates upon the answer.
TEST_F(GatherTest, WhoAsksAgainSoonHasAnAnswerThatCostsQemuLess) {
  Gather();
  world_.qemu.StopByOther(kSource);
  const Gathered again = Gather();
  EXPECT_EQ(again.facts.source.run_state.value, "paused");
  EXPECT_EQ(again.facts.source.devices.value->front().back_end.process.value->pid, 200);
  EXPECT_EQ(world_.qemu.CallCount(kSource, FakeCall::kConnect), 2);
  EXPECT_EQ(world_.qemu.CallCount(kSource, FakeCall::kObserve), 1);
  EXPECT_EQ(world_.qemu.CallCount(kSource, FakeCall::kObserveAgain), 1);
}

TEST_F(GatherTest, OneVmWithItsBackEnds) {
  const VmFacts vm = world_.gatherer->ObserveVm(kSource, absl::Now() + absl::Seconds(5));
  EXPECT_TRUE(vm.devices.value->front().back_end.process.known());
}

}  // namespace
}  // namespace vuf
