// The agent's configuration file: never a crash, and whatever is accepted is within its limits.
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "server/config/config.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::StatusOr<vuf::Config> config =
      vuf::ParseConfig(absl::string_view(reinterpret_cast<const char*>(data), size));
  if (!config.ok()) {
    vuf::Require(absl::IsInvalidArgument(config.status()) && !config.status().message().empty());
    return 0;
  }
  vuf::Require(config->listen_socket.at(0) == '/' && config->listen_socket.size() <= 107);
  vuf::Require(config->state_directory.at(0) == '/');
  vuf::Require(config->discovery_period >= absl::Seconds(1) &&
               config->discovery_period <= absl::Hours(1));
  vuf::Require(config->qmp_timeout >= absl::Milliseconds(100) &&
               config->qmp_timeout <= absl::Seconds(60));
  vuf::Require(config->default_migration_timeout >= absl::Seconds(1) &&
               config->default_migration_timeout <= absl::Hours(24));
  vuf::Require(config->max_concurrent_migrations >= 1 && config->max_concurrent_migrations <= 64);
  vuf::Require(config->qmp_socket_globs.size() <= 16);
  return 0;
}
