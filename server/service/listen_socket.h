// The file of the API's unix socket.
#ifndef VUFD_SERVER_SERVICE_LISTEN_SOCKET_H_
#define VUFD_SERVER_SERVICE_LISTEN_SOCKET_H_

#include <string>

#include "absl/status/status.h"

namespace vuf {

// Makes `path` free to listen on: creates a missing directory (mode 0750) whose parent exists and
// removes a socket that nobody answers. FAILED_PRECONDITION says what is in the way.
absl::Status PrepareListenSocket(const std::string& path);

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_LISTEN_SOCKET_H_
