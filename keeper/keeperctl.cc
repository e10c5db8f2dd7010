// vuf-keeperctl: a keeper's control service from the command line, for when vufd is not there.
#include <poll.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "keeper/keeperctl_format.h"
#include "keeper/sockets.h"
#include "server/version.h"

namespace vuf::keeper {
namespace {

constexpr int kError = 1;
constexpr int kUsageError = 2;
constexpr int kRefused = 3;
// A replacement of the back-end takes as long as its state is large.
constexpr int kDeadlineMs = 15000;
constexpr size_t kMaxResponse = 65536;

constexpr char kUsage[] =
    R"(usage: vuf-keeperctl --control-socket PATH [--output=json] VERB [OPTION...]

  show                                  the session and its hand-over
  watch                                 again after every change
  arm --permit ID --mode stateless|stateful --direction outgoing|incoming --ttl-ms N
      [--source-inode N] [--destination-inode N]
                                        permits one hand-over
  disarm --permit ID                    takes the permission back
  fence --permit ID                     shuts the old front-end out
  replace --back-end-socket PATH        moves the session to another back-end

Exit status: 0 done, 1 error, 2 usage, 3 refused.
)";

struct Arguments {
  std::string verb;
  std::map<std::string, std::string> options;
};

int Usage(const std::string& problem) {
  fprintf(stderr, "vuf-keeperctl: %s\n%s", problem.c_str(), kUsage);
  return kUsageError;
}

// Returns what is wrong, or "".
std::string Parse(const std::vector<std::string>& all, Arguments& out) {
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].rfind("--", 0) != 0) {
      if (!out.verb.empty()) return "one verb at a time: \"" + all[i] + "\"";
      out.verb = all[i];
      continue;
    }
    const size_t equals = all[i].find('=');
    const std::string name = all[i].substr(2, equals == std::string::npos ? equals : equals - 2);
    if (name == "help" || name == "version") {
      out.verb = "--" + name;
      return "";
    }
    if (equals == std::string::npos && i + 1 == all.size()) return all[i] + " needs a value";
    out.options[name] = equals == std::string::npos ? all[++i] : all[i].substr(equals + 1);
  }
  return "";
}

// Takes an option out, so that what is left is unknown.
std::string Take(Arguments& arguments, const std::string& name) {
  const auto it = arguments.options.find(name);
  if (it == arguments.options.end()) return "";
  std::string value = it->second;
  arguments.options.erase(it);
  return value;
}

uint64_t TakeNumber(Arguments& arguments, const std::string& name, std::string& problem) {
  const std::string text = Take(arguments, name);
  if (text.find_first_not_of("0123456789") != std::string::npos || text.size() > 19) {
    problem = "--" + name + ": \"" + text + "\" is no number";
  }
  return problem.empty() && !text.empty() ? std::stoull(text) : 0;
}

std::string FillArm(Arguments& arguments, v1::KeeperArm& arm) {
  std::string problem;
  const std::string mode = Take(arguments, "mode");
  const std::string direction = Take(arguments, "direction");
  arm.set_permit(Take(arguments, "permit"));
  if (mode == "stateless") arm.set_mode(v1::KEEPER_MODE_STATELESS);
  if (mode == "stateful") arm.set_mode(v1::KEEPER_MODE_STATEFUL);
  if (direction == "outgoing") arm.set_direction(v1::KeeperArm::DIRECTION_OUTGOING);
  if (direction == "incoming") arm.set_direction(v1::KeeperArm::DIRECTION_INCOMING);
  const uint64_t ttl = TakeNumber(arguments, "ttl-ms", problem);
  arm.set_ttl_ms(ttl > UINT32_MAX ? 0 : static_cast<uint32_t>(ttl));
  arm.set_source_inode(TakeNumber(arguments, "source-inode", problem));
  arm.set_destination_inode(TakeNumber(arguments, "destination-inode", problem));
  return problem;
}

// Returns what is wrong, or "".
std::string Fill(Arguments& arguments, v1::KeeperRequest& request) {
  std::string problem;
  if (arguments.verb == "show") {
    request.mutable_get_session();
  } else if (arguments.verb == "watch") {
    request.mutable_watch();
  } else if (arguments.verb == "arm") {
    problem = FillArm(arguments, *request.mutable_arm());
  } else if (arguments.verb == "disarm") {
    request.mutable_disarm()->set_permit(Take(arguments, "permit"));
  } else if (arguments.verb == "fence") {
    request.mutable_fence()->set_permit(Take(arguments, "permit"));
  } else if (arguments.verb == "replace") {
    request.mutable_replace_back_end()->set_socket_path(Take(arguments, "back-end-socket"));
  } else {
    return "unknown verb \"" + arguments.verb + "\"";
  }
  if (problem.empty() && !arguments.options.empty()) {
    problem = "unknown option --" + arguments.options.begin()->first;
  }
  return problem;
}

// False: no answer.
bool Receive(const Fd& socket, int limit_ms, v1::KeeperResponse& out) {
  pollfd look = {socket.get(), POLLIN, 0};
  if (poll(&look, 1, limit_ms) != 1) return false;
  std::string packet(kMaxResponse, '\0');
  const ssize_t n = recv(socket.get(), packet.data(), packet.size(), 0);
  return n > 0 && out.ParseFromString(packet.substr(0, static_cast<size_t>(n)));
}

int Print(const v1::KeeperResponse& response, bool json) {
  if (response.code() != v1::KeeperResponse::CODE_OK) {
    fprintf(stderr, "vuf-keeperctl: %s\n", response.message().c_str());
  }
  const std::string text = json ? ToJson(response.session()) + "\n" : ToText(response.session());
  fputs(text.c_str(), stdout);
  if (fflush(stdout) != 0) return kError;
  switch (response.code()) {
    case v1::KeeperResponse::CODE_OK:
      return EXIT_SUCCESS;
    case v1::KeeperResponse::CODE_INVALID_ARGUMENT:
      return kUsageError;
    case v1::KeeperResponse::CODE_FAILED_PRECONDITION:
      return kRefused;
    default:
      return kError;
  }
}

int Ask(const std::string& path, const v1::KeeperRequest& request, bool json) {
  std::string problem;
  const Fd socket = Connect(path, SOCK_SEQPACKET, problem);
  const std::string packet = request.SerializeAsString();
  if (!socket.valid() || send(socket.get(), packet.data(), packet.size(), MSG_NOSIGNAL) < 0) {
    fprintf(stderr, "vuf-keeperctl: %s\n", problem.empty() ? "it hung up" : problem.c_str());
    return kError;
  }
  int limit_ms = kDeadlineMs;
  while (true) {
    v1::KeeperResponse response;
    if (!Receive(socket, limit_ms, response)) break;
    const int status = Print(response, json);
    if (status != EXIT_SUCCESS || !request.has_watch()) return status;
    limit_ms = -1;  // whoever watches waits
  }
  fprintf(stderr, "vuf-keeperctl: no answer from %s\n", path.c_str());
  return kError;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  std::string problem = Parse({argv + 1, argv + argc}, arguments);
  if (!problem.empty()) return Usage(problem);
  if (arguments.verb == "--help") return fputs(kUsage, stdout) < 0 ? kError : EXIT_SUCCESS;
  if (arguments.verb == "--version") {
    return printf("vuf-keeperctl %s\n", vuf::kVersion) < 0 ? kError : EXIT_SUCCESS;
  }
  const std::string path = Take(arguments, "control-socket");
  const std::string output = Take(arguments, "output");
  if (path.empty()) return Usage("--control-socket is missing");
  if (!output.empty() && output != "json" && output != "text") {
    return Usage("--output: \"" + output + "\" is not json or text");
  }
  v1::KeeperRequest request;
  problem = Fill(arguments, request);
  if (!problem.empty()) return Usage(problem);
  return Ask(path, request, output == "json");
}

}  // namespace
}  // namespace vuf::keeper

int main(int argc, char** argv) { return vuf::keeper::Main(argc, argv); }
