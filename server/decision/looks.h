// What rules about pairs of devices (Scope::kPair) see of one device.
#ifndef VUFD_SERVER_DECISION_LOOKS_H_
#define VUFD_SERVER_DECISION_LOOKS_H_

#include <string>

#include "server/model/vm.h"

namespace vuf {

// Two devices have the same looks only if no such rule could tell one from the other but by the age
// of the evidence. Not a digest: different looks never read the same. Empty for a device behind a
// keeper, whose session is compared too.
std::string LooksOf(const FsDeviceFacts& device);

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_LOOKS_H_
