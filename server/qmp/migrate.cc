// What changes QEMU: settings, and the two ends of a migration.
#include <fcntl.h>
#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/qmp/parse.h"
#include "server/qmp/qmp_hypervisor.h"

namespace vuf {
namespace {

using Json = nlohmann::json;

// Descriptors have names per monitor, so this one cannot meet another client's.
constexpr char kStreamName[] = "vufd-migration";

// The part of `wanted` that differs from `now`: QEMU refuses even to be told what it does already
// while a migration is under way.
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

}  // namespace

absl::StatusOr<MigrationSettings> QmpHypervisor::QuerySettings(absl::Time deadline) {
  const absl::StatusOr<Json> known = Run({"query-migrate-capabilities"}, deadline);
  if (!known.ok()) return known.status();
  absl::StatusOr<std::map<std::string, bool>> capabilities = ParseCapabilities(*known);
  if (!capabilities.ok()) return capabilities.status();
  const absl::StatusOr<Json> values = Run({"query-migrate-parameters"}, deadline);
  if (!values.ok()) return values.status();
  absl::StatusOr<MigrationSettings> settings = ParseParameters(*values);
  if (settings.ok()) settings->capabilities = *std::move(capabilities);
  return settings;
}

absl::StatusOr<MigrationSettings> QmpHypervisor::Configure(const MigrationSettings& settings,
                                                           absl::Time deadline) {
  const absl::StatusOr<MigrationSettings> now = QuerySettings(deadline);
  if (!now.ok()) return now.status();
  absl::StatusOr<MigrationSettings> before = Before(settings, *now);
  if (!before.ok()) return before.status();

  MigrationSettings change = settings;
  change.capabilities = Difference(settings.capabilities, now->capabilities);
  if (change.mode == now->mode || !now->mode) change.mode.reset();
  absl::Status status = SetCapabilities(change.capabilities, deadline);
  if (!status.ok()) return status;
  status = SetParameters(change, deadline);
  if (status.ok()) return before;
  // All or nothing: a caller that gets an error has nothing to put back.
  const absl::Status undone =
      SetCapabilities(Difference(before->capabilities, settings.capabilities), deadline);
  if (undone.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(status.message(),
                                                  "; and putting back failed: ", undone.message()));
}

absl::Status QmpHypervisor::SetCapabilities(const std::map<std::string, bool>& capabilities,
                                            absl::Time deadline) {
  if (capabilities.empty()) return absl::OkStatus();
  Json list = Json::array();
  for (const auto& [name, state] : capabilities) {
    list.push_back({{"capability", name}, {"state", state}});
  }
  return Run({"migrate-set-capabilities", Json::object({{"capabilities", list}})}, deadline)
      .status();
}

absl::Status QmpHypervisor::SetParameters(const MigrationSettings& settings, absl::Time deadline) {
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
  if (arguments.empty()) return absl::OkStatus();
  return Run({"migrate-set-parameters", arguments}, deadline).status();
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
