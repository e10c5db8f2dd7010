// More migrations are asked for than may run at once.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/convert/convert.h"
#include "server/migration/migration_world.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using State = v1::Migration;

// One runs until it is cancelled, so that what else is asked for waits. Every other one is refused
// when its turn comes, which says in which order they had it.
class MigratorQueueTest : public ::testing::Test {
 protected:
  MigratorQueueTest() {
    world_.options.max_concurrent = 1;
    world_.options.max_queued = 3;
    world_.options.evaluate = [](const Facts& facts) {
      const bool runs =
          facts.source.qmp_socket == kSource || facts.source.qmp_socket == "/run/c.qmp";
      return runs ? AllowWhatAnswers(facts) : Verdict{};
    };
    world_.Start();
    world_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  }

  void Begin() {
    v1::Migration request = world_.Request();
    request.set_requested_by("uid:1; calls itself one process");
    first_ = world_.Create(request)->name();
    ASSERT_TRUE(world_.AwaitThat(
        [&] { return world_.migrator->Get(first_)->state() == State::STATE_TRANSFERRING; }));
  }
  void EndFirst() {
    ASSERT_TRUE(world_.migrator->Cancel(first_).ok());
    world_.Await(first_);
  }
  v1::Migration Another(const std::string& id, int priority = 0,
                        const std::string& caller = "uid:0") {
    const std::string vm = absl::StrCat("vms/", id);
    world_.AddVm(vm, absl::StrCat("/run/", id, ".qmp"));
    v1::Migration request = world_.Request();
    request.set_vm(vm);
    request.mutable_destination()->mutable_same_host()->set_qmp_socket(
        absl::StrCat("/run/to-", id, ".qmp"));
    request.set_priority(priority);
    request.set_requested_by(caller);
    return request;
  }
  std::string Queue(const v1::Migration& request) {
    const absl::StatusOr<v1::Migration> created = world_.Create(request);
    EXPECT_TRUE(created.ok()) << created.status();
    EXPECT_EQ(created->state(), State::STATE_QUEUED);
    EXPECT_EQ(world_.StoredState(created->name()), State::STATE_QUEUED) << "as acknowledged";
    return created->name();
  }
  // The VMs in the order in which their migrations ended.
  std::vector<std::string> Ended(const std::vector<std::string>& names) {
    std::vector<std::pair<absl::Time, std::string>> ends;
    for (const std::string& name : names) {
      const v1::Migration ended = world_.Await(name);
      ends.emplace_back(FromProto(ended.end_time()), ended.vm());
    }
    std::sort(ends.begin(), ends.end());
    std::vector<std::string> vms;
    for (const auto& [at, vm] : ends) vms.push_back(vm);
    return vms;
  }

  MigrationWorld world_;
  std::string first_;
};

TEST_F(MigratorQueueTest, ItWaitsUntouchedAndThenRuns) {
  Begin();
  const std::string name = Queue(Another("x"));
  EXPECT_FALSE(world_.Did("/run/x.qmp Connect"));
  EndFirst();
  EXPECT_EQ(world_.Await(name).state(), State::STATE_REFUSED);
}

TEST_F(MigratorQueueTest, TheHighestPriorityIsNextThenTheOldest) {
  Begin();
  const std::vector<std::string> names = {Queue(Another("low")), Queue(Another("high1", 5)),
                                          Queue(Another("high2", 5))};
  EndFirst();
  EXPECT_THAT(Ended(names), ElementsAre("vms/high1", "vms/high2", "vms/low"));
}

TEST_F(MigratorQueueTest, AmongEqualsTheCallerWithTheFewestRunningIsNext) {
  world_.Stop();
  world_.options.max_concurrent = 2;
  world_.Start();
  world_.AddOther();
  world_.qemu.SetOutcome("/run/c.qmp", FakeOutcome::kNeverConverges);
  Begin();
  v1::Migration other = world_.Request();
  other.set_vm("vms/other");
  other.mutable_destination()->mutable_same_host()->set_qmp_socket("/run/d.qmp");
  const std::string second = world_.Create(other)->name();
  // Whoever asked for the first one has one running; the second's caller is nobody.
  const std::vector<std::string> names = {
      Queue(Another("x", 0, "uid:1; calls itself another process")),
      Queue(Another("y", 0, "uid:2"))};
  ASSERT_TRUE(world_.migrator->Cancel(second).ok());
  EXPECT_THAT(Ended(names), ElementsAre("vms/y", "vms/x"));
  EndFirst();
}

TEST_F(MigratorQueueTest, AQueueThatIsFullRefusesAndSaysSo) {
  Begin();
  for (const char* id : {"x", "y", "z"}) Queue(Another(id));
  const absl::Status refused = world_.Create(Another("beyond")).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(refused.message(), HasSubstr("1 migrations are running"));
  EXPECT_THAT(refused.message(), HasSubstr("3 wait, as many as migrations.max_queued allows"));
  EndFirst();
}

TEST_F(MigratorQueueTest, ItIsCancelledAtOnce) {
  Begin();
  const std::string name = Queue(Another("x"));
  const absl::StatusOr<v1::Migration> cancelled = world_.migrator->Cancel(name);
  ASSERT_TRUE(cancelled.ok()) << cancelled.status();
  EXPECT_EQ(cancelled->state(), State::STATE_CANCELLED);
  EXPECT_EQ(world_.StoredState(name), State::STATE_CANCELLED);
  EXPECT_EQ(world_.migrator->Cancel(name).status().code(), absl::StatusCode::kFailedPrecondition);
  EndFirst();
  EXPECT_FALSE(world_.Did("/run/x.qmp Connect"));
}

TEST_F(MigratorQueueTest, AVmWaitsOnlyOnce) {
  Begin();
  const v1::Migration request = Another("x");
  Queue(request);
  EXPECT_EQ(world_.Create(request).status().code(), absl::StatusCode::kAborted);
  EndFirst();
}

TEST_F(MigratorQueueTest, ItWaitsOverARestart) {
  Begin();
  const std::string name = Queue(Another("x"));
  world_.Stop();
  EXPECT_EQ(world_.StoredState(name), State::STATE_QUEUED);
  world_.Start();
  EXPECT_EQ(world_.Await(name).state(), State::STATE_REFUSED);
}

TEST_F(MigratorQueueTest, ItsTimeRunsInTheQueueToo) {
  Begin();
  v1::Migration request = Another("x");
  request.mutable_timeout()->set_nanos(1000000);
  const std::string name = Queue(request);
  // Nothing happens when its time is over, so there is no event to wait for.
  absl::SleepFor(absl::Milliseconds(2));
  EndFirst();
  const v1::Migration ended = world_.Await(name);
  EXPECT_EQ(ended.state(), State::STATE_FAILED);
  EXPECT_THAT(ended.message(), HasSubstr("timed out"));
}

}  // namespace
}  // namespace vuf
