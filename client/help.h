// The help texts, made from the command table.
#ifndef VUFD_CLIENT_HELP_H_
#define VUFD_CLIENT_HELP_H_

#include <string>
#include <vector>

#include "client/args.h"

namespace vuf::cli {

std::string OverviewHelp(const std::vector<Command>& commands);
std::string CommandHelp(const Command& command);

}  // namespace vuf::cli

#endif  // VUFD_CLIENT_HELP_H_
