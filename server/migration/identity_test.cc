#include "server/migration/identity.h"

#include <functional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/migration/migration_world.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Facts Decided() {
  Facts facts;
  facts.boot_id = Known(std::string("boot"), Source::kProcfs, absl::Now());
  facts.source = TestVm(kSource, kSourceFs, 100, "running");
  facts.destination = TestVm(kDestination, kDestinationFs, 101, "inmigrate");
  facts.source.devices.value->front().back_end = TestBackEnd(kSourceFs, 200);
  facts.destination->devices.value->front().back_end = TestBackEnd(kDestinationFs, 201);
  facts.endpoints.push_back(
      {"endpoints/a", kSourceFs, ProcessId{200, 2000}, FileId{1, 200}, "boot", 3});
  return facts;
}

Facts AtPreSwitchover() {
  Facts facts = Decided();
  facts.source.run_state.value = "finish-migrate";
  facts.source.migration_status.value = "pre-switchover";
  facts.destination->migration_status.value = "active";
  return facts;
}

FsDeviceFacts& Fs(VmFacts& vm) { return vm.devices.value->front(); }

void AddKeeper(Facts& facts) {
  KeeperFacts keeper;
  keeper.control_socket = "/run/fs0.control";
  keeper.instance = "i";
  keeper.session = "s";
  keeper.phase = KeeperFacts::Phase::kNone;
  BackEndFacts& back_end = Fs(facts.source).back_end;
  back_end.keeper = Known(keeper, Source::kSockDiag, absl::Now());
  back_end.kept = Known(KeptBackEnd{{400, 1}, ProcessState::kRunning, "/usr/libexec/virtiofsd"},
                        Source::kProcfs, absl::Now());
}

TEST(IdentityTest, TheSameWorldMaySwitchOver) {
  EXPECT_THAT(ChangesSince(Decided(), AtPreSwitchover()), IsEmpty());
}

TEST(IdentityTest, WhileMemoryIsCopiedTheGuestRuns) {
  Facts now = AtPreSwitchover();
  for (const char* status : {"setup", "active"}) {
    now.source.migration_status.value = status;
    now.source.run_state.value = "running";
    EXPECT_THAT(ChangesSince(Decided(), now), IsEmpty());
    // QEMU stopped it between the two answers.
    now.source.run_state.value = "finish-migrate";
    EXPECT_THAT(ChangesSince(Decided(), now), IsEmpty());
  }
}

// A hand-over is under way: other roles, a permit, counters; the same session.
TEST(IdentityTest, WhatAKeeperDoesMayChange) {
  Facts decided = Decided();
  Facts now = AtPreSwitchover();
  AddKeeper(decided);
  AddKeeper(now);
  EXPECT_THAT(ChangesSince(decided, now), IsEmpty());
  KeeperFacts& keeper = *Fs(now.source).back_end.keeper.value;
  keeper.phase = KeeperFacts::Phase::kArmed;
  keeper.permit = "m1-1";
  keeper.front_ends = {{1, KeeperFacts::Role::kDriver, false}};
  keeper.unanswered = 3;
  keeper.last_drain_us = 4;
  keeper.last_refusal = "no";
  EXPECT_THAT(ChangesSince(decided, now), IsEmpty());
}

TEST(IdentityTest, WhoseSessionItIsMayNot) {
  const std::vector<std::function<void(BackEndFacts&)>> spoils = {
      [](BackEndFacts& b) { b.keeper.value->instance = "other"; },
      [](BackEndFacts& b) { b.keeper.value->session = "other"; },
      [](BackEndFacts& b) { b.keeper.value->control_socket = "/other"; },
      [](BackEndFacts& b) { b.keeper = Unknown<KeeperFacts>("nobody answers"); },
      [](BackEndFacts& b) { b.kept.value->process.pid = 401; },
      [](BackEndFacts& b) { b.kept.value->executable = "/other"; },
      [](BackEndFacts& b) { b.kept.value->state = ProcessState::kStopped; },
      [](BackEndFacts& b) { b.kept = Unknown<KeptBackEnd>("no such process"); }};
  for (const auto& spoil : spoils) {
    Facts decided = Decided();
    Facts now = AtPreSwitchover();
    AddKeeper(decided);
    AddKeeper(now);
    spoil(Fs(now.source).back_end);
    EXPECT_THAT(ChangesSince(decided, now), ElementsAre(HasSubstr("keeper of device fs0")));
  }
}

struct Spoiled {
  const char* what;
  std::function<void(Facts&)> spoil;
  const char* words;
};

void PrintTo(const Spoiled& spoiled, std::ostream* out) { *out << spoiled.what; }

class SpoiledTest : public ::testing::TestWithParam<Spoiled> {};

TEST_P(SpoiledTest, IsNotSwitchedOver) {
  Facts now = AtPreSwitchover();
  GetParam().spoil(now);
  EXPECT_THAT(ChangesSince(Decided(), now), ElementsAre(HasSubstr(GetParam().words)));
}

INSTANTIATE_TEST_SUITE_P(
    OneThing, SpoiledTest,
    ::testing::Values(
        Spoiled{"boot", [](Facts& f) { f.boot_id.value = "other"; }, "boot id"},
        Spoiled{"source monitor", [](Facts& f) { f.source.monitor.value.reset(); },
                "source: the monitor does not answer"},
        Spoiled{"destination process",
                [](Facts& f) {
                  f.destination->process.value = ProcessId{101, 5};
                },
                "destination: the QEMU process"},
        Spoiled{"source run state", [](Facts& f) { f.source.run_state.value = "running"; },
                "source: the run state is \"running\""},
        Spoiled{"source status", [](Facts& f) { f.source.migration_status.value = "cancelling"; },
                "migration status"},
        Spoiled{"stopped while memory is copied",
                [](Facts& f) {
                  f.source.migration_status.value = "active";
                  f.source.run_state.value = "paused";
                },
                "source: the run state is \"paused\""},
        Spoiled{"destination ran", [](Facts& f) { f.destination->run_state.value = "running"; },
                "destination: the run state"},
        Spoiled{"destination would run by itself",
                [](Facts& f) { f.destination->started_paused.value = false; }, "-S"},
        Spoiled{"unplugged", [](Facts& f) { f.source.devices.value->clear(); }, "unplugged"},
        Spoiled{"plugged",
                [](Facts& f) {
                  f.source.devices.value->push_back(Fs(f.source));
                  f.source.devices.value->back().qom_path = "/machine/peripheral/fs1";
                  f.source.devices.value->back().id = "fs1";
                },
                "device fs1 was plugged"},
        Spoiled{"devices unknown", [](Facts& f) { f.source.devices.value.reset(); },
                "could not be listed"},
        Spoiled{"back-end process",
                [](Facts& f) {
                  Fs(f.source).back_end.process.value = ProcessId{200, 9};
                },
                "from pid 200 started at tick 2000 to pid 200 started at tick 9"},
        Spoiled{
            "back-end process unknown",
            [](Facts& f) { Fs(f.source).back_end.process = Unknown<ProcessId>("no such process"); },
            "can no longer be told (no such process)"},
        Spoiled{"back-end stopped",
                [](Facts& f) {
                  Fs(*f.destination).back_end.process_state.value = ProcessState::kStopped;
                },
                "not running"},
        Spoiled{"socket rebound",
                [](Facts& f) { Fs(f.source).back_end.socket.value->file_at_path.inode = 7; },
                "socket"},
        Spoiled{"share",
                [](Facts& f) {
                  Fs(f.source).back_end.share = Known(ShareId{}, Source::kFileSystem, absl::Now());
                },
                "shared directory"},
        Spoiled{"generation", [](Facts& f) { f.endpoints.front().generation = 4; },
                "registry: endpoints/a"},
        Spoiled{"no destination", [](Facts& f) { f.destination.reset(); }, "not known"}));

// What the registry alone tells, while memory is copied.
TEST(EndpointChangesTest, NamesWhoHasLeftAndWhoCame) {
  const Facts decided = Decided();
  std::vector<RegisteredEndpoint> now = decided.endpoints;
  EXPECT_TRUE(EndpointChangesSince(decided, now).empty());
  ++now.front().generation;
  now.front().process.reset();
  EXPECT_THAT(EndpointChangesSince(decided, now),
              ::testing::ElementsAre(
                  "registry: endpoints/a changed since the decision (its back-end, pid 200 started "
                  "at tick 2000, has ended or left; nobody serves it now)"));
  now.front().process = ProcessId{201, 9};
  EXPECT_THAT(EndpointChangesSince(decided, now),
              ::testing::ElementsAre(HasSubstr("pid 201 started at tick 9 serves it now")));
  now.clear();
  EXPECT_THAT(EndpointChangesSince(decided, now),
              ::testing::ElementsAre("registry: endpoints/a was deleted since the decision"));
}

TEST(EndpointChangesTest, AnotherVmSEndpointIsOfNoConcern) {
  Facts decided = Decided();
  decided.endpoints.front().socket_path = "/run/somebody-else.sock";
  EXPECT_TRUE(EndpointChangesSince(decided, {}).empty());
}

TEST(IdentityTest, ALostConnectionIsNamedAsSuch) {
  Facts now = AtPreSwitchover();
  Fs(*now.destination).chardev.value->connected = false;
  EXPECT_THAT(ChangesSince(Decided(), now),
              ::testing::Contains(HasSubstr("not connected to its back-end")));
}

}  // namespace
}  // namespace vuf
