// The descriptors of a process, and the files behind them, as far as their links tell.
#ifndef VUFD_SERVER_DISCOVERY_OPEN_FILES_H_
#define VUFD_SERVER_DISCOVERY_OPEN_FILES_H_

#include <cstdint>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/discovery/procfs.h"
#include "server/model/back_end.h"

namespace vuf {

// Why the facts below are unknown with Look::kWhoIsWho.
inline constexpr char kNotLookedAt[] = "not looked at: only who takes part was asked for";

bool IsUtf8(absl::string_view text);

// DEADLINE_EXCEEDED: not finished, so nothing is known. A process can have a million descriptors.
absl::StatusOr<uint64_t> CountDescriptors(const Procfs& procfs, int pid, absl::Time deadline);

// A directory and what is mounted below it.
struct Tree {
  // As Procfs::RealPath says it.
  std::string path;
  std::set<uint64_t> mount_ids;
};

// What the process holds open in `tree`. Opens none of it.
absl::StatusOr<OpenFileFacts> LookAtOpenFiles(const Procfs& procfs, int pid, const Tree& tree,
                                              absl::Time deadline);

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_OPEN_FILES_H_
