// The programs themselves: vuf-keeper in front of a tiny back-end, and vuf-keeperctl.
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "keeper/sanitized.h"
#include "keeper/sockets.h"
#include "keeper/vuf_keeper_world.h"
#include "nlohmann/json.hpp"

namespace vuf::keeper {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string self;

class VufKeeperTest : public testing::Test, protected VufKeeperWorld {
 protected:
  VufKeeperTest() : VufKeeperWorld(self) {}

  nlohmann::json Show() const {
    int status = -1;
    const std::string text = Ctl({"show", "--output=json"}, status);
    EXPECT_EQ(status, 0);
    return nlohmann::json::parse(text);
  }
};

TEST_F(VufKeeperTest, KeepsAndEndsWithItsBackEnd) {
  const auto back_end = BackEnd();
  const auto keeper = Keeper();
  ASSERT_TRUE(keeper->Await("vuf-keeper: ready\n")) << keeper->text();
  const nlohmann::json session = Show();
  EXPECT_EQ(session["phase"], "PHASE_NONE");
  EXPECT_EQ(session["back_end"]["queues"], 2);
  EXPECT_EQ(session["back_end"]["supervised_pid"], 0);
  back_end->Kill(SIGKILL);
  EXPECT_EQ(keeper->Wait(), 3);
  EXPECT_THAT(keeper->text(), HasSubstr("back-end"));
  EXPECT_TRUE(NothingIsLeft());
}

TEST_F(VufKeeperTest, ASignalEndsIt) {
  const auto back_end = BackEnd();
  const auto keeper = Keeper();
  ASSERT_TRUE(keeper->Await("ready")) << keeper->text();
  keeper->Kill(SIGTERM);
  EXPECT_EQ(keeper->Wait(), 0);
  EXPECT_THAT(keeper->text(), HasSubstr("nobody had the session"));
  EXPECT_TRUE(NothingIsLeft());
  EXPECT_EQ(back_end->Wait(), 0) << "its connection was closed";
}

TEST_F(VufKeeperTest, ASignalEndsTheWaitForABackEnd) {
  Child keeper(Line({"--back-end-timeout-ms=600000", "--log-level=debug", "--back-end-socket",
                     directory + "/nobody"}),
               STDERR_FILENO);
  // It listens before it looks for the back-end, so this is answered with a connection.
  std::string problem;
  ASSERT_TRUE(
      ConnectWhenThere(socket, std::chrono::milliseconds(kPatienceMs), -1, problem).valid());
  keeper.Kill(SIGTERM);
  EXPECT_EQ(keeper.Wait(), 1);
  EXPECT_THAT(keeper.text(), HasSubstr("a signal ended the wait"));
  EXPECT_TRUE(NothingIsLeft());
}

TEST_F(VufKeeperTest, ABackEndThatIsNotThereIsNotWaitedForForever) {
  Child keeper(Line({"--back-end-timeout-ms=50", "--back-end-socket", directory + "/nobody"}),
               STDERR_FILENO);
  EXPECT_EQ(keeper.Wait(), 1);
  EXPECT_THAT(keeper.text(), HasSubstr("no back-end: cannot connect to " + directory + "/nobody"));
  EXPECT_TRUE(NothingIsLeft());
}

TEST_F(VufKeeperTest, WhatIsWrongHereDoesNotUseUpTheBackEnd) {
  socket = directory + "/missing/fs.sock";
  EXPECT_EQ(Keeper()->Wait(), 1);
  EXPECT_TRUE(Untouched());
}

TEST_F(VufKeeperTest, ASecondKeeperIsRefusedAndTheFirstGoesOn) {
  const auto back_end = BackEnd();
  const auto keeper = Keeper();
  ASSERT_TRUE(keeper->Await("ready")) << keeper->text();
  const auto second = Keeper();
  EXPECT_EQ(second->Wait(), 1);
  EXPECT_THAT(second->text(), HasSubstr("another vuf-keeper has " + socket));
  EXPECT_TRUE(Untouched());
  EXPECT_EQ(Show()["phase"], "PHASE_NONE");
}

TEST_F(VufKeeperTest, AKilledOnesNamesAreTakenOver) {
  const auto back_end = BackEnd();
  const auto keeper = Keeper();
  ASSERT_TRUE(keeper->Await("ready")) << keeper->text();
  keeper->Kill(SIGKILL);
  keeper->Wait();
  EXPECT_FALSE(NothingIsLeft());
  const auto next_back_end = BackEnd();
  const auto next = Keeper();
  EXPECT_TRUE(next->Await("ready")) << next->text();
}

TEST_F(VufKeeperTest, ABackEndThatItStartedEndsItAndIsEndedByIt) {
  auto keeper = Supervisor();
  ASSERT_TRUE(keeper->Await("ready")) << keeper->text();
  const pid_t child = Show()["back_end"]["supervised_pid"];
  ASSERT_GT(child, 1);
  EXPECT_THAT(ReadFile("/proc/" + std::to_string(child) + "/cmdline"), HasSubstr("--back-end="));
  kill(child, SIGKILL);
  EXPECT_EQ(keeper->Wait(), 3);
  EXPECT_TRUE(NothingIsLeft());

  keeper = Supervisor();
  ASSERT_TRUE(keeper->Await("ready")) << keeper->text();
  const pid_t other = Show()["back_end"]["supervised_pid"];
  keeper->Kill(SIGTERM);
  EXPECT_EQ(keeper->Wait(), 0);
  EXPECT_EQ(kill(other, 0), -1) << "a keeper waits for it";
}

TEST_F(VufKeeperTest, AProgramThatCannotBeStartedIsSaid) {
  Child keeper(Line({"--", "/nonexistent/program", "{fd}"}), STDERR_FILENO);
  EXPECT_EQ(keeper.Wait(), 1);
  EXPECT_THAT(keeper.text(), HasSubstr("cannot start /nonexistent/program: No such file"));
  EXPECT_THAT(keeper.text(), HasSubstr("exit status 127"));
}

TEST_F(VufKeeperTest, BadOptionsAreStatusTwo) {
  Child keeper(Line({"--drain-limit-ms=0", "--back-end-socket", directory + "/be.sock"}),
               STDERR_FILENO);
  EXPECT_EQ(keeper.Wait(), 2);
  EXPECT_THAT(keeper.text(), HasSubstr("vuf-keeper: --drain-limit-ms: \"0\" is not"));
  EXPECT_TRUE(Untouched());
}

TEST_F(VufKeeperTest, VersionIsVufds) {
  Child keeper({"keeper/vuf-keeper", "--version"}, STDOUT_FILENO);
  EXPECT_EQ(keeper.Wait(), 0);
  EXPECT_THAT(keeper.text(), testing::MatchesRegex("vuf-keeper [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST_F(VufKeeperTest, RunsInItsSandbox) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer makes system calls of its own";
  const auto back_end = BackEnd();
  const auto keeper = Keeper();
  ASSERT_TRUE(keeper->Await("ready")) << keeper->text();
  const std::string status = ReadFile("/proc/" + std::to_string(keeper->pid()) + "/status");
  EXPECT_THAT(status, HasSubstr("Seccomp:\t2"));
  EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(status, HasSubstr("CapEff:\t0000000000000000"));
  EXPECT_THAT(status, HasSubstr("Threads:\t1\n"));
  EXPECT_THAT(keeper->text(), Not(HasSubstr("without its sandbox")));
}

TEST_F(VufKeeperTest, TellsTheServiceManager) {
  const std::string path = directory + "/notify";
  const Fd manager(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(manager.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const auto back_end = BackEnd();
  const auto keeper = Keeper(path);
  pollfd wait = {manager.get(), POLLIN, 0};
  ASSERT_EQ(poll(&wait, 1, kPatienceMs), 1);
  char text[64] = {};
  ASSERT_GT(recv(manager.get(), text, sizeof text - 1, 0), 0);
  EXPECT_STREQ(text, "READY=1");
}

TEST_F(VufKeeperTest, KeeperctlsStatusSaysHowItWent) {
  int status = -1;
  Ctl({"show"}, status);
  EXPECT_EQ(status, 1) << "nobody is there";
  const auto back_end = BackEnd();
  const auto keeper = Keeper();
  ASSERT_TRUE(keeper->Await("ready")) << keeper->text();
  EXPECT_THAT(Ctl({"show"}, status), HasSubstr("hand-over  none"));
  EXPECT_EQ(status, 0);
  Ctl({"fence", "--permit=p1"}, status);
  EXPECT_EQ(status, 3);
  Ctl({"arm", "--permit=p1", "--mode=stateless"}, status);
  EXPECT_EQ(status, 2) << "no direction";
  Ctl({"arm", "--permit=p1", "--mode=stateless", "--direction=outgoing", "--ttl-ms=1000",
       "--source-inode=1"},
      status);
  EXPECT_EQ(status, 3) << "there is no driver";
  Ctl({"disarm", "--permit=p1"}, status);
  EXPECT_EQ(status, 0);
  Ctl({"dance"}, status);
  EXPECT_EQ(status, 2);
  Ctl({"show", "--permit=p1"}, status);
  EXPECT_EQ(status, 2) << "show has no permit";
}

}  // namespace
}  // namespace vuf::keeper

// Also the back-end that a keeper starts.
int main(int argc, char** argv) {
  static constexpr char kBackEnd[] = "--back-end=";
  if (argc == 2 && std::string(argv[1]).rfind(kBackEnd, 0) == 0) {
    return vuf::keeper::BeBackEnd(atoi(argv[1] + sizeof kBackEnd - 1));
  }
  vuf::keeper::self = argv[0];
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
