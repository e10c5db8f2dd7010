// What a keeper can do once it keeps: talk over the sockets it has, and nothing else.
#ifndef VUFD_KEEPER_SANDBOX_H_
#define VUFD_KEEPER_SANDBOX_H_

#include <string>

namespace vuf::keeper {

// For good: no new privileges, no capabilities, only the system calls that a keeper makes (any
// other ends it). Returns what failed, or "".
std::string EnterSandbox();

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_SANDBOX_H_
