#include "server/discovery/procfs_io.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vuf {
namespace {

// A command line can be megabytes long, and so can the mounts of a container host; beyond this
// the file is not worth believing.
constexpr size_t kMaxFile = 4 << 20;
constexpr size_t kMaxLink = 4096;

}  // namespace

absl::Status ErrnoStatus(absl::string_view what, const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat(what, " ", path));
}

absl::StatusOr<std::string> ReadSmallFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return ErrnoStatus("open", path);
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  std::string text;
  char buffer[16384];
  while (true) {
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus("read", path);
    if (n == 0) return text;
    text.append(buffer, n);
    if (text.size() > kMaxFile) {
      return absl::ResourceExhaustedError(absl::StrCat(path, " is longer than ", kMaxFile));
    }
  }
}

absl::StatusOr<std::string> ReadLinkAt(int directory, const std::string& path) {
  char buffer[kMaxLink];
  const ssize_t n = readlinkat(directory, path.c_str(), buffer, sizeof(buffer));
  if (n < 0) return ErrnoStatus("readlink", path);
  if (n == sizeof(buffer)) return absl::ResourceExhaustedError("the link is too long: " + path);
  return std::string(buffer, n);
}

int OpenInRoot(int root, const std::string& path) {
  open_how how = {};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(syscall(SYS_openat2, root, path.c_str(), &how, sizeof(how)));
}

}  // namespace vuf
