#include "keeper/back_end_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "keeper/log.h"

namespace vuf::keeper {
namespace {

constexpr int kPatienceMs = 2000;
constexpr int kSliceMs = 10;
constexpr int kNotStarted = 127;

// In the child. The keeper has one thread, so anything may be called between fork and exec.
[[noreturn]] void Become(std::vector<char*>& argv, int listener, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  // The parent may have died before that.
  if (getppid() != parent) _exit(kNotStarted);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  // Whoever started the keeper may have left something open.
  close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
  fcntl(listener, F_SETFD, 0);
  fcntl(listener, F_SETFL, fcntl(listener, F_GETFL) & ~O_NONBLOCK);
  execvp(argv[0], argv.data());
  Log(Level::kError, std::string("cannot start ") + argv[0] + ": " + strerror(errno));
  _exit(kNotStarted);
}

}  // namespace

std::string BackEndProcess::Start(std::vector<std::string> command, const Fd& listener) {
  static constexpr char kPlace[] = "{fd}";
  const std::string number = std::to_string(listener.get());
  std::vector<char*> argv;
  for (std::string& argument : command) {
    if (const size_t at = argument.find(kPlace); at != std::string::npos) {
      argument.replace(at, sizeof kPlace - 1, number);
    }
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) Become(argv, listener.get(), parent);
  if (pid_ > 0) return "";
  pid_ = 0;
  return std::string("fork: ") + strerror(errno);
}

std::optional<std::string> BackEndProcess::Ended() {
  int status;
  if (pid_ == 0 || waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  pid_ = 0;
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  return "exit status " + std::to_string(WEXITSTATUS(status));
}

BackEndProcess::~BackEndProcess() {
  AwaitEnd();
  if (pid_ != 0) kill(pid_, SIGTERM);
}

std::optional<std::string> BackEndProcess::AwaitEnd() {
  for (int waited = 0; pid_ != 0 && waited < kPatienceMs; waited += kSliceMs) {
    if (std::optional<std::string> how = Ended(); how.has_value()) return how;
    poll(nullptr, 0, kSliceMs);
  }
  return std::nullopt;
}

}  // namespace vuf::keeper
