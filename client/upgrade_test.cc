// vufctl upgrade: what is asked of the agent, and when the destination is started.
#include <signal.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/testing/vufctl_run.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temp_directory.h"

namespace vuf::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

FakeWorld UpgradeThatGoes(const std::vector<v1::Migration>& stream) {
  FakeWorld world;
  v1::Vm& vm = world.vms.emplace_back();
  vm.set_name("vms/a");
  vm.set_qmp_socket("/run/source");
  world.migration = At(v1::Migration::STATE_EVALUATING, 1);
  world.streams = {stream};
  return world;
}

FakeWorld UpgradeThatEnds(v1::Migration::State end) {
  return UpgradeThatGoes({At(v1::Migration::STATE_TRANSFERRING, 2), At(end, 3)});
}

FakeWorld SequentialThatEnds(v1::Migration::State end) {
  return UpgradeThatGoes({At(v1::Migration::STATE_TRANSFERRING, 2),
                          At(v1::Migration::STATE_AWAITING_DESTINATION, 3), At(end, 4)});
}

// A destination QEMU as far as vufctl sees: something with a socket. It notes each start.
class FakeQemu {
 public:
  FakeQemu() {
    std::ofstream(directory_.Path("qemu"))
        << "#!/bin/sh\necho $$ >>" << directory_.Path("starts")
        << "\nexec python3 -c \"import socket,time\ns=socket.socket(socket.AF_UNIX)\ns.bind('"
        << qmp() << "')\ns.listen()\ntime.sleep(60)\"\n";
    std::filesystem::permissions(program(), std::filesystem::perms::owner_all);
  }
  ~FakeQemu() {
    for (const pid_t pid : Starts()) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
  }
  std::string qmp() const { return directory_.Path("q"); }
  std::string program() const { return directory_.Path("qemu"); }
  std::vector<pid_t> Starts() const {
    std::vector<pid_t> pids;
    std::ifstream in(directory_.Path("starts"));
    for (pid_t pid = 0; in >> pid;) pids.push_back(pid);
    return pids;
  }

 private:
  TempDirectory directory_;
};

Result Upgrade(FakeAgent& agent, const FakeQemu& qemu, std::vector<std::string> flags = {}) {
  std::vector<std::string> words = {"upgrade", "a", "--to=" + qemu.qmp()};
  words.insert(words.end(), flags.begin(), flags.end());
  words.insert(words.end(), {"--", qemu.program(), "-S"});
  return Vufctl(agent, words);
}

TEST(UpgradeTest, SendsWhatTheFlagsSay) {
  FakeAgent agent(UpgradeThatEnds(v1::Migration::STATE_SUCCEEDED));
  EXPECT_EQ(Vufctl(agent, {"upgrade", "a", "--to=/run/d", "--mode=stateless", "--shared-ram",
                           "--timeout=90s", "--sequential", "--state-file=/s", "--request-id=r"})
                .code,
            kExitOk);
  EXPECT_THAT(agent.calls(),
              ElementsAre("UpgradeVm: vm: \"vms/a\" destination { sequential { qmp_socket: "
                          "\"/run/d\" state_file: \"/s\" } } allowed_modes: "
                          "MIGRATION_MODE_STATELESS ram_transfer: RAM_TRANSFER_SHARED timeout { "
                          "seconds: 90 } request_id: \"r\""));
}

TEST(UpgradeTest, TheExitCodeIsTheOutcome) {
  const std::pair<v1::Migration::State, int> outcomes[] = {
      {v1::Migration::STATE_SUCCEEDED, kExitOk},
      {v1::Migration::STATE_REFUSED, kExitRefused},
      {v1::Migration::STATE_FAILED, kExitFailed},
      {v1::Migration::STATE_CANCELLED, kExitCancelled},
      {v1::Migration::STATE_INTERRUPTED, kExitInterrupted}};
  for (const auto& [state, code] : outcomes) {
    FakeAgent agent(UpgradeThatEnds(state));
    EXPECT_EQ(Vufctl(agent, {"upgrade", "a", "--to=/run/d", "--watch"}).code, code);
  }
}

TEST(UpgradeTest, TheDestinationIsStartedBeforeTheCall) {
  FakeAgent agent(UpgradeThatEnds(v1::Migration::STATE_SUCCEEDED));
  FakeQemu qemu;
  const Result result = Upgrade(agent, qemu);
  EXPECT_EQ(result.code, kExitOk) << result.err;
  ASSERT_THAT(qemu.Starts(), SizeIs(1));
  EXPECT_THAT(result.err, StartsWith(absl::StrCat("started the destination QEMU, pid ",
                                                  qemu.Starts()[0], "\nmigrations/m1 started\n")));
  EXPECT_THAT(result.err, Not(HasSubstr("left for inspection")));
  EXPECT_THAT(result.out, StartsWith("migration:  migrations/m1"));
}

TEST(UpgradeTest, AfterAFailureTheStartedQemuIsLeftAndNamed) {
  FakeAgent agent(UpgradeThatEnds(v1::Migration::STATE_FAILED));
  FakeQemu qemu;
  const Result result = Upgrade(agent, qemu);
  EXPECT_EQ(result.code, kExitFailed);
  ASSERT_THAT(qemu.Starts(), SizeIs(1));
  EXPECT_EQ(kill(qemu.Starts()[0], 0), 0);
  EXPECT_THAT(result.err,
              HasSubstr(absl::StrCat("(pid ", qemu.Starts()[0], ") is left for inspection")));
}

TEST(UpgradeTest, ADestinationThatFailsIsNotMigratedTo) {
  FakeAgent agent(UpgradeThatEnds(v1::Migration::STATE_SUCCEEDED));
  const Result result = Vufctl(
      agent, {"upgrade", "a", "--to=/nonexistent/q", "--", "sh", "-c", "echo bad >&2; exit 1"});
  EXPECT_EQ(result.code, kExitError);
  EXPECT_THAT(result.err, HasSubstr("  bad\n"));
  EXPECT_THAT(agent.calls(), ElementsAre("GetVm: name: \"vms/a\""));
}

TEST(UpgradeTest, SequentialStartsTheDestinationOnceTheSourceHasQuit) {
  FakeAgent agent(SequentialThatEnds(v1::Migration::STATE_SUCCEEDED));
  FakeQemu qemu;
  const Result result = Upgrade(agent, qemu, {"--sequential", "--state-file=/s"});
  EXPECT_EQ(result.code, kExitOk) << result.err;
  EXPECT_THAT(qemu.Starts(), SizeIs(1));
  EXPECT_THAT(result.err, HasSubstr("awaiting-destination\nstarted the destination QEMU, pid "));
}

TEST(UpgradeTest, SequentialStartsNothingWhenTheSourceStays) {
  FakeAgent agent(UpgradeThatEnds(v1::Migration::STATE_REFUSED));
  FakeQemu qemu;
  const Result result = Upgrade(agent, qemu, {"--sequential", "--state-file=/s"});
  EXPECT_EQ(result.code, kExitRefused);
  EXPECT_THAT(qemu.Starts(), IsEmpty());
  EXPECT_THAT(result.err, Not(HasSubstr("left for inspection")));
}

TEST(UpgradeTest, SequentialTellsOfADestinationThatFailsAndGoesOnWatching) {
  FakeAgent agent(SequentialThatEnds(v1::Migration::STATE_SUCCEEDED));
  const Result result =
      Vufctl(agent, {"upgrade", "a", "--to=/nonexistent/q", "--sequential", "--state-file=/s", "--",
                     "sh", "-c", "echo bad >&2; exit 1"});
  EXPECT_EQ(result.code, kExitOk);
  EXPECT_THAT(result.err, HasSubstr("exit code 1"));
  EXPECT_THAT(result.err, HasSubstr("  bad\n"));
  EXPECT_THAT(result.err, HasSubstr("start one by hand"));
}

TEST(UpgradeTest, NothingIsStartedOnAWrongCommandLine) {
  FakeAgent agent(UpgradeThatEnds(v1::Migration::STATE_SUCCEEDED));
  FakeQemu qemu;
  const std::string to = "--to=" + qemu.qmp();
  const std::vector<std::vector<std::string>> lines = {
      {"upgrade", "a"},
      {"upgrade", "a", to, qemu.program()},
      {"upgrade", "a", to, "--state-file=/s"},
      {"upgrade", "a", to, "--sequential"},
      {"upgrade", "a", to, "--mode=fast"},
      {"upgrade", "a", to, "--", "no-such-program"},
      {"upgrade", "a", to, "--request-id=r", "--", qemu.program()},
      {"upgrade", "a", "--to=relative", "--", qemu.program()},
      {"upgrade", "a", "--to=/run/source", "--", qemu.program()},
  };
  for (const std::vector<std::string>& line : lines) {
    EXPECT_EQ(Vufctl(agent, line).code, kExitUsage) << line.back();
  }
  EXPECT_THAT(qemu.Starts(), IsEmpty());
  // Only the last one could be told with the agent's help.
  EXPECT_THAT(agent.calls(), ElementsAre("GetVm: name: \"vms/a\""));
}

TEST(UpgradeTest, AnAgentThatIsNotThereStartsNothing) {
  FakeWorld world = UpgradeThatEnds(v1::Migration::STATE_SUCCEEDED);
  world.unavailable = 100;
  FakeAgent agent(world);
  FakeQemu qemu;
  EXPECT_EQ(Upgrade(agent, qemu).code, kExitError);
  EXPECT_THAT(qemu.Starts(), IsEmpty());
}

}  // namespace
}  // namespace vuf::cli
