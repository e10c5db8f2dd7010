#include "server/config/validate.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/base/host_port.h"

namespace vuf {
namespace {

// sockaddr_un holds 108 bytes with the final NUL.
constexpr size_t kMaxSocketPath = 107;
constexpr size_t kMaxPath = 4095;
constexpr int kMaxGlobs = 16;
constexpr char kHostCharacters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";

class Validator {
 public:
  explicit Validator(std::vector<std::string>* errors) : errors_(*errors) {}

  void Path(absl::string_view field, const std::string& value, size_t max, std::string* out) {
    if (value.empty()) return;
    if (value[0] != '/' || value.size() > max || value.find('\0') != std::string::npos) {
      Quoted(field, value, absl::StrCat("must be an absolute path of at most ", max, " bytes"));
      return;
    }
    *out = value;
  }

  void Duration(absl::string_view field, bool set, const google::protobuf::Duration& value,
                absl::Duration lowest, absl::Duration highest, absl::Duration* out) {
    if (!set) return;
    const std::optional<absl::Duration> duration = Convert(value);
    if (!duration.has_value() || *duration < lowest || *duration > highest) {
      Add(field,
          duration.has_value()
              ? absl::FormatDuration(*duration)
              : absl::StrCat("seconds: ", value.seconds(), " nanos: ", value.nanos()),
          absl::StrCat("must be from ", absl::FormatDuration(lowest), " to ",
                       absl::FormatDuration(highest)));
      return;
    }
    *out = *duration;
  }

  // 0 cannot be told from a field that is not there: the default.
  void Number(absl::string_view field, uint32_t value, uint32_t highest, uint32_t* out,
              uint32_t lowest = 1) {
    if (value == 0) return;
    if (value < lowest || value > highest) {
      Add(field, absl::StrCat(value), absl::StrCat("must be from ", lowest, " to ", highest));
      return;
    }
    *out = value;
  }

  void RequiredPath(absl::string_view field, const std::string& value, std::string* out) {
    Path(field, value, kMaxPath, out);
    if (value.empty()) Quoted(field, value, "required: the absolute path of a PEM file");
  }

  void TcpAddress(absl::string_view field, const std::string& value, std::string* out) {
    const size_t colon = value.rfind(':');
    const std::string host = colon == std::string::npos ? "" : value.substr(0, colon);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    const bool good_host =
        bracketed ? host.find_first_not_of("[]0123456789abcdefABCDEF:.%") == std::string::npos
                  : !host.empty() && host.find_first_not_of(kHostCharacters) == std::string::npos;
    if (!good_host || !IsPort(value.substr(colon + 1))) {
      Quoted(field, value, "must be HOST:PORT with a port from 1 to 65535, e.g. 0.0.0.0:7473");
      return;
    }
    *out = value;
  }

  void HttpAddress(absl::string_view field, const std::string& value, std::string* out) {
    if (value.empty()) return;
    for (const absl::string_view host : {"127.0.0.1:", "[::1]:", "localhost:"}) {
      if (!absl::StartsWith(value, host)) continue;
      const absl::string_view port = absl::string_view(value).substr(host.size());
      if (!IsPort(port)) break;
      *out = value;
      return;
    }
    Quoted(field, value,
           "must be 127.0.0.1:PORT, [::1]:PORT or localhost:PORT with a port from 1 to 65535");
  }

  // Absent or a numeric host.
  void HttpsAddress(absl::string_view field, const std::string& value, std::string* out) {
    if (value.empty()) return;
    const size_t colon = value.rfind(':');
    std::string host = colon == std::string::npos ? "" : value.substr(0, colon);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    unsigned char bytes[sizeof(in6_addr)];
    if (inet_pton(bracketed ? AF_INET6 : AF_INET, host.c_str(), bytes) != 1 ||
        !IsPort(value.substr(colon + 1))) {
      return Quoted(field, value,
                    "must be HOST:PORT with a numeric host, an IPv6 one in brackets, and a port "
                    "from 1 to 65535, e.g. 0.0.0.0:9443");
    }
    *out = value;
  }

  void PeerAddress(absl::string_view field, const std::string& value, std::string* out) {
    if (!IsHostPort(value)) return Quoted(field, value, absl::StrCat("must be ", kHostPortAllowed));
    *out = value;
  }

  void NumericAddress(absl::string_view field, const std::string& value, std::string* out) {
    unsigned char bytes[sizeof(in6_addr)];
    if (!value.empty() && inet_pton(AF_INET, value.c_str(), bytes) != 1 &&
        inet_pton(AF_INET6, value.c_str(), bytes) != 1) {
      return Quoted(field, value, "must be a numeric IPv4 or IPv6 address of this host");
    }
    *out = value;
  }

  void Globs(absl::string_view field, const google::protobuf::RepeatedPtrField<std::string>& globs,
             std::vector<std::string>* out) {
    if (globs.size() > kMaxGlobs) {
      Add(field, absl::StrCat(globs.size(), " globs"), absl::StrCat("at most ", kMaxGlobs));
    }
    for (int i = 0; i < globs.size() && i < kMaxGlobs; ++i) {
      const std::string name = absl::StrCat(field, "[", i, "]");
      out->emplace_back();
      Path(name, globs[i], kMaxPath, &out->back());
      if (globs[i].empty()) Quoted(name, "", "must be an absolute path, possibly with *, ? or []");
    }
  }

  void Add(absl::string_view field, absl::string_view value, absl::string_view allowed) {
    errors_.push_back(absl::StrCat(field, ": ", value, "; ", allowed));
  }

 private:
  void Quoted(absl::string_view field, const std::string& value, absl::string_view allowed) {
    constexpr size_t kShown = 200;
    const std::string shown = absl::CHexEscape(value.substr(0, kShown));
    Add(field, absl::StrCat("\"", shown, value.size() > kShown ? "...\"" : "\""), allowed);
  }

  static bool IsPort(absl::string_view text) {
    uint32_t port = 0;
    if (text.empty() || text.size() > 5 || text[0] == '0') return false;
    if (text.find_first_not_of("0123456789") != absl::string_view::npos) return false;
    return absl::SimpleAtoi(text, &port) && port <= 65535;
  }

  static std::optional<absl::Duration> Convert(const google::protobuf::Duration& value) {
    if (value.nanos() <= -1'000'000'000 || value.nanos() >= 1'000'000'000) return std::nullopt;
    if ((value.seconds() > 0 && value.nanos() < 0) || (value.seconds() < 0 && value.nanos() > 0)) {
      return std::nullopt;
    }
    return absl::Seconds(value.seconds()) + absl::Nanoseconds(value.nanos());
  }

  std::vector<std::string>& errors_;
};

void ValidateLog(const config::v1::Log& log, Validator& validator, Config& config) {
  switch (log.level()) {
    case config::v1::Log::LEVEL_UNSPECIFIED:
    case config::v1::Log::LEVEL_INFO:
      config.log_level = Config::LogLevel::kInfo;
      break;
    case config::v1::Log::LEVEL_DEBUG:
      config.log_level = Config::LogLevel::kDebug;
      break;
    case config::v1::Log::LEVEL_WARNING:
      config.log_level = Config::LogLevel::kWarning;
      break;
    case config::v1::Log::LEVEL_ERROR:
      config.log_level = Config::LogLevel::kError;
      break;
    default:
      validator.Add("log.level", absl::StrCat(static_cast<int>(log.level())),
                    "must be LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARNING or LEVEL_ERROR");
  }
  if (!config::v1::Log::Format_IsValid(log.format())) {
    validator.Add("log.format", absl::StrCat(static_cast<int>(log.format())),
                  "must be FORMAT_TEXT or FORMAT_JSON");
  }
  config.log_json = log.format() == config::v1::Log::FORMAT_JSON;
}

void ValidatePeer(const config::v1::Config& message, Validator& validator, Config& config) {
  if (!message.has_peer()) return;
  const config::v1::Peer& peer = message.peer();
  validator.PeerAddress("peer.address", peer.address(), &config.peer_address);
  if (!message.has_tls()) validator.Add("peer", "given without tls", "must come with tls");
  validator.NumericAddress("peer.stream_address", peer.stream_address(), &config.stream_address);
  validator.Number("peer.max_incoming", peer.max_incoming(), 64, &config.max_incoming);
  validator.Duration("peer.lease", peer.has_lease(), peer.lease(), absl::Seconds(1),
                     absl::Minutes(5), &config.lease);
}

void ValidateTls(const config::v1::Tls& tls, Validator& validator, Config::Tls& out) {
  validator.TcpAddress("tls.listen_address", tls.listen_address(), &out.listen_address);
  validator.RequiredPath("tls.certificate_file", tls.certificate_file(), &out.certificate_file);
  validator.RequiredPath("tls.private_key_file", tls.private_key_file(), &out.private_key_file);
  validator.RequiredPath("tls.client_ca_file", tls.client_ca_file(), &out.client_ca_file);
  validator.HttpsAddress("tls.http_address", tls.http_address(), &out.http_address);
}

void ValidateLimits(const config::v1::Config& message, Validator& validator, Config& config) {
  const config::v1::Limits& limits = message.limits();
  validator.Number("limits.requests_per_second", limits.requests_per_second(), 100000,
                   &config.limits.requests_per_second);
  validator.Number("limits.burst", limits.burst(), 100000, &config.limits.burst);
  validator.Number("limits.requests_in_flight", limits.requests_in_flight(), 10000,
                   &config.limits.requests_in_flight);
  validator.Number("limits.request_bytes", limits.request_bytes(), 64 << 20,
                   &config.limits.request_bytes, 64 << 10);
  validator.Number("audit.file_bytes", message.audit().file_bytes(), 1 << 30,
                   &config.audit.file_bytes, 4 << 10);
  validator.Number("audit.files", message.audit().files(), 10000, &config.audit.files, 2);
}

void ValidateMigrations(const config::v1::Migrations& migrations, Validator& validator,
                        Config& config) {
  validator.Number("migrations.max_concurrent", migrations.max_concurrent(), 64,
                   &config.max_concurrent_migrations);
  validator.Duration("migrations.default_timeout", migrations.has_default_timeout(),
                     migrations.default_timeout(), absl::Seconds(1), absl::Hours(24),
                     &config.default_migration_timeout);
  validator.Number("migrations.history_limit", migrations.history_limit(), 100000,
                   &config.migration_history_limit);
  if (migrations.has_max_queued()) {
    config.max_queued_migrations = 0;
    validator.Number("migrations.max_queued", migrations.max_queued(), 1000,
                     &config.max_queued_migrations);
  }
  validator.Duration("migrations.stuck_timeout", migrations.has_stuck_timeout(),
                     migrations.stuck_timeout(), absl::Seconds(5), absl::Hours(24),
                     &config.stuck_timeout);
  validator.Duration("migrations.switchover_timeout", migrations.has_switchover_timeout(),
                     migrations.switchover_timeout(), absl::Seconds(1), absl::Seconds(60),
                     &config.switchover_timeout);
}

}  // namespace

Config ValidateConfig(const config::v1::Config& message, std::vector<std::string>* errors) {
  Config config;
  Validator validator(errors);
  validator.Path("listen_socket", message.listen_socket(), kMaxSocketPath, &config.listen_socket);
  validator.Path("state_directory", message.state_directory(), kMaxPath, &config.state_directory);
  validator.HttpAddress("http_address", message.http_address(), &config.http_address);
  const config::v1::Discovery& discovery = message.discovery();
  validator.Globs("discovery.qmp_socket_globs", discovery.qmp_socket_globs(),
                  &config.qmp_socket_globs);
  validator.Duration("discovery.period", discovery.has_period(), discovery.period(),
                     absl::Seconds(1), absl::Hours(1), &config.discovery_period);
  validator.Duration("discovery.qmp_timeout", discovery.has_qmp_timeout(), discovery.qmp_timeout(),
                     absl::Milliseconds(100), absl::Seconds(60), &config.qmp_timeout);
  ValidateMigrations(message.migrations(), validator, config);
  ValidateLog(message.log(), validator, config);
  validator.Number("decisions.history_limit", message.decisions().history_limit(), 100000,
                   &config.decision_history_limit);
  validator.Number("decisions.history_bytes", message.decisions().history_bytes(), 1 << 30,
                   &config.decision_history_bytes);
  if (message.has_tls()) ValidateTls(message.tls(), validator, config.tls);
  validator.Path("roles_file", message.roles_file(), kMaxPath, &config.roles_file);
  validator.Path("policy_file", message.policy_file(), kMaxPath, &config.policy_file);
  ValidateLimits(message, validator, config);
  ValidatePeer(message, validator, config);
  return config;
}

}  // namespace vuf
