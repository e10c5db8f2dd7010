// How procfs is read: everything bounded, nothing but links and small files opened.
#ifndef VUFD_SERVER_DISCOVERY_PROCFS_IO_H_
#define VUFD_SERVER_DISCOVERY_PROCFS_IO_H_

#include <dirent.h>

#include <cerrno>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace vuf {

inline constexpr size_t kMaxProcEntries = 1 << 20;

// Of errno.
absl::Status ErrnoStatus(absl::string_view what, const std::string& path);

absl::StatusOr<std::string> ReadSmallFile(const std::string& path);
absl::StatusOr<std::string> ReadLinkAt(int directory, const std::string& path);

// Opens `path` (O_PATH) as if `root` were the root directory: symbolic links stay inside. Negative
// with errno set when it cannot.
int OpenInRoot(int root, const std::string& path);

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
    if (count > kMaxProcEntries) {
      return absl::ResourceExhaustedError("too many entries in " + path);
    }
    int number = 0;
    if (absl::SimpleAtoi(entry->d_name, &number)) visit(dirfd(directory), number);
  }
}

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_PROCFS_IO_H_
