// Runs a program for what it prints, with nothing of vufd's in its hands.
#ifndef VUFD_SERVER_DISCOVERY_RUN_PROGRAM_H_
#define VUFD_SERVER_DISCOVERY_RUN_PROGRAM_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace vuf {

// Executes the file behind `executable_fd` (O_PATH is enough) with `arguments` (the first is its
// name) and returns its standard output. `root_fd`: the directory that is its root, where it finds
// its loader and libraries; -1: as vufd's. It gets no descriptor but its output and /dev/null, an
// almost empty environment, its own process group and no way to gain privileges; whatever is left
// of the group is killed before this returns.
// DEADLINE_EXCEEDED: not done by `deadline`. RESOURCE_EXHAUSTED: more than 64 KiB of output.
// FAILED_PRECONDITION: could not be started, or ended with another status than 0.
absl::StatusOr<std::string> RunForOutput(int executable_fd, int root_fd,
                                         const std::vector<std::string>& arguments,
                                         absl::Time deadline);

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_RUN_PROGRAM_H_
