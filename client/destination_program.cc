#include "client/destination_program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"

namespace vuf::cli {
namespace {

constexpr size_t kMaxSaid = 64 << 10;
constexpr int kMomentMs = 50;

bool IsProgram(const std::string& path) {
  struct stat status = {};
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         access(path.c_str(), X_OK) == 0;
}

// A file in memory that cannot grow: a QEMU that lives for months must not fill it.
int CreateSaid() {
  const int fd = memfd_create("vufctl-upgrade-stderr", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return -1;
  if (ftruncate(fd, kMaxSaid) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) == 0) {
    return fd;
  }
  close(fd);
  return -1;
}

// A session of its own; signals as a fresh process has them, whatever vufctl does with its own.
int SpawnDetached(const std::string& path, const std::vector<std::string>& words, int said,
                  pid_t* pid) {
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, said, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  sigset_t defaults;
  sigemptyset(&defaults);
  for (const int number : {SIGPIPE, SIGINT, SIGHUP, SIGTERM}) sigaddset(&defaults, number);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const int error = posix_spawn(pid, path.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return error;
}

}  // namespace

DestinationProgram::DestinationProgram(std::vector<std::string> words, std::string qmp_socket)
    : words_(std::move(words)), qmp_socket_(std::move(qmp_socket)) {}

DestinationProgram::~DestinationProgram() {
  if (pidfd_ >= 0) close(pidfd_);
  if (said_ >= 0) close(said_);
}

absl::Status DestinationProgram::Find() {
  path_.clear();
  if (absl::StrContains(words_[0], "/")) {
    if (IsProgram(words_[0])) path_ = words_[0];
  } else if (const char* path = std::getenv("PATH")) {
    for (const absl::string_view directory : absl::StrSplit(path, ':', absl::SkipEmpty())) {
      const std::string candidate = absl::StrCat(directory, "/", words_[0]);
      if (!path_.empty() || !IsProgram(candidate)) continue;
      path_ = candidate;
    }
  }
  if (!path_.empty()) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat(words_[0], " is no program that can be started"));
}

absl::Status DestinationProgram::Start() {
  if (stat(qmp_socket_.c_str(), &before_) != 0) before_ = {};
  said_ = CreateSaid();
  if (said_ < 0) {
    return absl::InternalError(absl::StrCat("no memory file for the standard error of ", words_[0],
                                            ": ", std::strerror(errno)));
  }
  const int error = SpawnDetached(path_, words_, said_, &pid_);
  if (error != 0) {
    pid_ = 0;
    return absl::InternalError(absl::StrCat("cannot start ", path_, ": ", std::strerror(error)));
  }
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  return absl::OkStatus();
}

absl::Status DestinationProgram::AwaitMonitor(absl::Duration limit,
                                              const std::function<bool()>& give_up) {
  const absl::Time deadline = absl::Now() + limit;
  // Seen twice, a moment apart: between bind(2) and listen(2) the path is there already.
  int seen = 0;
  while (true) {
    seen = HasNewSocket() ? seen + 1 : 0;
    if (seen == 2) return absl::OkStatus();
    if (give_up()) return absl::CancelledError("interrupted");
    if (absl::Now() >= deadline) {
      return absl::DeadlineExceededError(absl::StrCat(words_[0], " (pid ", pid_,
                                                      ") has opened no monitor at ", qmp_socket_,
                                                      " within ", absl::FormatDuration(limit)));
    }
    const absl::Status alive = AwaitEndForAMoment();
    if (!alive.ok()) return alive;
  }
}

bool DestinationProgram::HasNewSocket() const {
  struct stat now = {};
  if (stat(qmp_socket_.c_str(), &now) != 0 || !S_ISSOCK(now.st_mode)) return false;
  return now.st_dev != before_.st_dev || now.st_ino != before_.st_ino ||
         now.st_ctim.tv_sec != before_.st_ctim.tv_sec ||
         now.st_ctim.tv_nsec != before_.st_ctim.tv_nsec;
}

absl::Status DestinationProgram::AwaitEndForAMoment() {
  pollfd event = {pidfd_, POLLIN, 0};
  if (poll(&event, 1, kMomentMs) <= 0) return absl::OkStatus();
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return absl::OkStatus();
  close(pidfd_);
  pidfd_ = -1;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(words_[0], " (pid ", pid_, ") ended, ",
                   WIFEXITED(status) ? absl::StrCat("exit code ", WEXITSTATUS(status))
                                     : absl::StrCat("signal ", WTERMSIG(status)),
                   ", before it opened its monitor at ", qmp_socket_));
}

std::string DestinationProgram::Said() const {
  std::string said(kMaxSaid, '\0');
  const ssize_t got = said_ < 0 ? 0 : pread(said_, said.data(), said.size(), 0);
  said.resize(got < 0 ? 0 : static_cast<size_t>(got));
  // The file has its full size from the beginning.
  const size_t end = said.find('\0');
  if (end != std::string::npos) said.resize(end);
  return said;
}

}  // namespace vuf::cli
