// Every line of the table of transitions is walked by a migration here, and nothing else is: each
// way through the protocol is written out.
#include "server/migration/transitions.h"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/migration_state.h"
#include "server/migration/kept_world.h"
#include "server/migration/sequential_world.h"

namespace vuf {
namespace {

using State = v1::Migration::State;
using Step = TransitionRecorder::Step;
constexpr State kNone = v1::Migration::STATE_UNSPECIFIED;
constexpr State kEvaluating = v1::Migration::STATE_EVALUATING;
constexpr State kPreparing = v1::Migration::STATE_PREPARING;
constexpr State kTransferring = v1::Migration::STATE_TRANSFERRING;
constexpr State kSwitchingOver = v1::Migration::STATE_SWITCHING_OVER;
constexpr State kCommitted = v1::Migration::STATE_COMMITTED;
constexpr State kSucceeded = v1::Migration::STATE_SUCCEEDED;
constexpr State kRefused = v1::Migration::STATE_REFUSED;
constexpr State kFailed = v1::Migration::STATE_FAILED;
constexpr State kCancelling = v1::Migration::STATE_CANCELLING;
constexpr State kCancelled = v1::Migration::STATE_CANCELLED;
constexpr State kInterrupted = v1::Migration::STATE_INTERRUPTED;
constexpr State kQueued = v1::Migration::STATE_QUEUED;
constexpr State kAwaiting = v1::Migration::STATE_AWAITING_DESTINATION;

constexpr char kName[] = "migrations/m0000000001";

using Walk = std::function<void(MigrationWorld&)>;
using Make = std::unique_ptr<MigrationWorld> (*)();

// One way through the protocol.
struct Way {
  const char* name;
  Make make;
  Walk walk;
  // All states of all migrations. A kNone begins another one.
  std::vector<State> states;
  // What the store had at the start is the first state.
  bool left_behind = false;
};

template <typename World>
std::unique_ptr<MigrationWorld> New() {
  std::unique_ptr<MigrationWorld> world = std::make_unique<World>();
  world->options.settle_timeout = absl::Milliseconds(300);
  return world;
}

void Migrate(MigrationWorld& world) {
  world.Start();
  world.Migrate();
}

void Cancel(MigrationWorld& world) {
  EXPECT_TRUE(world.migrator->Cancel(world.migrator->List().front().name()).ok());
}

// Returns once migrations are asked to stop; the caller is one of the threads that this waits for.
void StopAgent(MigrationWorld& world, std::thread& stopper) {
  stopper = std::thread([&world] { world.migrator->Shutdown(); });
  while (!absl::IsUnavailable(world.Create(world.Request()).status())) std::this_thread::yield();
}

// `act` when `vm` is told this for the first time.
void Once(MigrationWorld& world, const char* vm, FakeCall call, const std::function<bool()>& when,
          const std::function<void()>& act) {
  auto done = std::make_shared<bool>(false);
  world.qemu.Before(vm, call, [=] {
    if (*done || !when()) return;
    *done = true;
    act();
  });
}

Walk CancelAt(FakeCall call, const char* run_state = "running") {
  return [=](MigrationWorld& world) {
    Once(
        world, kSource, call, [&] { return world.qemu.RunState(kSource) == run_state; },
        [&] { Cancel(world); });
    Migrate(world);
  };
}

Walk StopAt(FakeCall call, const char* run_state = "running") {
  return [=](MigrationWorld& world) {
    std::thread stopper;
    Once(
        world, kSource, call, [&] { return world.qemu.RunState(kSource) == run_state; },
        [&] { StopAgent(world, stopper); });
    Migrate(world);
    stopper.join();
  };
}

// An earlier run of vufd died with a migration in `state`; QEMU was brought `so_far`.
Walk LeftBehind(State state, const Walk& so_far) {
  return [=](MigrationWorld& world) {
    v1::Migration migration = world.Request();
    migration.set_name(kName);
    migration.set_state(state);
    int pid = 100;
    for (v1::QemuProcess* side :
         {migration.mutable_source_qemu(), migration.mutable_destination_qemu()}) {
      side->set_qmp_socket(pid == 100 ? kSource : kDestination);
      side->set_pid(pid++);
      side->set_start_ticks(1000);
      side->set_boot_id("boot");
    }
    ASSERT_TRUE(
        world.store.Write({{Table::kMigrations, kName, migration.SerializeAsString()}}).ok());
    so_far(world);
    world.Start();
    world.Await(kName);
  };
}

void NothingYet(MigrationWorld&) {}

void HandedOver(MigrationWorld& world) {
  const absl::Time soon = absl::Now() + absl::Seconds(10);
  auto source = *world.qemu.Connect(kSource, soon);
  auto destination = *world.qemu.Connect(kDestination, soon);
  MigrationSettings settings;
  settings.capabilities = {{"return-path", true}, {"pause-before-switchover", true}};
  ASSERT_TRUE(source->Configure(settings, soon).ok());
  ASSERT_TRUE(destination->PrepareIncoming(0, soon).ok());
  ASSERT_TRUE(source->StartOutgoing(0, soon).ok());
  ASSERT_TRUE(source->Do(Hypervisor::Act::kMigrateContinue, soon).ok());
}

// Somebody else says `migrate-continue`, and the source dies of it.
void ContinuedByOther(MigrationWorld& world) {
  world.qemu.SetOutcome(kSource, FakeOutcome::kSourceDiesAfterSwitchover);
  Once(
      world, kSource, FakeCall::kAwait,
      [&] { return world.qemu.RunState(kSource) == "finish-migrate"; },
      [&] {
        const absl::Time soon = absl::Now() + absl::Seconds(10);
        auto other = *world.qemu.Connect(kSource, soon);
        EXPECT_TRUE(other->Do(Hypervisor::Act::kMigrateContinue, soon).ok());
        // Before its last events were read.
        world.qemu.Fail(kSource, FakeCall::kAwait, {absl::UnavailableError("end of file")});
      });
  Migrate(world);
}

void RefuseAndCancel(MigrationWorld& world) {
  world.options.evaluate = [&world](const Facts&) {
    Cancel(world);
    return Verdict{};
  };
  Migrate(world);
}

void SourceDiesOfTheCancel(MigrationWorld& world) {
  world.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  world.qemu.Before(kSource, FakeCall::kMigrateCancel, [&] { world.qemu.Die(kSource); });
  CancelAt(FakeCall::kAwait)(world);
}

void Saved(MigrationWorld& world, const v1::Migration& request) {
  world.Start();
  const std::string name = world.Create(request)->name();
  EXPECT_TRUE(world.AwaitThat([&] { return world.migrator->Get(name)->state() == kAwaiting; }));
}

void Sequential(MigrationWorld& world) {
  auto& sequential = static_cast<SequentialWorld&>(world);
  Saved(world, sequential.SequentialRequest());
  sequential.AddDestination();
  world.Await(kName);
}

void SavedTwice(MigrationWorld& world) {
  auto& sequential = static_cast<SequentialWorld&>(world);
  v1::Migration request = sequential.SequentialRequest();
  request.mutable_timeout()->set_nanos(200000000);
  Saved(world, request);
  world.Await(kName);
  world.Create(sequential.SequentialRequest()).IgnoreError();
  sequential.AddDestination();
  world.Await("migrations/m0000000002");
}

Walk With(FakeOutcome outcome, const Walk& walk) {
  return [=](MigrationWorld& world) {
    world.qemu.SetOutcome(kSource, outcome);
    walk(world);
  };
}

Walk Failing(FakeCall call) {
  return [=](MigrationWorld& world) {
    world.qemu.Fail(kSource, call, {absl::FailedPreconditionError("no"), 0, 1, false});
    Migrate(world);
  };
}

void Refused(MigrationWorld& world) {
  world.options.evaluate = [](const Facts&) { return Verdict{}; };
  Migrate(world);
}

// `queued` happens when another migration waits for the end of the first, which is refused.
Walk Queued(const std::function<void(MigrationWorld&, const std::string& name)>& queued) {
  return [=](MigrationWorld& world) {
    world.options.max_concurrent = 1;
    world.options.evaluate = [&world, queued, first = std::make_shared<bool>(true)](const Facts&) {
      if (!std::exchange(*first, false)) return Verdict{};
      v1::Migration other = world.Request();
      other.set_vm("vms/other");
      other.mutable_destination()->mutable_same_host()->set_qmp_socket("/run/d.qmp");
      queued(world, world.Create(other)->name());
      return Verdict{};
    };
    world.Start();
    world.AddOther();
    world.Migrate();
    world.Await("migrations/m0000000002");
  };
}

void CancelThat(MigrationWorld& world, const std::string& name) {
  EXPECT_EQ(world.migrator->Cancel(name)->state(), kCancelled);
}

// Only this one write of it fails.
void LoseItsTurn(MigrationWorld& world, const std::string& name) {
  world.store.FailWriteOf(name, absl::ResourceExhaustedError("the disk is full"));
}

void NotRecorded(MigrationWorld& world) {
  world.decisions.Fail(absl::ResourceExhaustedError("the disk is full"));
  Migrate(world);
}

void DestinationDiesOfCont(MigrationWorld& world) {
  world.qemu.Before(kDestination, FakeCall::kCont, [&] { world.qemu.Die(kDestination); });
  Migrate(world);
}

void SourceIsGone(MigrationWorld& world) { world.qemu.Die(kSource); }
void DestinationIsGone(MigrationWorld& world) { world.qemu.Die(kDestination); }

std::vector<Way> WaysOfOneRun() {
  using F = FakeOutcome;
  const Make plain = New<MigrationWorld>;
  const Walk cancel = CancelAt(FakeCall::kAwait);
  const Walk stop = StopAt(FakeCall::kAwait);
  const std::vector<State> evaluating = {kNone, kEvaluating};
  const std::vector<State> preparing = {kNone, kEvaluating, kPreparing};
  const std::vector<State> copying = {kNone, kEvaluating, kPreparing, kTransferring};
  const std::vector<State> stopped = {kNone, kEvaluating, kPreparing, kTransferring,
                                      kSwitchingOver};
  const auto then = [](std::vector<State> states, std::initializer_list<State> more) {
    states.insert(states.end(), more);
    return states;
  };
  const Walk observe_cancel = CancelAt(FakeCall::kObserve);
  return {
      {"Succeeds", plain, Migrate, then(stopped, {kCommitted, kSucceeded})},
      {"Refused", plain, Refused, then(evaluating, {kRefused})},
      {"NotRecorded", plain, NotRecorded, then(evaluating, {kFailed})},
      {"CancelledBefore", plain, observe_cancel, then(evaluating, {kCancelling, kCancelled})},
      {"CancelledAndRefused", plain, RefuseAndCancel, then(evaluating, {kCancelling, kRefused})},
      {"StoppedBefore", plain, StopAt(FakeCall::kObserve), then(evaluating, {kCancelled})},
      {"NotConfigured", plain, Failing(FakeCall::kConfigure), then(preparing, {kFailed})},
      {"CancelledInPreparing", plain, CancelAt(FakeCall::kConfigure),
       then(preparing, {kCancelling, kCancelled})},
      {"StoppedInPreparing", plain, StopAt(FakeCall::kConfigure), then(preparing, {kCancelled})},
      {"FailsWhileCopying", plain, With(F::kFailsWhileActive, Migrate), then(copying, {kFailed})},
      {"CancelledWhileCopying", plain, With(F::kNeverConverges, cancel),
       then(copying, {kCancelling, kCancelled})},
      {"StoppedWhileCopying", plain, With(F::kNeverConverges, stop), then(copying, {kCancelled})},
      {"DiesOfTheCancel", plain, SourceDiesOfTheCancel, then(copying, {kCancelling, kFailed})},
      {"ContinuedByOther", New<KeptWorld>, ContinuedByOther,
       then(copying, {kCommitted, kSucceeded})},
      {"FailsAtTheEnd", plain, With(F::kFailsAtSwitchover, Migrate), then(stopped, {kFailed})},
      {"CancelledAtTheEnd", plain, CancelAt(FakeCall::kObserveAgain, "finish-migrate"),
       then(stopped, {kCancelling, kCancelled})},
      {"StoppedAtTheEnd", plain, StopAt(FakeCall::kObserveAgain, "finish-migrate"),
       then(stopped, {kCancelled})},
      {"NotStarted", plain, DestinationDiesOfCont, then(stopped, {kCommitted, kFailed})},
      {"Queued", plain, Queued([](MigrationWorld&, const std::string&) {}),
       then(evaluating, {kRefused, kNone, kQueued, kEvaluating, kRefused})},
      {"CancelledInTheQueue", plain, Queued(CancelThat),
       then(evaluating, {kRefused, kNone, kQueued, kCancelled})},
      {"TurnNotWritten", plain, Queued(LoseItsTurn),
       then(evaluating, {kRefused, kNone, kQueued, kFailed})},
      {"Sequential", New<SequentialWorld>, Sequential,
       then(stopped, {kAwaiting, kCommitted, kSucceeded})},
      {"SavedTwice", New<SequentialWorld>, SavedTwice,
       then(stopped, {kAwaiting, kFailed, kNone, kEvaluating, kAwaiting, kCommitted, kSucceeded})},
  };
}

std::vector<Way> WaysAfterARestart() {
  const Make plain = New<MigrationWorld>;
  const auto ran = [](MigrationWorld& world) {
    HandedOver(world);
    EXPECT_TRUE(world.qemu.ContByOther(kDestination).ok());
  };
  const auto way = [&](const char* name, State state, const Walk& so_far, State end) {
    return Way{name, plain, LeftBehind(state, so_far), {state, end}, true};
  };
  return {
      way("BeforeEvaluated", kEvaluating, NothingYet, kFailed),
      way("BeforePrepared", kPreparing, NothingYet, kFailed),
      way("BeforeBegun", kTransferring, NothingYet, kFailed),
      way("SourceGone", kTransferring, SourceIsGone, kInterrupted),
      way("Running", kCommitted, ran, kSucceeded),
      way("DestinationGone", kCommitted, DestinationIsGone, kInterrupted),
      way("NoRecord", kAwaiting, NothingYet, kInterrupted),
  };
}

std::vector<Way> Ways() {
  std::vector<Way> ways = WaysOfOneRun();
  for (Way& way : WaysAfterARestart()) ways.push_back(std::move(way));
  return ways;
}

std::vector<State> StatesOf(const std::vector<Step>& steps) {
  std::vector<State> states;
  for (const Step& step : steps) {
    if (states.empty() || step.from == kNone) states.push_back(step.from);
    states.push_back(step.to);
  }
  return states;
}

class WayTest : public ::testing::TestWithParam<Way> {};

TEST_P(WayTest, GoesExactlySo) {
  const std::unique_ptr<MigrationWorld> world = GetParam().make();
  GetParam().walk(*world);
  EXPECT_EQ(StatesOf(world->transitions.Steps()), GetParam().states)
      << world->migrator->List().front().message();
  EXPECT_EQ(world->transitions.Steps().front().left_behind, GetParam().left_behind);
  EXPECT_FALSE(world->qemu.SplitBrain());
}

INSTANTIATE_TEST_SUITE_P(All, WayTest, ::testing::ValuesIn(Ways()),
                         [](const auto& way) { return way.param.name; });

// With the ways as written out above, which WayTest holds to what happens.
TEST(TransitionsTest, EveryOneIsWalked) {
  std::set<std::tuple<State, State, bool>> walked;
  for (const Way& way : Ways()) {
    for (size_t i = 1; i < way.states.size(); ++i) {
      walked.insert({way.states[i - 1], way.states[i], way.left_behind});
    }
  }
  for (const Transition& one : MigrationTransitions()) {
    const bool settled = (one.who & Transition::kSettle) != 0;
    // The tests of two hosts walk the rest.
    const bool in_one_run = (one.who & ~unsigned{Transition::kSettle | Transition::kRemote}) != 0;
    EXPECT_EQ(walked.count({one.from, one.to, true}), settled ? 1u : 0u) << one.when;
    EXPECT_EQ(walked.count({one.from, one.to, false}), in_one_run ? 1u : 0u)
        << v1::Migration::State_Name(one.from) << " -> " << v1::Migration::State_Name(one.to);
  }
}

TEST(TransitionsTest, EachStandsOnce) {
  std::set<std::pair<State, State>> seen;
  for (const Transition& one : MigrationTransitions()) {
    EXPECT_TRUE(seen.insert({one.from, one.to}).second) << one.when;
    EXPECT_FALSE(IsFinal(one.from)) << one.when;
    EXPECT_EQ(FindTransition(one.from, one.to), &one);
  }
  EXPECT_EQ(FindTransition(kCommitted, kTransferring), nullptr);
}

}  // namespace
}  // namespace vuf
