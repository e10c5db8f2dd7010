// What is left to a keeper in its sandbox. Each case has a process, for there is no way out.
#include "keeper/sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <string>

#include "gtest/gtest.h"
#include "keeper/log.h"
#include "keeper/sanitized.h"
#include "keeper/sockets.h"

namespace vuf::keeper {
namespace {

constexpr int kFine = 0;
constexpr int kAllowed = 1;
constexpr int kNoSandbox = 2;

class SandboxTest : public testing::Test {
 protected:
  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "a sanitizer makes system calls of its own";
  }
  SandboxTest() {
    if (mkdtemp(inside.data()) == nullptr || mkdtemp(outside.data()) == nullptr) abort();
  }
  ~SandboxTest() override {
    for (const std::string& directory : {inside, outside}) {
      for (const char* name : {"/file", "/s", "/s.lock"}) unlink((directory + name).c_str());
      rmdir(directory.c_str());
    }
  }

  // The status (see wait(2)) of a process that enters the sandbox and then does `what`.
  int StatusOf(const std::function<int()>& what, pid_t child = 0) const {
    const pid_t pid = fork();
    if (pid == 0) {
      alarm(20);
      if (!EnterSandbox({{inside + "/"}, child}).empty()) _exit(kNoSandbox);
      _exit(what());
    }
    int status = -1;
    return waitpid(pid, &status, 0) == pid ? status : -1;
  }
  static testing::AssertionResult Exits(int status, int code) {
    if (WIFEXITED(status) && WEXITSTATUS(status) == code) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "status " << status;
  }
  static testing::AssertionResult Killed(int status) {
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "status " << status;
  }
  void MakeFile(const std::string& directory) const {
    close(open((directory + "/file").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  }

  std::string inside = "/tmp/vufXXXXXX";
  std::string outside = "/tmp/vufXXXXXX";
};

TEST_F(SandboxTest, FilesCannotBeOpened) {
  MakeFile(inside);
  EXPECT_TRUE(Exits(StatusOf([this] {
                      const bool opened = open((inside + "/file").c_str(), O_RDONLY) >= 0;
                      return !opened && errno == EPERM ? kFine : kAllowed;
                    }),
                    kFine));
}

TEST_F(SandboxTest, ProgramsCannotBeStarted) {
  EXPECT_TRUE(Killed(StatusOf([] { return execl("/bin/true", "true", nullptr); })));
  EXPECT_TRUE(Killed(StatusOf([] { return static_cast<int>(syscall(SYS_fork)); })));
}

TEST_F(SandboxTest, ThereIsNoNetwork) {
  EXPECT_TRUE(Killed(StatusOf([] { return socket(AF_INET, SOCK_STREAM, 0); })));
  EXPECT_TRUE(Killed(StatusOf([] { return socket(AF_NETLINK, SOCK_RAW, 0); })));
}

TEST_F(SandboxTest, MemoryCannotBecomeCode) {
  EXPECT_TRUE(Killed(StatusOf([] {
    mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return kAllowed;
  })));
}

TEST_F(SandboxTest, OnlyTheChildCanBeSignalled) {
  const pid_t parent = getpid();
  EXPECT_TRUE(Killed(StatusOf([parent] { return kill(parent, 0); })));
  EXPECT_TRUE(Killed(StatusOf([] { return kill(1, 0); }, parent)));
  EXPECT_TRUE(
      Exits(StatusOf([parent] { return kill(parent, 0) == 0 ? kFine : kAllowed; }, parent), kFine))
      << "as if it were the child";
}

TEST_F(SandboxTest, OnlyNamesInItsDirectoriesCanBeRemoved) {
  if (syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) < 1) {
    GTEST_SKIP() << "this kernel has no Landlock";
  }
  MakeFile(inside);
  MakeFile(outside);
  EXPECT_TRUE(Exits(StatusOf([this] {
                      if (unlink((inside + "/file").c_str()) != 0) return kNoSandbox;
                      return unlink((outside + "/file").c_str()) == 0 ? kAllowed : kFine;
                    }),
                    kFine));
  EXPECT_EQ(access((outside + "/file").c_str(), F_OK), 0);
}

TEST_F(SandboxTest, CapabilitiesAreGone) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const Fd report(ends[0]);
  // Opened before: what it says is made when it is read.
  const auto look = [](int to) {
    char text[4096];
    const int status = open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
    if (!EnterSandbox({}).empty()) return kNoSandbox;
    const ssize_t n = read(status, text, sizeof text);
    return n > 0 && write(to, text, static_cast<size_t>(n)) == n ? kFine : kNoSandbox;
  };
  const pid_t pid = fork();
  if (pid == 0) _exit(look(ends[1]));
  close(ends[1]);
  int status = -1;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_TRUE(Exits(status, kFine));
  std::string text(4096, '\0');
  text.resize(
      static_cast<size_t>(std::max<ssize_t>(read(report.get(), text.data(), text.size()), 0)));
  EXPECT_NE(text.find("CapPrm:\t0000000000000000"), std::string::npos) << text;
  EXPECT_NE(text.find("CapEff:\t0000000000000000"), std::string::npos) << text;
  EXPECT_NE(text.find("NoNewPrivs:\t1"), std::string::npos) << text;
  EXPECT_NE(text.find("Seccomp:\t2"), std::string::npos) << text;
}

// What the tests of whole keepers do not reach in it.
TEST_F(SandboxTest, AKeepersWorkIsAllowed) {
  EXPECT_TRUE(Exits(StatusOf([] {
                      Log(Level::kError, "a line with a time, to be expected in this test");
                      const int memory = memfd_create("test", MFD_CLOEXEC);
                      char byte = 1;
                      int pipe_ends[2];
                      const bool done =
                          ftruncate(memory, 1 << 30) == 0 && pread(memory, &byte, 1, 4096) == 1 &&
                          getrandom(&byte, 1, 0) == 1 && pipe2(pipe_ends, O_CLOEXEC) == 0;
                      // More than the heap has: the allocator asks the kernel.
                      const std::string large(64 << 20, 'x');
                      return done && large.back() == 'x' ? kFine : kAllowed;
                    }),
                    kFine));
}

TEST_F(SandboxTest, SocketsThatWereOpenedServeAndAreRemoved) {
  const auto serve = [this] {
    Listener listener;
    if (!listener.Open(inside + "/s", SOCK_SEQPACKET, SocketAccess()).empty()) return kNoSandbox;
    if (!EnterSandbox({{inside}, 0}).empty()) return kNoSandbox;
    std::string problem;
    const Fd client = Connect(inside + "/s", SOCK_SEQPACKET, problem);
    pollfd wait = {listener.fd(), POLLIN, 0};
    if (poll(&wait, 1, 10000) != 1) return kAllowed;
    const Listener::Peer peer = listener.Accept();
    return peer.socket.valid() && peer.pid == getpid() && client.valid() ? kFine : kAllowed;
  };
  const pid_t pid = fork();
  if (pid == 0) _exit(serve());
  int status = -1;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(Exits(status, kFine));
  EXPECT_NE(access((inside + "/s").c_str(), F_OK), 0);
  EXPECT_NE(access((inside + "/s.lock").c_str(), F_OK), 0);
}

TEST_F(SandboxTest, ADirectoryThatIsNotThereIsAnError) {
  const pid_t pid = fork();
  if (pid == 0) _exit(EnterSandbox({{"/nonexistent"}, 0}).empty() ? kAllowed : kFine);
  int status = -1;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(Exits(status, kFine));
}

}  // namespace
}  // namespace vuf::keeper
