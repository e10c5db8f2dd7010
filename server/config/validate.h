// From the parsed file to the validated struct.
#ifndef VUFD_SERVER_CONFIG_VALIDATE_H_
#define VUFD_SERVER_CONFIG_VALIDATE_H_

#include <string>
#include <vector>

#include "server/config/config.h"
#include "vuf/config/v1/config.pb.h"

namespace vuf {

// Appends every error, each "field: value; what is allowed". The result counts only when there is
// none.
Config ValidateConfig(const config::v1::Config& message, std::vector<std::string>* errors);

}  // namespace vuf

#endif  // VUFD_SERVER_CONFIG_VALIDATE_H_
