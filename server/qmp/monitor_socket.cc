#include "server/qmp/monitor_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"

namespace vuf {
namespace {

absl::StatusOr<sockaddr_un> Address(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path[0] != '/' || path.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("qmp_socket \"", path, "\" is not an absolute path"));
  }
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("qmp_socket has ", path.size(),
                                                   " bytes; a unix socket's path has at most ",
                                                   sizeof(address.sun_path) - 1));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return address;
}

absl::Status Refused(const std::string& path, int error) {
  if (error == ENOENT || error == ENOTDIR) {
    return absl::NotFoundError(absl::StrCat("there is no file ", path));
  }
  if (error == EACCES || error == EPERM) {
    return absl::FailedPreconditionError(
        absl::StrCat("vufd may not connect to ", path, ": ", std::strerror(error)));
  }
  struct stat file = {};
  if (stat(path.c_str(), &file) == 0 && !S_ISSOCK(file.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is not a socket"));
  }
  if (error == ECONNREFUSED) {
    return absl::FailedPreconditionError(
        absl::StrCat("nobody listens at ", path, "; its QEMU has probably exited"));
  }
  return absl::FailedPreconditionError(
      absl::StrCat("cannot connect to ", path, ": ", std::strerror(error)));
}

absl::Status Retry(const std::string& path, absl::Time deadline) {
  constexpr absl::Duration kPause = absl::Milliseconds(20);
  if (absl::Now() + kPause >= deadline) {
    return absl::DeadlineExceededError(
        absl::StrCat(path, " accepts no connection; another client may hold the monitor"));
  }
  absl::SleepFor(kPause);
  return absl::OkStatus();
}

// Field 22; the command in field 2 may contain spaces and parentheses.
std::optional<uint64_t> StartTicks(int pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::stringstream text;
  text << file.rdbuf();
  const std::string stat = text.str();
  const size_t end = stat.rfind(") ");
  if (end == std::string::npos) return std::nullopt;
  const std::vector<std::string> fields = absl::StrSplit(stat.substr(end + 2), ' ');
  constexpr size_t kFromState = 22 - 3;
  uint64_t ticks = 0;
  if (fields.size() <= kFromState || !absl::SimpleAtoi(fields[kFromState], &ticks)) {
    return std::nullopt;
  }
  return ticks;
}

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = other.Release();
  }
  return *this;
}

int FileDescriptor::Release() { return std::exchange(fd_, -1); }

void FileDescriptor::Close() {
  if (fd_ >= 0) close(Release());
}

absl::StatusOr<FileDescriptor> ConnectMonitor(const std::string& path, absl::Time deadline) {
  const absl::StatusOr<sockaddr_un> address = Address(path);
  if (!address.ok()) return address.status();
  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) {
    return absl::ResourceExhaustedError(absl::StrCat("no socket: ", std::strerror(errno)));
  }
  while (true) {
    if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) ==
        0) {
      return socket;
    }
    const int error = errno;
    // A full backlog. The kernel offers no way to wait for room in it.
    if (error != EAGAIN && error != EINTR) return Refused(path, error);
    if (absl::Status status = Retry(path, deadline); !status.ok()) return status;
  }
}

Evidence<ProcessId> PeerProcess(int socket) {
  ucred credentials = {};
  socklen_t size = sizeof(credentials);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 ||
      credentials.pid <= 0) {
    return Unknown<ProcessId>("the monitor's process cannot be seen from vufd's pid namespace",
                              Source::kProcfs);
  }
  const std::optional<uint64_t> ticks = StartTicks(credentials.pid);
  if (!ticks) {
    return Unknown<ProcessId>(absl::StrCat("process ", credentials.pid,
                                           " created the monitor's socket and is gone since"),
                              Source::kProcfs);
  }
  return Known(ProcessId{credentials.pid, *ticks}, Source::kProcfs, absl::Now(),
               "SO_PEERCRED of the monitor");
}

}  // namespace vuf
