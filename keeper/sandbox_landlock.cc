#include "keeper/sandbox_landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "keeper/fd.h"
#include "keeper/log.h"

namespace vuf::keeper {
namespace {

// The rights that version 1 of the interface knows: all up to this one.
constexpr uint64_t kFirstRights = (uint64_t{LANDLOCK_ACCESS_FS_MAKE_SYM} << 1) - 1;
// Of version 3; headers of Linux 6.1 have not got it.
constexpr uint64_t kTruncate = 1u << 14;

uint64_t Rights(long version) {
  uint64_t rights = kFirstRights;
  if (version >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
  if (version >= 3) rights |= kTruncate;
  return rights;
}

std::string Problem(const std::string& what) { return what + ": " + strerror(errno); }

std::string Allow(const Fd& rules, const std::string& directory) {
  const Fd at(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  landlock_path_beneath_attr rule = {};
  rule.allowed_access = LANDLOCK_ACCESS_FS_REMOVE_FILE;
  rule.parent_fd = at.get();
  if (at.valid() &&
      syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0) {
    return "";
  }
  return Problem("landlock rule for " + directory);
}

}  // namespace

std::string RestrictFiles(const std::vector<std::string>& directories) {
  const long version =
      syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) {
    Log(Level::kInfo, "this kernel has no Landlock: the seccomp filter stands alone");
    return "";
  }
  landlock_ruleset_attr all = {};
  all.handled_access_fs = Rights(version);
  const Fd rules(static_cast<int>(syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0)));
  if (!rules.valid()) return Problem("landlock rules");
  for (const std::string& directory : directories) {
    if (std::string problem = Allow(rules, directory); !problem.empty()) return problem;
  }
  return syscall(SYS_landlock_restrict_self, rules.get(), 0) == 0 ? "" : Problem("landlock");
}

}  // namespace vuf::keeper
