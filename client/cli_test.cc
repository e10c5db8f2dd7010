// vufctl against an agent that answers as it is told: what is printed, and the exit code.
#include "client/cli.h"

#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/testing/fake_agent.h"
#include "client/testing/vufctl_run.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf::cli {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

FakeWorld ThreeVms() {
  FakeWorld world;
  for (const char* name : {"vms/a", "vms/b", "vms/c"}) world.vms.emplace_back().set_name(name);
  return world;
}

FakeWorld Verdict(v1::Decision decision) {
  FakeWorld world;
  world.verdict.set_decision(decision);
  world.verdict.set_mode(v1::MIGRATION_MODE_STATEFUL);
  return world;
}

FakeWorld MigrationThatEnds(v1::Migration::State end) {
  FakeWorld world;
  world.migration = At(v1::Migration::STATE_EVALUATING, 1);
  world.streams = {{At(v1::Migration::STATE_TRANSFERRING, 2), At(end, 3)}};
  return world;
}

TEST(CliTest, ListsFollowPagesAndPrintEveryForm) {
  FakeAgent agent(ThreeVms());
  EXPECT_EQ(Vufctl(agent, {"vms", "--output=names"}).out, "a\nb\nc\n");
  const Result json = Vufctl(agent, {"vms", "--output=json"});
  EXPECT_THAT(json.out, HasSubstr("\"qmp_socket\": \"\""));
  EXPECT_THAT(json.out, HasSubstr("\"name\": \"vms/c\""));
  EXPECT_THAT(json.out, HasSubstr("\"next_page_token\": \"\""));
  const Result table = Vufctl(agent, {"vms"});
  EXPECT_EQ(table.code, kExitOk);
  EXPECT_THAT(table.out, StartsWith("VM  GUEST  QEMU  QMP SOCKET  LABELS\na   -"));
}

TEST(CliTest, AnEmptyListIsAListInJson) {
  FakeAgent agent(FakeWorld{});
  EXPECT_THAT(Vufctl(agent, {"vms", "--output=json"}).out, HasSubstr("\"vms\": []"));
  EXPECT_THAT(Vufctl(agent, {"vms"}).out, HasSubstr("No VM is registered"));
}

TEST(CliTest, NamesGoWithAndWithoutTheCollection) {
  FakeAgent agent(ThreeVms());
  EXPECT_EQ(Vufctl(agent, {"vms", "get", "b"}).code, kExitOk);
  EXPECT_EQ(Vufctl(agent, {"vms", "get", "vms/b"}).code, kExitOk);
  const Result wrong = Vufctl(agent, {"vms", "get", "endpoints/b"});
  EXPECT_EQ(wrong.code, kExitUsage);
  EXPECT_THAT(wrong.err, HasSubstr("\"endpoints/b\" is not a name"));
  EXPECT_THAT(agent.calls(), ElementsAre("GetVm: name: \"vms/b\"", "GetVm: name: \"vms/b\""));
}

TEST(CliTest, AnErrorOfTheAgentIsItsOwnWords) {
  FakeAgent agent(ThreeVms());
  const Result result = Vufctl(agent, {"vms", "get", "x"});
  EXPECT_EQ(result.code, kExitError);
  EXPECT_EQ(result.err, "vufctl: NOT_FOUND: vms/x is not registered\n");
}

TEST(CliTest, InvalidArgumentFromTheAgentIsNoUsageError) {
  FakeWorld world;
  world.error = grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "qmp_socket");
  FakeAgent agent(world);
  EXPECT_EQ(Vufctl(agent, {"vms", "register", "relative"}).code, kExitError);
}

TEST(CliTest, ALostAnswerIsAskedForAgainUnderTheSameRequestId) {
  FakeWorld world;
  world.unavailable = 2;
  FakeAgent agent(world);
  EXPECT_EQ(Vufctl(agent, {"vms", "register", "/run/q", "--label=a=1"}).code, kExitOk);
  const std::vector<std::string> ids = agent.request_ids();
  ASSERT_THAT(ids, SizeIs(3));
  EXPECT_THAT(ids[0], SizeIs(32));
  EXPECT_EQ(ids[1], ids[0]);
  EXPECT_EQ(ids[2], ids[0]);
}

TEST(CliTest, AttemptsAreBounded) {
  FakeWorld world;
  world.unavailable = 100;
  FakeAgent agent(world);
  const Result result = Vufctl(agent, {"vms"});
  EXPECT_EQ(result.code, kExitError);
  EXPECT_THAT(result.err, HasSubstr("vufctl doctor"));
  EXPECT_THAT(agent.calls(), SizeIs(4));
}

TEST(CliTest, ARemovalIsNeverRepeated) {
  FakeWorld world;
  world.unavailable = 1;
  FakeAgent agent(world);
  EXPECT_EQ(Vufctl(agent, {"vms", "remove", "a"}).code, kExitError);
  EXPECT_THAT(agent.calls(), SizeIs(1));
}

TEST(CliTest, TheExitCodeIsTheVerdict) {
  FakeAgent allowing(Verdict(v1::DECISION_ALLOW));
  EXPECT_EQ(Vufctl(allowing, {"evaluate", "a", "--to=/run/d"}).code, kExitOk);
  EXPECT_THAT(allowing.calls(),
              ElementsAre("EvaluateMigration: vm: \"vms/a\" destination { same_host { qmp_socket: "
                          "\"/run/d\" } } allowed_modes: MIGRATION_MODE_STATEFUL allowed_modes: "
                          "MIGRATION_MODE_STATELESS"));
  FakeAgent refusing(Verdict(v1::DECISION_REFUSE));
  EXPECT_EQ(Vufctl(refusing, {"evaluate", "a"}).code, kExitRefused);
  EXPECT_EQ(Vufctl(refusing, {"evaluate", "a", "--output=json"}).code, kExitRefused);
}

TEST(CliTest, AVerdictThatDoesNotClearlyAllowIsARefusal) {
  FakeAgent silent(Verdict(v1::DECISION_UNSPECIFIED));
  EXPECT_EQ(Vufctl(silent, {"evaluate", "a"}).code, kExitRefused);
  FakeWorld no_mode = Verdict(v1::DECISION_ALLOW);
  no_mode.verdict.set_mode(v1::MIGRATION_MODE_NONE);
  FakeAgent modeless(no_mode);
  EXPECT_EQ(Vufctl(modeless, {"evaluate", "a"}).code, kExitRefused);
  FakeWorld contradiction = Verdict(v1::DECISION_ALLOW);
  contradiction.verdict.add_blockers()->set_code("X");
  FakeAgent contradicting(contradiction);
  const Result result = Vufctl(contradicting, {"evaluate", "a"});
  EXPECT_EQ(result.code, kExitRefused);
  EXPECT_THAT(result.out, StartsWith("REFUSED"));
}

TEST(CliTest, TheExitCodeIsTheMigrationsOutcome) {
  const std::pair<v1::Migration::State, int> outcomes[] = {{v1::Migration::STATE_SUCCEEDED, 0},
                                                           {v1::Migration::STATE_REFUSED, 3},
                                                           {v1::Migration::STATE_FAILED, 4},
                                                           {v1::Migration::STATE_CANCELLED, 5},
                                                           {v1::Migration::STATE_INTERRUPTED, 6}};
  for (const auto& [state, code] : outcomes) {
    FakeAgent agent(MigrationThatEnds(state));
    const Result result = Vufctl(agent, {"migrate", "a", "--to=/run/d", "--watch"});
    EXPECT_EQ(result.code, code);
    EXPECT_THAT(result.out, StartsWith("migration:  migrations/m1"));
    EXPECT_THAT(result.err, StartsWith("migrations/m1 started\ntransferring\n"));
  }
}

TEST(CliTest, MigrateSendsWhatTheFlagsSay) {
  FakeAgent agent(MigrationThatEnds(v1::Migration::STATE_SUCCEEDED));
  const Result result =
      Vufctl(agent, {"migrate", "a", "--to=/run/d", "--mode=stateful", "--timeout=90s",
                     "--downtime-limit=250ms", "--max-bandwidth=1K", "--source-after=quit",
                     "--require-fingerprint=ff", "--request-id=r1"});
  EXPECT_EQ(result.code, kExitOk);
  EXPECT_THAT(
      agent.calls(),
      ElementsAre("CreateMigration: migration { vm: \"vms/a\" destination { same_host { "
                  "qmp_socket: \"/run/d\" } } allowed_modes: MIGRATION_MODE_STATEFUL "
                  "source_disposition: SOURCE_DISPOSITION_QUIT timeout { seconds: 90 } "
                  "downtime_limit { nanos: 250000000 } max_bandwidth_bytes_per_second: 1024 "
                  "required_fingerprint: \"ff\" } request_id: \"r1\""));
}

TEST(CliTest, SharedRamIsAskedForOnlyWhenTheFlagSaysSo) {
  FakeAgent agent(Verdict(v1::DECISION_ALLOW));
  Vufctl(agent, {"evaluate", "a", "--to=/run/d", "--shared-ram"});
  Vufctl(agent, {"migrate", "a", "--to=/run/d", "--shared-ram"});
  EXPECT_THAT(agent.calls(), Each(HasSubstr("ram_transfer: RAM_TRANSFER_SHARED")));
  EXPECT_THAT(agent.calls(), SizeIs(2));
}

TEST(CliTest, ASequentialUpgradeCanBeEvaluated) {
  FakeAgent agent(Verdict(v1::DECISION_ALLOW));
  Vufctl(agent, {"evaluate", "a", "--to=/run/d", "--sequential", "--state-file=/s"});
  EXPECT_THAT(agent.calls(),
              ElementsAre(HasSubstr(
                  "destination { sequential { qmp_socket: \"/run/d\" state_file: \"/s\" } }")));
}

TEST(CliTest, BadFlagValuesReachNoAgent) {
  FakeAgent agent(FakeWorld{});
  for (const char* flag :
       {"--mode=fast", "--timeout=5", "--max-bandwidth=x", "--source-after=kill", "--to="}) {
    EXPECT_EQ(Vufctl(agent, {"migrate", "a", "--to=/run/d", flag}).code, kExitUsage) << flag;
  }
  EXPECT_EQ(Vufctl(agent, {"migrate", "a"}).code, kExitUsage);
  EXPECT_EQ(Vufctl(agent, {"vms", "get", "a", "--output=names"}).code, kExitUsage);
  EXPECT_EQ(Vufctl(agent, {"endpoints", "update", "e"}).code, kExitUsage);
  EXPECT_EQ(Vufctl(agent, {"profiles", "create", "p", "--kind=k"}).code, kExitUsage);
  EXPECT_THAT(agent.calls(), IsEmpty());
}

TEST(CliTest, AProfileWithoutModesAllowsNone) {
  FakeAgent agent(FakeWorld{});
  Vufctl(agent, {"profiles", "create", "p", "--kind=k", "--executable=e", "--request-id=r"});
  EXPECT_THAT(agent.calls(),
              ElementsAre("CreateBackEndProfile: back_end_profile { kind: \"k\" executable_name: "
                          "\"e\" } back_end_profile_id: \"p\" request_id: \"r\""));
}

TEST(CliTest, AnUnknownOutcomeSaysHowToAskAgainSafely) {
  FakeWorld world;
  world.unavailable = 100;
  FakeAgent agent(world);
  const Result result = Vufctl(agent, {"migrate", "a", "--to=/run/d"});
  EXPECT_EQ(result.code, kExitUnknown);
  EXPECT_THAT(result.err, HasSubstr("--request-id=" + agent.request_ids().at(0)));
}

TEST(CliTest, VersionAsksWhetherTheAgentAnswers) {
  FakeAgent agent(FakeWorld{});
  EXPECT_EQ(Vufctl(agent, {"version"}).code, kExitOk);
  std::ostringstream out;
  std::ostringstream err;
  Terminal terminal{out, err};
  EXPECT_EQ(RunVufctl({"version", "--server=unix:/nonexistent/s"}, terminal), kExitError);
  EXPECT_EQ(RunVufctl({"--version"}, terminal), kExitOk);
  EXPECT_EQ(out.str(), std::string("vufctl ") + kVersion + "\n");
}

TEST(CliTest, OutputThatCannotBeWrittenIsAnError) {
  FakeAgent agent(Verdict(v1::DECISION_ALLOW));
  std::ostringstream out;
  std::ostringstream err;
  out.setstate(std::ios::badbit);
  Terminal terminal{out, err};
  EXPECT_EQ(RunVufctl({"evaluate", "a", "--server=" + agent.address()}, terminal), kExitError);
}

TEST(CliTest, EveryCommandHasHelp) {
  for (const Command& command : Commands()) {
    std::ostringstream out;
    std::ostringstream err;
    Terminal terminal{out, err};
    std::vector<std::string> words = absl::StrSplit(command.name, ' ');
    words.push_back("--help");
    EXPECT_EQ(RunVufctl(words, terminal), kExitOk) << err.str();
    EXPECT_THAT(out.str(), StartsWith(absl::StrCat("Usage: vufctl ", command.name)));
  }
}

}  // namespace
}  // namespace vuf::cli
