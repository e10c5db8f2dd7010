// The bash completion, made from the command table.
#ifndef VUFD_CLIENT_COMPLETION_H_
#define VUFD_CLIENT_COMPLETION_H_

#include <string>
#include <vector>

#include "client/args.h"

namespace vuf::cli {

// A script to source: completes commands, flags, their values and the names of resources.
std::string BashCompletion(const std::vector<Command>& commands);

}  // namespace vuf::cli

#endif  // VUFD_CLIENT_COMPLETION_H_
