// SQLite's file system, on a disk that loses its power: what was not synced is there, is not there,
// or is there up to its nth byte, each write by itself.
#ifndef VUFD_TESTS_FAULT_POWER_LOSS_VFS_H_
#define VUFD_TESTS_FAULT_POWER_LOSS_VFS_H_

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "server/base/mutex.h"

namespace vuf {

// One disk for the whole process: SQLite's file systems are never taken away again. Thread-safe.
class PowerLossDisk {
 public:
  // Makes it SQLite's default, with the first call.
  static PowerLossDisk& Get();

  // The power goes off before the `operation`th write, truncation or sync from now on (1 is the
  // next); 0: it stays on. From then on everything fails.
  void OffAt(int operation);
  bool off() const;
  // Writes what a disk might hold after that, drawn from `random`, into the files themselves, and
  // turns the power on. Every connection must have been closed.
  void Restore(std::mt19937& random);
  // Operations since OffAt.
  int operations() const;

  // For the file system itself. False: the power is off.
  bool Begin();
  void Opened(const std::string& path);
  void Wrote(const std::string& path, int64_t offset, std::string bytes);
  void Truncated(const std::string& path, int64_t size);
  void Synced(const std::string& path);
  void Deleted(const std::string& path);

 private:
  // A write, or a truncation to `offset` where there are no bytes.
  struct Operation {
    int64_t offset = 0;
    std::string bytes;
    bool truncates = false;
  };
  struct File {
    std::string synced;
    std::vector<Operation> since;
  };

  PowerLossDisk() = default;
  static std::string After(const File& file, std::mt19937& random);

  mutable Mutex mu_;
  std::map<std::string, File> files_ ABSL_GUARDED_BY(mu_);
  int off_at_ ABSL_GUARDED_BY(mu_) = 0;
  int operations_ ABSL_GUARDED_BY(mu_) = 0;
  bool off_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace vuf

#endif  // VUFD_TESTS_FAULT_POWER_LOSS_VFS_H_
