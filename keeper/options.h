// vuf-keeper's command line.
#ifndef VUFD_KEEPER_OPTIONS_H_
#define VUFD_KEEPER_OPTIONS_H_

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "keeper/log.h"
#include "keeper/sockets.h"

namespace vuf::keeper {

struct Options {
  std::string socket_path;
  std::string control_socket;
  // One of the two: a back-end that listens, or one to start.
  std::string back_end_socket;
  std::vector<std::string> command;
  std::chrono::milliseconds back_end_timeout{5000};
  std::chrono::milliseconds drain_limit{500};
  // Who may use the control socket.
  std::set<uid_t> control_uids;
  SocketAccess socket_access{0660, std::nullopt};
  Level log_level = Level::kInfo;
  bool sandbox = true;
  // Print and end.
  bool help = false;
  bool version = false;
};

// Returns what is wrong, naming option, value and what is allowed; "" when `out` is filled.
std::string ParseOptions(const std::vector<std::string>& arguments, Options& out);

// Who may always use the control socket: the keeper's own user and root.
std::set<uid_t> OwnControlUids();

extern const char kUsage[];

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_OPTIONS_H_
