// Landlock: which names of files a process can still touch.
#ifndef VUFD_KEEPER_SANDBOX_LANDLOCK_H_
#define VUFD_KEEPER_SANDBOX_LANDLOCK_H_

#include <string>
#include <vector>

namespace vuf::keeper {

// From here on files can be removed below `directories`, and nothing else can be done by a file's
// name. The process must have no_new_privs. A kernel without Landlock is no error, and is logged.
// Returns what failed, or "".
std::string RestrictFiles(const std::vector<std::string>& directories);

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_SANDBOX_LANDLOCK_H_
