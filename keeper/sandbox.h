// What a keeper can do once it keeps: talk over the sockets it has, and nothing else.
#ifndef VUFD_KEEPER_SANDBOX_H_
#define VUFD_KEEPER_SANDBOX_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace vuf::keeper {

struct SandboxOptions {
  // Names in these directories may be removed.
  std::vector<std::string> directories;
  // The one process that may be signalled, besides the keeper. 0: none.
  pid_t child = 0;
};

// For good: no new privileges, no capabilities, only the system calls that a keeper makes. Those
// that a C library makes in passing fail, any other ends the keeper. What is left to do with names
// of files is bounded by Landlock where the kernel has it. Returns what failed, or "".
std::string EnterSandbox(const SandboxOptions& options);

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_SANDBOX_H_
