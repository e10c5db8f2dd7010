// Command lines of back-ends, brought into one vocabulary so that two of them can be compared.
#ifndef VUFD_SERVER_DISCOVERY_BACK_END_OPTIONS_H_
#define VUFD_SERVER_DISCOVERY_BACK_END_OPTIONS_H_

#include <string>
#include <vector>

#include "server/model/back_end.h"
#include "server/model/version.h"

namespace vuf {

// The options of `arguments` (the first is the program), with what the program assumes for the
// absent ones. Both virtiofsds end up with the Rust one's long names: "-o source=/a,cache=none" is
// {"shared-dir": "/a", "cache": "never"}. What has no default and was not given is absent.
//
// - Flags are "true" or "false"; negative ones are folded into the positive name where virtiofsd
//   has both ("--no-announce-submounts" is {"announce-submounts": "false"}).
// - posix-acl and security-label are "never", "auto" or "always" for every version; "xattr" is
//   "true" when another option implies it.
// - An option given several times is its last value; the maps (uid-map, translate-uid, ...) are
//   all values, separated by spaces.
// - An option nobody knows is kept under its own name. Arguments that belong to no option are
//   kept, separated by spaces, under "" .
//
// Other kinds: the same syntax, no defaults, no translation.
BackEndOptions NormalizeOptions(BackEndKind kind, const Version& version,
                                const std::vector<std::string>& arguments);

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_BACK_END_OPTIONS_H_
