// vufd: decides whether VMs with vhost-user-fs devices may migrate, and migrates them.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "google/protobuf/stubs/logging.h"
#include "server/agent.h"
#include "server/agent_security.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/service_manager.h"
#include "server/config/config.h"
#include "server/metrics/metrics.h"
#include "server/service/policy_file.h"
#include "server/version.h"

namespace vuf {
namespace {

enum ExitCode { kGood = 0, kRuntimeError = 1, kUsageError = 2 };

constexpr char kUsage[] =
    "usage: vufd [--config=FILE] [--check-config] [--version] [--help]\n"
    "  --config=FILE   configuration in protobuf text format; without it, the defaults\n"
    "  --check-config  say whether the configuration is good, and exit\n";

struct Arguments {
  std::string config;
  bool check_config = false;
  bool version = false;
  bool help = false;
};

// False for an argument that vufd does not know, which is left in `bad`.
bool Parse(int argc, char** argv, Arguments* arguments, std::string* bad) {
  for (int i = 1; i < argc; ++i) {
    absl::string_view argument = argv[i];
    if (absl::ConsumePrefix(&argument, "--config=")) {
      arguments->config = std::string(argument);
    } else if (argument == "--check-config") {
      arguments->check_config = true;
    } else if (argument == "--version") {
      arguments->version = true;
    } else if (argument == "--help") {
      arguments->help = true;
    } else {
      *bad = argv[i];
      return false;
    }
  }
  return true;
}

int Fail(ExitCode code, const absl::Status& status) {
  fprintf(stderr, "vufd: %s\n", std::string(status.message()).c_str());
  return code;
}

LogLevel LevelOf(Config::LogLevel level) {
  switch (level) {
    case Config::LogLevel::kDebug:
      return LogLevel::kDebug;
    case Config::LogLevel::kInfo:
      return LogLevel::kInfo;
    case Config::LogLevel::kWarning:
      return LogLevel::kWarning;
    case Config::LogLevel::kError:
      return LogLevel::kError;
  }
  return LogLevel::kInfo;
}

// Protobuf tells about requests that are not UTF-8 in lines of its own form; the caller is told by
// the answer.
void DropProtobufLog(google::protobuf::LogLevel, const char*, int, const std::string&) {}

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

int AwaitSignal() {
  const sigset_t signals = StopSignals();
  int signal = 0;
  while (sigwait(&signals, &signal) != 0) {
  }
  return signal;
}

// The same, and tells the service manager meanwhile that vufd is alive, twice as often as it asks.
int ServeUntilSignal(const ServiceManager& manager) {
  if (manager.watchdog() == absl::InfiniteDuration()) return AwaitSignal();
  const sigset_t signals = StopSignals();
  const timespec pause = absl::ToTimespec(manager.watchdog() / 2);
  while (true) {
    const int signal = sigtimedwait(&signals, nullptr, &pause);
    if (signal > 0) return signal;
    manager.Tell("WATCHDOG=1");
  }
}

// Of the files that the configuration names.
absl::Status CheckFiles(const Config& config) {
  if (absl::Status checked = CheckPolicyFile(config.policy_file); !checked.ok()) return checked;
  const SystemClock clock;
  Metrics metrics(kVersion, clock.Now());
  ConfigureLog(LogLevel::kError, config.log_json);
  return AgentSecurity::Open(config, &clock, &metrics).status();
}

int Run(const Config& config) {
  // Before any thread starts, so that all inherit it.
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  google::protobuf::SetLogHandler(&DropProtobufLog);
  const ServiceManager manager = ServiceManager::FromEnvironment();
  ConfigureLog(LevelOf(config.log_level), config.log_json);
  absl::StatusOr<std::unique_ptr<Agent>> agent = Agent::Start(config);
  if (!agent.ok()) return Fail(kRuntimeError, agent.status());
  Log(LogLevel::kInfo, "serving", {{"version", kVersion}, {"listen_socket", config.listen_socket}});
  manager.Tell("READY=1");
  Log(LogLevel::kInfo, "stopping", {{"signal", strsignal(ServeUntilSignal(manager))}});
  manager.Tell("STOPPING=1");
  // Whoever asks twice does not want to wait.
  std::thread([] {
    AwaitSignal();
    _exit(kRuntimeError);
  }).detach();
  (*agent)->Stop();
  agent->reset();
  Log(LogLevel::kInfo, "stopped");
  return kGood;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  std::string bad;
  if (!Parse(argc, argv, &arguments, &bad)) {
    fprintf(stderr, "vufd: unknown argument \"%s\"\n%s", bad.c_str(), kUsage);
    return kUsageError;
  }
  if (arguments.help || arguments.version) {
    printf("%s", arguments.help ? kUsage : (std::string("vufd ") + kVersion + "\n").c_str());
    return kGood;
  }
  absl::StatusOr<Config> config = ParseConfig("");
  if (!arguments.config.empty()) config = LoadConfig(arguments.config);
  if (!config.ok()) return Fail(kUsageError, config.status());
  if (arguments.check_config) {
    if (absl::Status good = CheckFiles(*config); !good.ok()) return Fail(kUsageError, good);
    printf("the configuration is good\n");
    return kGood;
  }
  return Run(*config);
}

}  // namespace
}  // namespace vuf

int main(int argc, char** argv) { return vuf::Main(argc, argv); }
