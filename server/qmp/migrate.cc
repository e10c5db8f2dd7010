// What changes QEMU: settings, and the two ends of a migration.
#include <fcntl.h>
#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/qmp/parse.h"
#include "server/qmp/qmp_hypervisor.h"
#include "server/qmp/queries.h"

namespace vuf {
namespace {

using Json = nlohmann::json;

// Descriptors have names per monitor, so this one cannot meet another client's.
constexpr char kStreamName[] = "vufd-migration";

// The part of `wanted` that differs from `now`.
std::map<std::string, bool> Difference(const std::map<std::string, bool>& wanted,
                                       const std::map<std::string, bool>& now) {
  std::map<std::string, bool> out;
  for (const auto& [name, state] : wanted) {
    if (now.at(name) != state) out[name] = state;
  }
  return out;
}

absl::Status NoParameter(absl::string_view name) {
  return absl::FailedPreconditionError(
      absl::StrCat("this QEMU has no migration parameter \"", name, "\""));
}

// What `wanted` names, as it is in `now`.
absl::StatusOr<MigrationSettings> Before(const MigrationSettings& wanted,
                                         const MigrationSettings& now) {
  MigrationSettings before;
  for (const auto& [name, state] : wanted.capabilities) {
    const auto it = now.capabilities.find(name);
    if (it == now.capabilities.end()) {
      return absl::FailedPreconditionError(
          absl::StrCat("this QEMU has no migration capability \"", name, "\""));
    }
    before.capabilities[name] = it->second;
  }
  // QEMU before 8.2 knows no other mode than this.
  if (wanted.mode && !now.mode && *wanted.mode != "normal") return NoParameter("mode");
  if (wanted.mode) before.mode = now.mode;
  const auto take = [&](auto member, absl::string_view name) {
    if (wanted.*member) before.*member = now.*member;
    return wanted.*member && !(now.*member) ? NoParameter(name) : absl::OkStatus();
  };
  for (const absl::Status& status :
       {take(&MigrationSettings::downtime_limit, "downtime-limit"),
        take(&MigrationSettings::max_bandwidth, "max-bandwidth"),
        take(&MigrationSettings::cpu_throttle_initial, "cpu-throttle-initial"),
        take(&MigrationSettings::max_cpu_throttle, "max-cpu-throttle")}) {
    if (!status.ok()) return status;
  }
  return before;
}

template <typename T>
void Apply(const std::optional<T>& wanted, std::optional<T>& now) {
  if (wanted.has_value()) now = wanted;
}

// `now` with what `wanted` names as it is there.
MigrationSettings Applied(const MigrationSettings& wanted, MigrationSettings now) {
  for (const auto& [name, state] : wanted.capabilities) now.capabilities[name] = state;
  Apply(wanted.mode, now.mode);
  Apply(wanted.downtime_limit, now.downtime_limit);
  Apply(wanted.max_bandwidth, now.max_bandwidth);
  Apply(wanted.cpu_throttle_initial, now.cpu_throttle_initial);
  Apply(wanted.max_cpu_throttle, now.max_cpu_throttle);
  return now;
}

Json Parameters(const MigrationSettings& settings) {
  Json arguments = Json::object();
  if (settings.mode) arguments["mode"] = *settings.mode;
  if (settings.downtime_limit) {
    arguments["downtime-limit"] = absl::ToInt64Milliseconds(*settings.downtime_limit);
  }
  if (settings.max_bandwidth) arguments["max-bandwidth"] = *settings.max_bandwidth;
  if (settings.cpu_throttle_initial) {
    arguments["cpu-throttle-initial"] = *settings.cpu_throttle_initial;
  }
  if (settings.max_cpu_throttle) arguments["max-cpu-throttle"] = *settings.max_cpu_throttle;
  return arguments;
}

std::vector<QmpCommand> SetCommands(const MigrationSettings& settings) {
  std::vector<QmpCommand> commands;
  Json list = Json::array();
  for (const auto& [name, state] : settings.capabilities) {
    list.push_back({{"capability", name}, {"state", state}});
  }
  if (!list.empty()) {
    commands.push_back({"migrate-set-capabilities", Json::object({{"capabilities", list}})});
  }
  const Json parameters = Parameters(settings);
  if (!parameters.empty()) commands.push_back({"migrate-set-parameters", parameters});
  return commands;
}

}  // namespace

absl::StatusOr<MigrationSettings> QmpHypervisor::QuerySettings(absl::Time deadline) {
  if (settings_.has_value() && IsJustNow(settings_at_, clock_->Now())) return *settings_;
  const absl::StatusOr<std::vector<QmpReply>> replies =
      connection_->RunAll({{"query-migrate-capabilities"}, {"query-migrate-parameters"}}, deadline);
  if (!replies.ok()) return replies.status();
  return ReadSettings(replies->front(), replies->back());
}

absl::StatusOr<MigrationSettings> QmpHypervisor::ReadSettings(const QmpReply& capabilities,
                                                              const QmpReply& parameters) {
  settings_.reset();
  absl::StatusOr<std::map<std::string, bool>> parsed =
      Read(capabilities, "query-migrate-capabilities", ParseCapabilities);
  if (!parsed.ok()) return parsed.status();
  absl::StatusOr<MigrationSettings> settings =
      Read(parameters, "query-migrate-parameters", ParseParameters);
  if (!settings.ok()) return settings.status();
  settings->capabilities = *std::move(parsed);
  Remember(*settings);
  return settings;
}

void QmpHypervisor::Remember(const MigrationSettings& settings) {
  settings_ = settings;
  settings_at_ = clock_->Now();
}

absl::StatusOr<MigrationSettings> QmpHypervisor::Configure(const MigrationSettings& settings,
                                                           absl::Time deadline) {
  absl::StatusOr<MigrationSettings> now = QuerySettings(deadline);
  if (!now.ok()) return now.status();
  absl::StatusOr<MigrationSettings> before = Before(settings, *now);
  if (!before.ok()) return before.status();
  MigrationSettings change = settings;
  if (!now->mode) change.mode.reset();
  absl::Status status = Set(change, deadline);
  if (absl::IsFailedPrecondition(status)) {
    // QEMU refuses even to be told what it does already while a migration is under way.
    settings_.reset();
    now = QuerySettings(deadline);
    if (!now.ok()) return now.status();
    change.capabilities = Difference(settings.capabilities, now->capabilities);
    status = Set(change, deadline);
  }
  if (status.ok()) {
    Remember(Applied(change, *now));
    return before;
  }
  // All or nothing: a caller that gets an error has nothing to put back.
  settings_.reset();
  MigrationSettings undo;
  undo.capabilities = Difference(before->capabilities, settings.capabilities);
  const absl::Status undone = Set(undo, deadline);
  if (undone.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(status.message(),
                                                  "; and putting back failed: ", undone.message()));
}

absl::Status QmpHypervisor::Set(const MigrationSettings& settings, absl::Time deadline) {
  std::vector<QmpCommand> commands = SetCommands(settings);
  if (commands.empty()) return absl::OkStatus();
  const absl::StatusOr<std::vector<QmpReply>> replies = connection_->RunAll(commands, deadline);
  if (!replies.ok()) return replies.status();
  for (size_t i = 0; i < commands.size(); ++i) {
    if (!(*replies)[i].ok()) return (*replies)[i].ToStatus(commands[i].name);
  }
  return absl::OkStatus();
}

absl::Status QmpHypervisor::RunWithStream(const char* command, nlohmann::json arguments,
                                          int stream_fd, absl::Time deadline) {
  struct stat info;
  if (fstat(stream_fd, &info) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("stream_fd ", stream_fd, " is not an open descriptor"));
  }
  // "fd:" takes no files since QEMU 11; a descriptor set can be opened like one.
  return S_ISREG(info.st_mode) ? RunWithFile(command, std::move(arguments), stream_fd, deadline)
                               : RunWithSocket(command, std::move(arguments), stream_fd, deadline);
}

absl::Status QmpHypervisor::RunWithSocket(const char* command, nlohmann::json arguments, int fd,
                                          absl::Time deadline) {
  const Json name = {{"fdname", kStreamName}};
  const absl::StatusOr<QmpReply> named = connection_->RunWithFd({"getfd", name}, fd, deadline);
  if (!named.ok()) return named.status();
  if (!named->ok()) return named->ToStatus("getfd");
  arguments["uri"] = absl::StrCat("fd:", kStreamName);
  const absl::Status status = Run({command, std::move(arguments)}, deadline).status();
  // Refused: QEMU may still hold the descriptor, and the peer would wait for an end of file.
  if (absl::IsFailedPrecondition(status)) (void)Run({"closefd", name}, deadline);
  return status;
}

absl::Status QmpHypervisor::RunWithFile(const char* command, nlohmann::json arguments, int fd,
                                        absl::Time deadline) {
  const absl::StatusOr<QmpReply> added =
      connection_->RunWithFd({"add-fd", Json::object()}, fd, deadline);
  if (!added.ok()) return added.status();
  if (!added->ok()) return added->ToStatus("add-fd");
  const absl::StatusOr<uint64_t> set = ParseFdSet(*added->value);
  if (!set.ok()) return set.status();
  arguments["uri"] = absl::StrCat("file:/dev/fdset/", *set);
  const absl::Status status = Run({command, std::move(arguments)}, deadline).status();
  // QEMU has a duplicate of its own once it has begun.
  (void)Run({"remove-fd", Json::object({{"fdset-id", *set}})}, deadline);
  return status;
}

absl::Status QmpHypervisor::PrepareIncoming(int stream_fd, absl::Time deadline) {
  return RunWithStream("migrate-incoming", Json::object({{"exit-on-error", false}}), stream_fd,
                       deadline);
}

absl::Status QmpHypervisor::StartOutgoing(int stream_fd, absl::Time deadline) {
  return RunWithStream("migrate", Json::object(), stream_fd, deadline);
}

}  // namespace vuf
