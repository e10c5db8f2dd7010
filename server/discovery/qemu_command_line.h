// What a QEMU's own command line says and its monitor does not.
#ifndef VUFD_SERVER_DISCOVERY_QEMU_COMMAND_LINE_H_
#define VUFD_SERVER_DISCOVERY_QEMU_COMMAND_LINE_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace vuf {

// "socket,id=a,path=/x,,y" by name; what stands first without a name is "backend".
using Suboptions = std::map<std::string, std::string>;
Suboptions ParseSuboptions(absl::string_view text);
bool IsOn(const Suboptions& options, const std::string& name);
// Without its one dash or two; empty for what is no option.
absl::string_view OptionName(absl::string_view argument);

// Whether -S is there as an option of its own; nothing when it may as well be another option's
// value.
std::optional<bool> StartedPaused(const std::vector<std::string>& arguments);

// The path of the one "-chardev socket,id=`label`,path=..." that connects to a file.
absl::StatusOr<std::string> ChardevSocketPath(const std::vector<std::string>& arguments,
                                              const std::string& label);

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_QEMU_COMMAND_LINE_H_
