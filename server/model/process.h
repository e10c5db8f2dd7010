// A process, pinned so that a reused pid is not mistaken for it.
#ifndef VUFD_SERVER_MODEL_PROCESS_H_
#define VUFD_SERVER_MODEL_PROCESS_H_

#include <cstdint>
#include <string>

namespace vuf {

struct ProcessId {
  int pid = 0;
  // Field 22 of /proc/PID/stat: clock ticks since boot.
  uint64_t start_ticks = 0;
  bool operator==(const ProcessId&) const = default;
};

// A file as the kernel knows it.
struct FileId {
  uint64_t device = 0;
  uint64_t inode = 0;
  bool operator==(const FileId&) const = default;
};

}  // namespace vuf

#endif  // VUFD_SERVER_MODEL_PROCESS_H_
