// Addresses of the form HOST:PORT.
#ifndef VUFD_SERVER_BASE_HOST_PORT_H_
#define VUFD_SERVER_BASE_HOST_PORT_H_

#include "absl/strings/string_view.h"

namespace vuf {

// For messages about one that is not.
inline constexpr char kHostPortAllowed[] =
    "HOST:PORT, HOST being a name, an IPv4 address or an IPv6 address in brackets, at most 259 "
    "bytes";

// Says nothing about whether it can be reached.
bool IsHostPort(absl::string_view text);

}  // namespace vuf

#endif  // VUFD_SERVER_BASE_HOST_PORT_H_
