// Runs a program and reads what it says.
#ifndef VUFD_CLIENT_RUN_PROGRAM_H_
#define VUFD_CLIENT_RUN_PROGRAM_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace vuf::cli {

// Standard output of `argv`, at most 64 KiB of it. Standard input and error are /dev/null. The
// program is killed when it takes longer than `timeout`. An exit code other than 0 is an error.
absl::StatusOr<std::string> RunProgram(const std::vector<std::string>& argv,
                                       absl::Duration timeout);

}  // namespace vuf::cli

#endif  // VUFD_CLIENT_RUN_PROGRAM_H_
