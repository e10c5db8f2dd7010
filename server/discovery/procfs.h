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
  // The pid in each nested pid namespace, outermost first.
  std::vector<int> namespace_pids;
};

// One line of /proc/PID/mountinfo.
struct Mount {
  uint64_t id = 0;
  // As stat(2) encodes it. The superblock's: on btrfs not what stat says of a file.
  uint64_t device = 0;
  std::string mount_point;
  // Of the mount or of the superblock.
  bool read_only = false;
  std::string file_system;
  std::string source;
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
  // Inodes of the sockets among the process's descriptors, in the order of the descriptors.
  absl::StatusOr<std::vector<uint64_t>> Sockets(int pid) const;
  // The inode of the socket that is its descriptor `fd`. NOT_FOUND: that is no socket.
  absl::StatusOr<uint64_t> SocketAt(int pid, int fd) const;
  // Its working directory, as its own mount namespace spells it.
  absl::StatusOr<std::string> WorkingDirectory(int pid) const;
  // stat of `path` as the process resolves it: below its root, relative paths from its working
  // directory. Never opens the file itself.
  absl::StatusOr<FileSighting> Look(int pid, const std::string& path) const;

  // Whether a path means the same to the process as to vufd: same mount namespace, same root.
  absl::StatusOr<bool> SeesOwnFiles(int pid) const;

  std::string PathOf(int pid, absl::string_view file) const;

 private:
  absl::StatusOr<std::string> Read(int pid, absl::string_view file) const;

  std::string root_;
};

// The same for a path of vufd's own.
absl::StatusOr<FileSighting> LookAt(const std::string& path);

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_PROCFS_H_
