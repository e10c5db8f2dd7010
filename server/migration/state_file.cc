#include "server/migration/state_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace vuf {
namespace {

absl::Status OsError(absl::string_view doing, const std::string& path) {
  const int error = errno;
  const std::string message =
      absl::StrCat("cannot ", doing, " the state file \"", path, "\": ", strerror(error));
  if (error == EEXIST || error == ENOENT || error == ENOTDIR || error == ELOOP) {
    return absl::FailedPreconditionError(message);
  }
  if (error == ENOSPC || error == EDQUOT) return absl::ResourceExhaustedError(message);
  if (error == EACCES || error == EPERM || error == EROFS) {
    return absl::PermissionDeniedError(message);
  }
  return absl::InternalError(message);
}

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status CheckDirectory(const std::string& path) {
  const std::string directory = DirectoryOf(path);
  struct stat info;
  if (stat(directory.c_str(), &info) != 0) return OsError("look at the directory of", path);
  if (!S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat("\"", directory, "\" is not a directory"));
  }
  const bool owned = info.st_uid == 0 || info.st_uid == geteuid();
  if (owned && (info.st_mode & (S_IWGRP | S_IWOTH)) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the directory \"", directory, "\" of the state file belongs to user ",
                   info.st_uid, absl::StrFormat(" with mode %04o", info.st_mode & 07777),
                   ": it must belong to root or vufd's user, and nobody else may write it"));
}

FileId IdOf(const struct stat& info) {
  return {static_cast<uint64_t>(info.st_dev), static_cast<uint64_t>(info.st_ino)};
}

}  // namespace

StateFile::StateFile(StateFile&& other) noexcept
    : path_(other.path_), fd_(std::exchange(other.fd_, -1)), id_(other.id_) {}

StateFile::~StateFile() {
  if (fd_ >= 0) close(fd_);
}

absl::Status StateFile::CheckNew(const std::string& path) {
  if (absl::Status directory = CheckDirectory(path); !directory.ok()) return directory;
  struct stat info;
  if (lstat(path.c_str(), &info) == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("the state file \"", path, "\" exists already: name one that does not"));
  }
  return errno == ENOENT ? absl::OkStatus() : OsError("look at", path);
}

absl::StatusOr<StateFile> StateFile::Create(const std::string& path) {
  if (absl::Status free = CheckNew(path); !free.ok()) return free;
  // Write-only: QEMU takes a descriptor of a set only in the very mode that it opens files with.
  const int fd = open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return OsError("create", path);
  struct stat info;
  if (fstat(fd, &info) != 0) {
    const absl::Status failed = OsError("look at", path);
    close(fd);
    return failed;
  }
  return StateFile(path, fd, IdOf(info));
}

absl::StatusOr<StateFile> StateFile::Open(const std::string& path, const FileId& id,
                                          uint64_t size) {
  const int fd = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return OsError("open", path);
  StateFile file(path, fd, id);
  struct stat info;
  if (fstat(fd, &info) != 0) return OsError("look at", path);
  if (IdOf(info) == id && static_cast<uint64_t>(info.st_size) == size) return file;
  return absl::DataLossError(absl::StrCat(
      "\"", path, "\" is not the state file that was written: it has inode ", info.st_ino, " and ",
      info.st_size, " bytes instead of inode ", id.inode, " and ", size, " bytes"));
}

absl::Status StateFile::Remove(const std::string& path) {
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return OsError("remove", path);
}

absl::StatusOr<uint64_t> StateFile::Sync() const {
  struct stat info;
  if (fsync(fd_) != 0 || fstat(fd_, &info) != 0) return OsError("write", path_);
  const int directory = open(DirectoryOf(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return OsError("open the directory of", path_);
  const absl::Cleanup close_directory = [directory] { close(directory); };
  if (fsync(directory) != 0) return OsError("write the directory of", path_);
  return static_cast<uint64_t>(info.st_size);
}

}  // namespace vuf
