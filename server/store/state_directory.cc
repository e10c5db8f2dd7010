#include "server/store/state_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace vuf {
namespace {

absl::Status CheckDirectory(const std::string& directory) {
  struct stat info;
  if (stat(directory.c_str(), &info) != 0) {
    const int error = errno;
    if (error == ENOENT) {
      return absl::NotFoundError(absl::StrCat(
          "state directory \"", directory, "\" does not exist: create it, owned by vufd's user"));
    }
    return absl::FailedPreconditionError(
        absl::StrCat("state directory \"", directory, "\": ", strerror(error)));
  }
  if (!S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat("state directory \"", directory, "\" is not a directory"));
  }
  if (access(directory.c_str(), R_OK | W_OK | X_OK) != 0) {
    const std::string why = strerror(errno);
    return absl::PermissionDeniedError(absl::StrCat("state directory \"", directory,
                                                    "\" must be readable and writable by user ",
                                                    geteuid(), ": ", why));
  }
  return absl::OkStatus();
}

// Who holds the lock, as that process wrote it down; " (pid N)" or nothing.
std::string Holder(int fd) {
  char text[32];
  const ssize_t size = pread(fd, text, sizeof(text), 0);
  if (size <= 0) return "";
  return absl::StrCat(
      " (pid ", absl::StripAsciiWhitespace(absl::string_view(text, static_cast<size_t>(size))),
      ")");
}

}  // namespace

absl::StatusOr<DirectoryLock> DirectoryLock::Acquire(const std::string& directory) {
  if (absl::Status status = CheckDirectory(directory); !status.ok()) return status;
  const std::string path = absl::StrCat(directory, "/vufd.lock");
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    const int error = errno;
    const std::string message = absl::StrCat("cannot open \"", path, "\": ", strerror(error));
    return error == ENOSPC || error == EDQUOT ? absl::ResourceExhaustedError(message)
                                              : absl::PermissionDeniedError(message);
  }
  DirectoryLock lock(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    if (error != EWOULDBLOCK) {
      return absl::FailedPreconditionError(
          absl::StrCat("cannot lock \"", path, "\": ", strerror(error)));
    }
    return absl::FailedPreconditionError(
        absl::StrCat("state directory \"", directory, "\" is in use by another vufd", Holder(fd),
                     ": stop that one, or give this one a directory of its own"));
  }
  // The pid only serves the message above; without it the lock is as good.
  const std::string pid = absl::StrCat(getpid(), "\n");
  if (ftruncate(fd, 0) == 0 && pwrite(fd, pid.data(), pid.size(), 0) < 0) errno = 0;
  return lock;
}

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) close(fd_);
}

absl::Status SyncDirectory(const std::string& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return absl::InternalError(absl::StrCat("cannot open \"", directory, "\": ", strerror(errno)));
  }
  const absl::Cleanup close_fd = [fd] { close(fd); };
  if (fsync(fd) != 0) {
    return absl::InternalError(absl::StrCat("cannot sync \"", directory, "\": ", strerror(errno)));
  }
  return absl::OkStatus();
}

}  // namespace vuf
