// /proc as text (pure parsers) and as files (bounded readers).
#ifndef VUFD_SERVER_DISCOVERY_PROCFS_H_
#define VUFD_SERVER_DISCOVERY_PROCFS_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/model/process.h"

namespace vuf {

// /proc/PID/stat, reduced.
struct ProcStat {
  char state = 0;
  int parent = 0;
  uint64_t start_ticks = 0;
};

// /proc/PID/status, reduced.
struct ProcStatus {
  uint64_t effective_capabilities = 0;
  // Effective ids as text; empty when they are not there.
  std::string uid;
  std::string gid;
  // The pid in each nested pid namespace, outermost first.
  std::vector<int> namespace_pids;
};

// One line of /proc/PID/mountinfo.
struct Mount {
  uint64_t id = 0;
  // As stat(2) encodes it. The superblock's: on btrfs not what stat says of a file.
  uint64_t device = 0;
  // The directory of the file system that is mounted: another one than "/" for bind mounts.
  std::string root;
  std::string mount_point;
  // Of the mount or of the superblock.
  bool read_only = false;
  std::string file_system;
  std::string source;
  // The superblock's, for example "rw,freezer".
  std::string options;
};

// One line of /proc/PID/cgroup.
struct Cgroup {
  // Of version 1, for example "cpu,cpuacct"; empty: the hierarchy of version 2.
  std::string controllers;
  std::string path;
};

// A descriptor that is a socket.
struct OpenSocket {
  int fd = -1;
  uint64_t inode = 0;
};

struct ExeLink {
  std::string path;
  bool deleted = false;
};

absl::StatusOr<ProcStat> ParseStat(absl::string_view text);
// The arguments; a last one without its NUL counts.
std::vector<std::string> ParseCmdline(absl::string_view text);
absl::StatusOr<ProcStatus> ParseStatus(absl::string_view text);
absl::StatusOr<std::vector<Mount>> ParseMountInfo(absl::string_view text);
absl::StatusOr<std::vector<Cgroup>> ParseCgroups(absl::string_view text);
// The soft limit on open files; the largest number for "unlimited".
absl::StatusOr<uint64_t> ParseOpenFilesLimit(absl::string_view text);
// A uid_map or gid_map with single spaces, and lines separated by "; ".
absl::StatusOr<std::string> ParseIdMap(absl::string_view text);
ExeLink ParseExeLink(absl::string_view target);
// The inode of "socket:[N]"; nothing for other links.
std::optional<uint64_t> ParseSocketLink(absl::string_view target);
absl::StatusOr<std::string> ParseBootId(absl::string_view text);
// The files that /proc/PID/maps shows mapped, each as often as it is; anonymous memory left out.
absl::StatusOr<std::vector<FileId>> ParseMaps(absl::string_view text);

// What stat says of a file, without opening it.
struct FileSighting {
  FileId file;
  mode_t mode = 0;
  // Absent on kernels before 5.8.
  std::optional<uint64_t> mount_id;
};

// Reads /proc, or a directory that looks like it. NOT_FOUND: no such process or file;
// PERMISSION_DENIED: it is there, but not for vufd. Thread-safe: holds nothing.
class Procfs {
 public:
  explicit Procfs(std::string root = "/proc") : root_(std::move(root)) {}

  absl::StatusOr<std::string> BootId() const;
  absl::StatusOr<std::vector<int>> Pids() const;
  absl::StatusOr<ProcStat> Stat(int pid) const;
  absl::StatusOr<ProcStatus> Status(int pid) const;
  absl::StatusOr<std::vector<std::string>> Cmdline(int pid) const;
  absl::StatusOr<ExeLink> Exe(int pid) const;
  absl::StatusOr<std::vector<Mount>> Mounts(int pid) const;
  // The files that the process has mapped. The device is the superblock's, as in Mount.
  absl::StatusOr<std::vector<FileId>> MappedFiles(int pid) const;
  // The mounts of vufd itself.
  absl::StatusOr<std::vector<Mount>> OwnMounts() const;
  // The sockets among the process's descriptors, in their order.
  absl::StatusOr<std::vector<OpenSocket>> OpenSockets(int pid) const;
  // The inodes of the same.
  absl::StatusOr<std::vector<uint64_t>> Sockets(int pid) const;
  // The inode of the socket that is its descriptor `fd`. NOT_FOUND: that is no socket.
  absl::StatusOr<uint64_t> SocketAt(int pid, int fd) const;
  // Its working directory, as its own mount namespace spells it.
  absl::StatusOr<std::string> WorkingDirectory(int pid) const;
  // stat of `path` as the process resolves it: below its root, relative paths from its working
  // directory. Never opens the file itself.
  absl::StatusOr<FileSighting> Look(int pid, const std::string& path) const;

  // The same file's path without symbolic links, in the form in which vufd reads the links below
  // /proc/PID/fd.
  absl::StatusOr<std::string> RealPath(int pid, const std::string& path) const;
  // Whether the file system of the same file gives out handles to reopen files by.
  absl::StatusOr<bool> HasFileHandles(int pid, const std::string& path) const;

  absl::StatusOr<std::vector<Cgroup>> Cgroups(int pid) const;
  absl::StatusOr<std::vector<Cgroup>> OwnCgroups() const;
  absl::StatusOr<uint64_t> OpenFilesLimit(int pid) const;
  // `file`: "uid_map" or "gid_map".
  absl::StatusOr<std::string> IdMap(int pid, absl::string_view file) const;
  // SELinux context or AppArmor profile; empty: none.
  absl::StatusOr<std::string> SecurityLabel(int pid) const;

  // Whether a path means the same to the process as to vufd: same mount namespace, same root.
  absl::StatusOr<bool> SeesOwnFiles(int pid) const;

  std::string PathOf(int pid, absl::string_view file) const;

 private:
  // The file at `path` as Look sees it: O_PATH, to be closed.
  absl::StatusOr<int> Open(int pid, const std::string& path) const;
  absl::StatusOr<std::string> Read(int pid, absl::string_view file) const;

  std::string root_;
};

// The same for a path of vufd's own.
absl::StatusOr<FileSighting> LookAt(const std::string& path);

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_PROCFS_H_
