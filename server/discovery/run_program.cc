#include "server/discovery/run_program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace vuf {
namespace {

constexpr size_t kMaxOutput = 64 << 10;
// What the child exits with when it could not become the program.
constexpr int kNotStarted = 127;
// Where the child keeps the executable: the first descriptor after the standard ones.
constexpr int kExecutableFd = 3;

// Everything the child needs, made before fork: between fork and exec in a process with threads
// only async-signal-safe calls are allowed.
struct ChildPlan {
  int null_fd;
  int output_fd;
  int executable_fd;
  // -1: none.
  int root_fd;
  char* const* arguments;
};

bool EnterRoot(int root_fd) { return root_fd < 0 || (fchdir(root_fd) == 0 && chroot(".") == 0); }

void ResetSignals() {
  struct sigaction by_default = {};
  by_default.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) sigaction(signal, &by_default, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void BecomeProgram(const ChildPlan& plan) {
  setpgid(0, 0);
  ResetSignals();
  const rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  // The descriptors of the plan are all above 3, see MoveUp.
  const bool ready = EnterRoot(plan.root_fd) && dup2(plan.null_fd, STDIN_FILENO) >= 0 &&
                     dup2(plan.output_fd, STDOUT_FILENO) >= 0 &&
                     dup2(plan.null_fd, STDERR_FILENO) >= 0 &&
                     dup3(plan.executable_fd, kExecutableFd, O_CLOEXEC) >= 0 &&
                     syscall(SYS_close_range, kExecutableFd + 1, ~0U, 0) == 0 &&
                     prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
  static char path[] = "PATH=/usr/bin:/bin";
  static char locale[] = "LC_ALL=C";
  char* const environment[] = {path, locale, nullptr};
  if (ready) {
    syscall(SYS_execveat, kExecutableFd, "", plan.arguments, environment, AT_EMPTY_PATH);
  }
  _exit(kNotStarted);
}

// A copy above the descriptors that the child overwrites.
absl::StatusOr<int> MoveUp(int fd) {
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, kExecutableFd + 1);
  if (copy < 0) return absl::ErrnoToStatus(errno, "duplicate a descriptor");
  return copy;
}

// Reads until the end of the output.
absl::StatusOr<std::string> ReadOutput(int fd, absl::Time deadline) {
  std::string output;
  char buffer[4096];
  while (true) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return absl::DeadlineExceededError("it did not end in time");
    pollfd wanted = {fd, POLLIN, 0};
    const int64_t wait = absl::ToInt64Milliseconds(std::min(left, absl::Seconds(1))) + 1;
    const int ready = poll(&wanted, 1, static_cast<int>(wait));
    if (ready < 0 && errno != EINTR) return absl::ErrnoToStatus(errno, "wait for its output");
    if (ready <= 0) continue;
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return absl::ErrnoToStatus(errno, "read its output");
    if (n == 0) return output;
    output.append(buffer, n);
    if (output.size() > kMaxOutput) {
      return absl::ResourceExhaustedError(
          absl::StrCat("it printed more than ", kMaxOutput, " bytes"));
    }
  }
}

// Waits for the child's end without reaping it, so that its process group still belongs to it.
absl::Status AwaitEnd(pid_t pid, absl::Time deadline) {
  while (true) {
    siginfo_t info = {};
    if (waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
      return absl::ErrnoToStatus(errno, "wait for its end");
    }
    if (info.si_pid == pid) return absl::OkStatus();
    if (absl::Now() >= deadline) return absl::DeadlineExceededError("it did not end in time");
    absl::SleepFor(absl::Milliseconds(2));
  }
}

// Kills what is left of the group and reaps the child.
int Reap(pid_t pid) {
  kill(-pid, SIGKILL);
  // The child may not have made its group yet.
  kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

absl::Status OutcomeOf(int status) {
  if (WIFSIGNALED(status)) {
    return absl::FailedPreconditionError(absl::StrCat("it ended by signal ", WTERMSIG(status)));
  }
  if (WEXITSTATUS(status) == kNotStarted) {
    return absl::FailedPreconditionError("it could not be started from here");
  }
  if (WEXITSTATUS(status) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("it exited with status ", WEXITSTATUS(status)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Supervise(pid_t pid, int output_fd, absl::Time deadline) {
  absl::StatusOr<std::string> output = ReadOutput(output_fd, deadline);
  absl::Status ended = output.ok() ? AwaitEnd(pid, deadline) : output.status();
  const int status = Reap(pid);
  if (!ended.ok()) return ended;
  if (absl::Status outcome = OutcomeOf(status); !outcome.ok()) return outcome;
  return output;
}

}  // namespace

absl::StatusOr<std::string> RunForOutput(int executable_fd, int root_fd,
                                         const std::vector<std::string>& arguments,
                                         absl::Time deadline) {
  std::vector<int> opened;
  const auto close_all = absl::MakeCleanup([&opened] {
    for (const int fd : opened) close(fd);
  });
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "make a pipe");
  opened = {pipe_ends[0], pipe_ends[1], open("/dev/null", O_RDWR | O_CLOEXEC)};
  if (opened.back() < 0) return absl::ErrnoToStatus(errno, "open /dev/null");
  int high[3];
  const int low[3] = {opened[2], pipe_ends[1], executable_fd};
  for (int i = 0; i < 3; ++i) {
    absl::StatusOr<int> copy = MoveUp(low[i]);
    if (!copy.ok()) return copy.status();
    opened.push_back(high[i] = *copy);
  }
  std::vector<std::string> words = arguments;
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const ChildPlan plan = {high[0], high[1], high[2], root_fd, pointers.data()};
  const pid_t pid = fork();
  if (pid < 0) return absl::ErrnoToStatus(errno, "fork");
  if (pid == 0) BecomeProgram(plan);
  // Or the output would never end.
  close(pipe_ends[1]);
  close(high[1]);
  opened = {pipe_ends[0], opened[2], high[0], high[2]};
  return Supervise(pid, pipe_ends[0], deadline);
}

}  // namespace vuf
