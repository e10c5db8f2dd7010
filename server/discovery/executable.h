// What the executable of a running back-end says of itself. The running one, not the installed.
#ifndef VUFD_SERVER_DISCOVERY_EXECUTABLE_H_
#define VUFD_SERVER_DISCOVERY_EXECUTABLE_H_

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/model/back_end.h"
#include "server/model/version.h"

namespace vuf {

struct ExecutableFacts {
  // First line of --version.
  std::string version_line;
  // Absent when the line is none of a virtiofsd.
  std::optional<Version> version;
  BackEndKind kind = BackEndKind::kUnknown;
  // "features" of --print-capabilities, or why they are not known.
  absl::StatusOr<std::set<std::string>> features = absl::UnknownError("not asked");
};

// Pure parsers of the two outputs.
void ParseVersionOutput(absl::string_view output, ExecutableFacts& facts);
absl::StatusOr<std::set<std::string>> ParseCapabilities(absl::string_view output);

class ExecutableInspector {
 public:
  // Programs with other base names are never run. `run_limit` bounds each of the two runs.
  ExecutableInspector(std::set<std::string> allowed_names, absl::Duration run_limit)
      : allowed_names_(std::move(allowed_names)), run_limit_(run_limit) {}

  // `link` is /proc/PID/exe, `path` what it points to, `root` the root directory of whoever started
  // it: it is run there when that is not vufd's own (which is a container's, say) and has it at
  // `path`. Runs the program at most twice, unless the same file was inspected before.
  // PERMISSION_DENIED: the program is not one that vufd runs, or somebody else than root and vufd
  // can change it.
  absl::StatusOr<ExecutableFacts> Inspect(const std::string& link, const std::string& path,
                                          const std::string& root, absl::Time deadline);
  bool Allows(absl::string_view path) const;

 private:
  // Device, inode, size, time of the last change of content and of attributes.
  using FileKey = std::tuple<uint64_t, uint64_t, int64_t, int64_t, int64_t>;

  std::optional<ExecutableFacts> Remembered(const FileKey& key) ABSL_LOCKS_EXCLUDED(mu_);
  void Remember(const FileKey& key, const ExecutableFacts& facts) ABSL_LOCKS_EXCLUDED(mu_);

  const std::set<std::string> allowed_names_;
  const absl::Duration run_limit_;
  Mutex mu_;
  std::map<FileKey, ExecutableFacts> remembered_ ABSL_GUARDED_BY(mu_);
  // The keys of `remembered_`, oldest first.
  std::deque<FileKey> order_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_EXECUTABLE_H_
