// The agent's configuration, validated.
#ifndef VUFD_SERVER_CONFIG_CONFIG_H_
#define VUFD_SERVER_CONFIG_CONFIG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace vuf {

struct Config {
  enum class LogLevel { kDebug, kInfo, kWarning, kError };
  std::string listen_socket = "/run/vufd/vufd.sock";
  std::string state_directory = "/var/lib/vufd";
  // Empty: no HTTP.
  std::string http_address;
  std::vector<std::string> qmp_socket_globs;
  absl::Duration discovery_period = absl::Seconds(10);
  absl::Duration qmp_timeout = absl::Seconds(5);
  uint32_t max_concurrent_migrations = 4;
  absl::Duration default_migration_timeout = absl::Minutes(5);
  uint32_t migration_history_limit = 1000;
  uint32_t max_queued_migrations = 100;
  absl::Duration stuck_timeout = absl::Minutes(1);
  absl::Duration switchover_timeout = absl::Seconds(10);
  LogLevel log_level = LogLevel::kInfo;
  bool log_json = false;
  uint32_t decision_history_limit = 1000;
  uint32_t decision_history_bytes = 32 << 20;
  // Empty: no migrations between hosts.
  std::string peer_address;
  // Empty: nothing comes in.
  std::string stream_address;
  uint32_t max_incoming = 4;
  absl::Duration lease = absl::Seconds(15);
  // An empty address: no TCP.
  struct Tls {
    std::string listen_address;
    std::string certificate_file;
    std::string private_key_file;
    std::string client_ca_file;
    // Empty: no HTTP over TLS.
    std::string http_address;
  } tls;
  // Empty: the roles that hold without one.
  std::string roles_file;
  // Empty: no policies but those that come by the API.
  std::string policy_file;
  struct Limits {
    uint32_t requests_per_second = 100;
    uint32_t burst = 200;
    uint32_t requests_in_flight = 64;
    uint32_t request_bytes = (1 << 20) + (64 << 10);
  } limits;
  struct Audit {
    uint32_t file_bytes = 8 << 20;
    uint32_t files = 16;
  } audit;
};

// Parses protobuf text format (proto/vuf/config/v1/config.proto). INVALID_ARGUMENT lists every
// error found, each with the line or the field, the value and what is allowed.
absl::StatusOr<Config> ParseConfig(absl::string_view text);
// Reads and parses a file; the error names it. At most 1 MiB.
absl::StatusOr<Config> LoadConfig(const std::string& path);

}  // namespace vuf

#endif  // VUFD_SERVER_CONFIG_CONFIG_H_
