// vufd, but for one thing: it dies, or stops, at a named point of the first migration that it runs.
//
//   vufd_crashpoints --config=FILE [--die-at=POINT | --stop-at=POINT]
//
// With --stop-at it stops there (SIGSTOP), and goes on when it is told to (SIGCONT).
// Every point is told on standard error as it is reached: "crash point: POINT". crash_points.h says
// which there are. It is stopped by signals that kill.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/strip.h"
#include "server/agent.h"
#include "server/base/log.h"
#include "server/config/config.h"
#include "tests/fault/crash_points.h"

namespace vuf {
namespace {

int Run(const std::string& config_file, const std::string& at, int how) {
  absl::StatusOr<Config> config = LoadConfig(config_file);
  if (!config.ok()) {
    fprintf(stderr, "vufd_crashpoints: %s\n", config.status().ToString().c_str());
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  ConfigureLog(LogLevel::kDebug, false);
  CrashPoints points(at, how);
  Agent::Between between;
  between.store = [&](std::unique_ptr<Store> store) -> std::unique_ptr<Store> {
    return std::make_unique<CrashingStore>(&points, std::move(store));
  };
  between.hypervisors = [&](HypervisorConnector* inner) -> std::unique_ptr<HypervisorConnector> {
    return std::make_unique<CrashingConnector>(&points, inner);
  };
  between.keepers = [&](KeeperPort* inner) -> std::unique_ptr<KeeperPort> {
    return std::make_unique<CrashingKeepers>(&points, inner);
  };
  between.peers = [&](PeerPort* inner) -> std::unique_ptr<PeerPort> {
    return std::make_unique<CrashingPeers>(&points, inner);
  };
  const absl::StatusOr<std::unique_ptr<Agent>> agent = Agent::Start(*config, between);
  if (!agent.ok()) {
    fprintf(stderr, "vufd_crashpoints: %s\n", agent.status().ToString().c_str());
    return 1;
  }
  while (true) pause();
}

}  // namespace
}  // namespace vuf

int main(int argc, char** argv) {
  std::string config;
  std::string at;
  int how = SIGKILL;
  for (int i = 1; i < argc; ++i) {
    absl::string_view argument = argv[i];
    if (absl::ConsumePrefix(&argument, "--config=")) config = std::string(argument);
    if (absl::ConsumePrefix(&argument, "--die-at=")) at = std::string(argument);
    if (!absl::ConsumePrefix(&argument, "--stop-at=")) continue;
    at = std::string(argument);
    how = SIGSTOP;
  }
  return vuf::Run(config, at, how);
}
