#include "client/run_program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace vuf::cli {
namespace {

constexpr size_t kMaxOutput = 64 << 10;

absl::StatusOr<pid_t> Spawn(const std::vector<std::string>& argv, int out) {
  std::vector<char*> pointers;
  pointers.reserve(argv.size() + 1);
  for (const std::string& argument : argv) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  // vufctl ignores SIGPIPE, which a program would inherit.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  pid_t pid = 0;
  const int error =
      posix_spawn(&pid, argv[0].c_str(), &actions, &attributes, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return absl::NotFoundError(absl::StrCat(argv[0], ": ", std::strerror(error)));
  return pid;
}

// Reads until the end, the limit or the deadline; false for the latter two.
bool ReadAll(int fd, absl::Time deadline, std::string* out) {
  char buffer[4096];
  while (out->size() < kMaxOutput) {
    const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
    pollfd event = {fd, POLLIN, 0};
    const int ready = poll(&event, 1, static_cast<int>(std::max<int64_t>(left, 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got <= 0) return got == 0;
    out->append(buffer, static_cast<size_t>(got));
  }
  return false;
}

}  // namespace

absl::StatusOr<std::string> RunProgram(const std::vector<std::string>& argv,
                                       absl::Duration timeout) {
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC) != 0) return absl::InternalError(std::strerror(errno));
  const absl::StatusOr<pid_t> pid = Spawn(argv, pipe_fds[1]);
  close(pipe_fds[1]);
  std::string output;
  const bool complete = pid.ok() && ReadAll(pipe_fds[0], absl::Now() + timeout, &output);
  close(pipe_fds[0]);
  if (!pid.ok()) return pid.status();
  // A program that closed its output and lives on would be waited for without limit.
  if (!complete) kill(*pid, SIGKILL);
  int status = 0;
  while (waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!complete) return absl::DeadlineExceededError(absl::StrCat(argv[0], " did not end in time"));
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(argv[0], " failed"));
  }
  return output;
}

}  // namespace vuf::cli
