// vuf-keeper: see kUsage and docs/keeper.md.
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "keeper/back_end_process.h"
#include "keeper/control.h"
#include "keeper/loop.h"
#include "keeper/options.h"
#include "keeper/sandbox.h"
#include "keeper/session.h"
#include "keeper/sockets.h"
#include "server/version.h"

namespace vuf::keeper {
namespace {

constexpr int kFailed = 1;
constexpr int kUsageError = 2;

int Fail(const std::string& why) {
  Log(Level::kError, why);
  return kFailed;
}

// Starts the back-end on a listening socket that is gone from the file system once the keeper, the
// only client it will ever have, has connected.
Fd StartBackEnd(const Options& options, BackEndProcess& process, std::string& problem) {
  const std::string path = options.control_socket + ".be";
  Listener listener;
  problem = listener.Open(path, SOCK_STREAM, SocketAccess());
  if (problem.empty()) problem = process.Start(options.command, listener.socket());
  if (!problem.empty()) return Fd();
  return Connect(path, SOCK_STREAM, problem);
}

int BlockSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&set, number);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

// sd_notify(3), for units of Type=notify.
void TellServiceManager() {
  const char* const path = getenv("NOTIFY_SOCKET");
  if (path == nullptr) return;
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const size_t length = std::string(path).copy(address.sun_path, sizeof address.sun_path - 1);
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  static constexpr char kReady[] = "READY=1";
  sendto(socket.get(), kReady, sizeof kReady - 1, MSG_NOSIGNAL,
         reinterpret_cast<const sockaddr*>(&address),
         static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
}

// Every front-end brings descriptors for its rings and its memory.
void RaiseDescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Null: `problem` says why there is none.
std::unique_ptr<BackEnd> FindBackEnd(const Options& options, int signals, BackEndProcess& process,
                                     std::string& problem) {
  Fd socket = options.command.empty() ? ConnectWhenThere(options.back_end_socket,
                                                         options.back_end_timeout, signals, problem)
                                      : StartBackEnd(options, process, problem);
  if (!socket.valid()) return nullptr;
  auto back_end = std::make_unique<BackEnd>(std::move(socket));
  problem = back_end->Negotiate(static_cast<int>(options.back_end_timeout.count()));
  if (problem.empty()) return back_end;
  back_end.reset();
  if (const auto ended = process.AwaitEnd(); ended.has_value()) problem += " (" + *ended + ")";
  return nullptr;
}

std::string DirectoryOf(const std::string& path) { return path.substr(0, path.rfind('/') + 1); }

int Keep(const Options& options) {
  RaiseDescriptorLimit();
  const Fd signals(BlockSignals());
  BackEndProcess process;
  // Whatever can be wrong here is found before the back-end's one connection is used up.
  Listener endpoint;
  Listener control_listener;
  std::string problem = endpoint.Open(options.socket_path, SOCK_STREAM, options.socket_access);
  if (problem.empty()) {
    // Whoever may not use it is turned away by user id.
    const mode_t mode = options.control_uids.size() > OwnControlUids().size() ? 0666 : 0600;
    problem = control_listener.Open(options.control_socket, SOCK_SEQPACKET, {mode, std::nullopt});
  }
  if (!problem.empty()) return Fail(problem);
  std::unique_ptr<BackEnd> back_end = FindBackEnd(options, signals.get(), process, problem);
  if (back_end == nullptr) return Fail("no back-end: " + problem);

  Session session({options.drain_limit, process.pid()}, std::move(back_end));
  Control control(&control_listener, &session, options.control_uids, vuf::kVersion);
  if (options.sandbox) {
    problem = EnterSandbox(
        {{DirectoryOf(options.socket_path), DirectoryOf(options.control_socket)}, process.pid()});
  } else {
    Log(Level::kWarning, "runs without its sandbox");
  }
  if (!problem.empty()) return Fail("no sandbox: " + problem);

  fprintf(stderr, "vuf-keeper: ready\n");
  TellServiceManager();
  const End end = RunLoop({&session, &control, &endpoint, &process, signals.get()});
  Log(Level::kInfo, "ends: " + end.why);
  return end.code;
}

int Main(int argc, char** argv) {
  Options options;
  const std::string wrong = ParseOptions({argv + 1, argv + argc}, options);
  if (!wrong.empty()) {
    fprintf(stderr, "vuf-keeper: %s\n", wrong.c_str());
    return kUsageError;
  }
  SetLogLevel(options.log_level);
  if (options.help) return fputs(kUsage, stdout) < 0 ? kFailed : EXIT_SUCCESS;
  if (options.version) return printf("vuf-keeper %s\n", vuf::kVersion) < 0 ? kFailed : EXIT_SUCCESS;
  return Keep(options);
}

}  // namespace
}  // namespace vuf::keeper

int main(int argc, char** argv) { return vuf::keeper::Main(argc, argv); }
