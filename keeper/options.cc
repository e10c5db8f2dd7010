#include "keeper/options.h"

#include <grp.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>

namespace vuf::keeper {

const char kUsage[] =
    R"(usage: vuf-keeper --socket-path PATH --control-socket PATH --back-end-socket PATH [OPTION...]
       vuf-keeper --socket-path PATH --control-socket PATH [OPTION...] -- PROGRAM [ARGUMENT...]

Keeps the FUSE session of one vhost-user-fs back-end, so that a VM can move to another QEMU on this
host. QEMU connects to --socket-path. The back-end either listens at --back-end-socket, or is
started: {fd} in its arguments becomes the number of the descriptor it listens on (virtiofsd
--fd={fd}).

  --socket-path PATH         the endpoint for QEMU
  --control-socket PATH      for vufd and vuf-keeperctl
  --back-end-socket PATH     where the back-end listens
  --back-end-timeout-ms N    how long to wait for it (1 to 600000; 5000)
  --drain-limit-ms N         how long a stop waits for requests under way (1 to 60000; 500)
  --socket-mode MODE         permissions of the endpoint, octal (0660)
  --socket-group GROUP       group of the endpoint, name or number (the keeper's own)
  --allow-control-uid UID    who else may use the control socket; repeatable (own user and root)
  --log-level LEVEL          error, warning, info or debug (info)
  --no-sandbox               for debugging
  --version, --help

Exit status: 0 the QEMU that has the session has left or a signal asked for the end, 1 error,
2 usage, 3 the back-end is gone.
)";

namespace {

std::optional<uint64_t> Number(const std::string& text, int base, uint64_t low, uint64_t high) {
  if (text.empty() || text.size() > 10) return std::nullopt;
  if (text.find_first_not_of(base == 8 ? "01234567" : "0123456789") != std::string::npos) {
    return std::nullopt;
  }
  const uint64_t value = std::stoull(text, nullptr, base);
  if (value < low || value > high) return std::nullopt;
  return value;
}

std::string Wrong(const std::string& option, const std::string& value, const std::string& allowed) {
  return option + ": \"" + value + "\" is not " + allowed;
}

// Sets an option from its value; returns what is allowed instead, or "".
using Set = std::function<std::string(const std::string& value)>;

Set Path(std::string& out) {
  return [&out](const std::string& value) -> std::string {
    if (value.empty() || value[0] != '/' || value.size() > kMaxSocketPath) {
      return "an absolute path of at most 107 bytes";
    }
    out = value;
    return "";
  };
}

Set Milliseconds(uint64_t high, std::chrono::milliseconds& out) {
  return [high, &out](const std::string& value) -> std::string {
    const std::optional<uint64_t> number = Number(value, 10, 1, high);
    if (!number.has_value()) return "a number from 1 to " + std::to_string(high);
    out = std::chrono::milliseconds(*number);
    return "";
  };
}

Set LogLevel(Level& out) {
  return [&out](const std::string& value) -> std::string {
    static const std::map<std::string, Level> kLevels = {{"error", Level::kError},
                                                         {"warning", Level::kWarning},
                                                         {"info", Level::kInfo},
                                                         {"debug", Level::kDebug}};
    const auto it = kLevels.find(value);
    if (it == kLevels.end()) return "error, warning, info or debug";
    out = it->second;
    return "";
  };
}

Set Group(std::optional<gid_t>& out) {
  return [&out](const std::string& value) -> std::string {
    const std::optional<uint64_t> number = Number(value, 10, 0, UINT32_MAX - 1);
    const group* const found = number.has_value() ? nullptr : getgrnam(value.c_str());
    if (!number.has_value() && found == nullptr) return "a group of this host";
    out = found != nullptr ? found->gr_gid : static_cast<gid_t>(*number);
    return "";
  };
}

bool HasPlaceForDescriptor(const std::vector<std::string>& command) {
  return std::any_of(command.begin(), command.end(), [](const std::string& argument) {
    return argument.find("{fd}") != std::string::npos;
  });
}

std::map<std::string, Set> Setters(Options& out) {
  return {
      {"--socket-path", Path(out.socket_path)},
      {"--control-socket", Path(out.control_socket)},
      {"--back-end-socket", Path(out.back_end_socket)},
      {"--back-end-timeout-ms", Milliseconds(600000, out.back_end_timeout)},
      {"--drain-limit-ms", Milliseconds(60000, out.drain_limit)},
      {"--log-level", LogLevel(out.log_level)},
      {"--socket-group", Group(out.socket_access.group)},
      {"--socket-mode",
       [&out](const std::string& value) -> std::string {
         const std::optional<uint64_t> mode = Number(value, 8, 0, 0777);
         if (!mode.has_value()) return "an octal number from 0 to 0777";
         out.socket_access.mode = static_cast<mode_t>(*mode);
         return "";
       }},
      {"--allow-control-uid",
       [&out](const std::string& value) -> std::string {
         const std::optional<uint64_t> uid = Number(value, 10, 0, UINT32_MAX - 1);
         if (!uid.has_value()) return "a user id";
         out.control_uids.insert(static_cast<uid_t>(*uid));
         return "";
       }},
  };
}

std::string CheckWhole(const Options& options) {
  if (options.socket_path.empty()) return "--socket-path is missing";
  if (options.control_socket.empty()) return "--control-socket is missing";
  if (options.back_end_socket.empty() == options.command.empty()) {
    return "give either --back-end-socket or, after --, a program to start";
  }
  if (!options.command.empty() && !HasPlaceForDescriptor(options.command)) {
    return "the program after -- needs an argument with {fd}, such as --fd={fd}";
  }
  if (options.socket_path == options.control_socket ||
      options.socket_path == options.back_end_socket ||
      options.control_socket == options.back_end_socket) {
    return "--socket-path, --control-socket and --back-end-socket must differ";
  }
  return "";
}

}  // namespace

std::set<uid_t> OwnControlUids() { return {0, getuid()}; }

std::string ParseOptions(const std::vector<std::string>& arguments, Options& out) {
  const std::map<std::string, Set> setters = Setters(out);
  out.control_uids = OwnControlUids();
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--") {
      out.command.assign(arguments.begin() + static_cast<ptrdiff_t>(i) + 1, arguments.end());
      break;
    }
    const size_t equals = arguments[i].find('=');
    const std::string name = arguments[i].substr(0, equals);
    if (name == "--help" || name == "--version" || name == "--no-sandbox") {
      (name == "--help"      ? out.help
       : name == "--version" ? out.version
                             : out.sandbox) = name != "--no-sandbox";
      continue;
    }
    const auto it = setters.find(name);
    if (it == setters.end()) return "unknown option \"" + arguments[i] + "\"; see --help";
    if (equals == std::string::npos && i + 1 == arguments.size()) return name + " needs a value";
    const std::string value =
        equals == std::string::npos ? arguments[++i] : arguments[i].substr(equals + 1);
    if (std::string allowed = it->second(value); !allowed.empty()) {
      return Wrong(name, value, allowed);
    }
  }
  return out.help || out.version ? "" : CheckWhole(out);
}

}  // namespace vuf::keeper
