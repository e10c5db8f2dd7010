#include "server/discovery/procfs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "server/discovery/procfs_io.h"

namespace vuf {
namespace {

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
  return ReadSmallFile(PathOf(pid, file));
}

absl::StatusOr<std::string> Procfs::BootId() const {
  absl::StatusOr<std::string> text = ReadSmallFile(root_ + "/sys/kernel/random/boot_id");
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
  absl::StatusOr<std::string> text = ReadSmallFile(root_ + "/self/mountinfo");
  if (!text.ok()) return text.status();
  return ParseMountInfo(*text);
}

absl::StatusOr<std::vector<OpenSocket>> Procfs::OpenSockets(int pid) const {
  std::vector<OpenSocket> sockets;
  absl::Status listed = ForEachNumber(PathOf(pid, "fd"), [&](int directory, int fd) {
    // A descriptor that closes meanwhile is no longer one of the process's.
    const absl::StatusOr<std::string> target = ReadLinkAt(directory, absl::StrCat(fd));
    if (!target.ok()) return;
    if (const std::optional<uint64_t> inode = ParseSocketLink(*target)) {
      sockets.push_back({fd, *inode});
    }
  });
  if (!listed.ok()) return listed;
  return sockets;
}

absl::StatusOr<std::vector<uint64_t>> Procfs::Sockets(int pid) const {
  const absl::StatusOr<std::vector<OpenSocket>> sockets = OpenSockets(pid);
  if (!sockets.ok()) return sockets.status();
  std::vector<uint64_t> inodes;
  for (const OpenSocket& socket : *sockets) inodes.push_back(socket.inode);
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

absl::StatusOr<int> Procfs::Open(int pid, const std::string& path) const {
  const bool absolute = !path.empty() && path[0] == '/';
  const std::string start = PathOf(pid, absolute ? "root" : "cwd");
  const int directory = open(start.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return ErrnoStatus("open", start);
  const auto close_directory = absl::MakeCleanup([directory] { close(directory); });
  const int fd =
      absolute ? OpenInRoot(directory, path) : openat(directory, path.c_str(), O_PATH | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus("look at", absl::StrCat(path, " of process ", pid));
  return fd;
}

absl::StatusOr<FileSighting> Procfs::Look(int pid, const std::string& path) const {
  const absl::StatusOr<int> fd = Open(pid, path);
  if (!fd.ok()) return fd.status();
  const auto close_fd = absl::MakeCleanup([fd = *fd] { close(fd); });
  return StatDescriptor(*fd, path);
}

absl::StatusOr<std::string> Procfs::RealPath(int pid, const std::string& path) const {
  const absl::StatusOr<int> fd = Open(pid, path);
  if (!fd.ok()) return fd.status();
  const auto close_fd = absl::MakeCleanup([fd = *fd] { close(fd); });
  return ReadLinkAt(AT_FDCWD, absl::StrCat("/proc/self/fd/", *fd));
}

absl::StatusOr<bool> Procfs::HasFileHandles(int pid, const std::string& path) const {
  const absl::StatusOr<int> fd = Open(pid, path);
  if (!fd.ok()) return fd.status();
  const auto close_fd = absl::MakeCleanup([fd = *fd] { close(fd); });
  // MAX_HANDLE_SZ is also what virtiofsd has room for.
  alignas(file_handle) char buffer[sizeof(file_handle) + MAX_HANDLE_SZ];
  auto* const handle = reinterpret_cast<file_handle*>(buffer);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  if (name_to_handle_at(*fd, "", handle, &mount, AT_EMPTY_PATH) == 0) return true;
  if (errno == EOPNOTSUPP || errno == EOVERFLOW) return false;
  return ErrnoStatus("ask for a handle of", path);
}

absl::StatusOr<std::vector<Cgroup>> Procfs::Cgroups(int pid) const {
  absl::StatusOr<std::string> text = Read(pid, "cgroup");
  if (!text.ok()) return text.status();
  return ParseCgroups(*text);
}

absl::StatusOr<std::vector<Cgroup>> Procfs::OwnCgroups() const {
  absl::StatusOr<std::string> text = ReadSmallFile(root_ + "/self/cgroup");
  if (!text.ok()) return text.status();
  return ParseCgroups(*text);
}

absl::StatusOr<uint64_t> Procfs::OpenFilesLimit(int pid) const {
  absl::StatusOr<std::string> text = Read(pid, "limits");
  if (!text.ok()) return text.status();
  return ParseOpenFilesLimit(*text);
}

absl::StatusOr<std::string> Procfs::IdMap(int pid, absl::string_view file) const {
  absl::StatusOr<std::string> text = Read(pid, file);
  if (!text.ok()) return text.status();
  return ParseIdMap(*text);
}

absl::StatusOr<std::string> Procfs::SecurityLabel(int pid) const {
  absl::StatusOr<std::string> text = Read(pid, "attr/current");
  // What a kernel says that has no security module.
  if (absl::IsNotFound(text.status()) || absl::IsInvalidArgument(text.status())) return "";
  if (!text.ok()) return text.status();
  // SELinux ends it with a NUL, AppArmor with a newline.
  return text->substr(0, text->find_first_of(std::string("\0\n", 2)));
}

}  // namespace vuf
