#include "server/discovery/procfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace vuf {
namespace {

// A command line can be megabytes long, and so can the mounts of a container host; beyond this
// the file is not worth believing.
constexpr size_t kMaxFile = 4 << 20;
constexpr size_t kMaxLink = 4096;
constexpr size_t kMaxEntries = 1 << 20;

absl::Status ErrnoStatus(absl::string_view what, const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat(what, " ", path));
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
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

// Calls `visit` with the directory's descriptor and each name that is a number.
template <typename Visit>
absl::Status ForEachNumber(const std::string& path, Visit visit) {
  DIR* const directory = opendir(path.c_str());
  if (directory == nullptr) return ErrnoStatus("open", path);
  const auto close_directory = absl::MakeCleanup([directory] { closedir(directory); });
  for (size_t count = 0;; ++count) {
    errno = 0;
    const dirent* const entry = readdir(directory);
    if (entry == nullptr) return errno == 0 ? absl::OkStatus() : ErrnoStatus("list", path);
    if (count > kMaxEntries) return absl::ResourceExhaustedError("too many entries in " + path);
    int number = 0;
    if (absl::SimpleAtoi(entry->d_name, &number)) visit(dirfd(directory), number);
  }
}

absl::StatusOr<FileSighting> StatDescriptor(int fd, const std::string& name) {
  struct statx found;
  // DONT_SYNC: what the kernel remembers is enough, and a dead file server is not waited for.
  if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_MNT_ID, &found) !=
      0) {
    return ErrnoStatus("stat", name);
  }
  FileSighting sighting;
  sighting.file = {makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino};
  sighting.mode = found.stx_mode;
  if ((found.stx_mask & STATX_MNT_ID) != 0) sighting.mount_id = found.stx_mnt_id;
  return sighting;
}

// Opens `path` as if `root` were the root directory: symbolic links stay inside.
int OpenInRoot(int root, const std::string& path) {
  open_how how = {};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(syscall(SYS_openat2, root, path.c_str(), &how, sizeof(how)));
}

}  // namespace

absl::StatusOr<FileSighting> LookAt(const std::string& path) {
  const int fd = open(path.c_str(), O_PATH | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus("look at", path);
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  return StatDescriptor(fd, path);
}

std::string Procfs::PathOf(int pid, absl::string_view file) const {
  return absl::StrCat(root_, "/", pid, "/", file);
}

absl::StatusOr<std::string> Procfs::Read(int pid, absl::string_view file) const {
  return ReadFile(PathOf(pid, file));
}

absl::StatusOr<std::string> Procfs::BootId() const {
  absl::StatusOr<std::string> text = ReadFile(root_ + "/sys/kernel/random/boot_id");
  if (!text.ok()) return text.status();
  return ParseBootId(*text);
}

absl::StatusOr<std::vector<int>> Procfs::Pids() const {
  std::vector<int> pids;
  absl::Status listed = ForEachNumber(root_, [&](int, int pid) { pids.push_back(pid); });
  if (!listed.ok()) return listed;
  return pids;
}

absl::StatusOr<ProcStat> Procfs::Stat(int pid) const {
  absl::StatusOr<std::string> text = Read(pid, "stat");
  if (!text.ok()) return text.status();
  return ParseStat(*text);
}

absl::StatusOr<ProcStatus> Procfs::Status(int pid) const {
  absl::StatusOr<std::string> text = Read(pid, "status");
  if (!text.ok()) return text.status();
  return ParseStatus(*text);
}

absl::StatusOr<std::vector<std::string>> Procfs::Cmdline(int pid) const {
  absl::StatusOr<std::string> text = Read(pid, "cmdline");
  if (!text.ok()) return text.status();
  return ParseCmdline(*text);
}

absl::StatusOr<ExeLink> Procfs::Exe(int pid) const {
  absl::StatusOr<std::string> target = ReadLinkAt(AT_FDCWD, PathOf(pid, "exe"));
  if (!target.ok()) return target.status();
  return ParseExeLink(*target);
}

absl::StatusOr<std::vector<FileId>> Procfs::MappedFiles(int pid) const {
  absl::StatusOr<std::string> text = Read(pid, "maps");
  if (!text.ok()) return text.status();
  return ParseMaps(*text);
}

absl::StatusOr<std::vector<Mount>> Procfs::Mounts(int pid) const {
  absl::StatusOr<std::string> text = Read(pid, "mountinfo");
  if (!text.ok()) return text.status();
  return ParseMountInfo(*text);
}

absl::StatusOr<std::vector<Mount>> Procfs::OwnMounts() const {
  absl::StatusOr<std::string> text = ReadFile(root_ + "/self/mountinfo");
  if (!text.ok()) return text.status();
  return ParseMountInfo(*text);
}

absl::StatusOr<std::vector<uint64_t>> Procfs::Sockets(int pid) const {
  std::vector<uint64_t> inodes;
  absl::Status listed = ForEachNumber(PathOf(pid, "fd"), [&](int directory, int fd) {
    // A descriptor that closes meanwhile is no longer one of the process's.
    const absl::StatusOr<std::string> target = ReadLinkAt(directory, absl::StrCat(fd));
    if (!target.ok()) return;
    if (const std::optional<uint64_t> inode = ParseSocketLink(*target)) inodes.push_back(*inode);
  });
  if (!listed.ok()) return listed;
  return inodes;
}

absl::StatusOr<uint64_t> Procfs::SocketAt(int pid, int fd) const {
  const std::string path = PathOf(pid, absl::StrCat("fd/", fd));
  const absl::StatusOr<std::string> target = ReadLinkAt(AT_FDCWD, path);
  if (!target.ok()) return target.status();
  const std::optional<uint64_t> inode = ParseSocketLink(*target);
  if (!inode.has_value()) return absl::NotFoundError(path + " is no socket");
  return *inode;
}

absl::StatusOr<std::string> Procfs::WorkingDirectory(int pid) const {
  return ReadLinkAt(AT_FDCWD, PathOf(pid, "cwd"));
}

absl::StatusOr<bool> Procfs::SeesOwnFiles(int pid) const {
  const absl::StatusOr<std::string> own = ReadLinkAt(AT_FDCWD, root_ + "/self/ns/mnt");
  if (!own.ok()) return own.status();
  const absl::StatusOr<std::string> other = ReadLinkAt(AT_FDCWD, PathOf(pid, "ns/mnt"));
  if (!other.ok()) return other.status();
  if (*own != *other) return false;
  const absl::StatusOr<FileSighting> own_root = LookAt("/");
  if (!own_root.ok()) return own_root.status();
  const absl::StatusOr<FileSighting> root = LookAt(PathOf(pid, "root"));
  if (!root.ok()) return root.status();
  return root->file == own_root->file;
}

absl::StatusOr<FileSighting> Procfs::Look(int pid, const std::string& path) const {
  const bool absolute = !path.empty() && path[0] == '/';
  const std::string start = PathOf(pid, absolute ? "root" : "cwd");
  const int directory = open(start.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return ErrnoStatus("open", start);
  const auto close_directory = absl::MakeCleanup([directory] { close(directory); });
  const int fd =
      absolute ? OpenInRoot(directory, path) : openat(directory, path.c_str(), O_PATH | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus("look at", absl::StrCat(path, " of process ", pid));
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  return StatDescriptor(fd, path);
}

}  // namespace vuf
