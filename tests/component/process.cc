#include "tests/component/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "absl/time/clock.h"

namespace vuf {

Process::Process(const std::vector<std::string>& arguments, const std::string& error_file)
    : error_file_(error_file) {
  // Before fork: gRPC has threads, and after it only what is async-signal-safe may be called.
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const int fd = open(error_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  pid_ = fork();
  if (pid_ == 0) {
    dup2(fd, STDERR_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(fd);
}

Process::~Process() {
  if (result_ != -2) return;
  Signal(SIGKILL);
  Wait();
}

void Process::Signal(int signal) const {
  if (result_ == -2) kill(pid_, signal);
}

int Process::Wait(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (result_ == -2) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      result_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    } else if (absl::Now() >= deadline) {
      break;
    } else {
      absl::SleepFor(absl::Milliseconds(5));
    }
  }
  return result_;
}

std::string Process::Errors() const {
  std::ostringstream text;
  text << std::ifstream(error_file_).rdbuf();
  return text.str();
}

}  // namespace vuf
