#include "server/service/migration_request.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/base/host_port.h"
#include "server/convert/convert.h"
#include "server/service/validate.h"

namespace vuf {
namespace {

using Modes = google::protobuf::RepeatedField<int>;

absl::Status CheckModes(absl::string_view field, const Modes& modes) {
  constexpr char kAllowed[] = "MIGRATION_MODE_STATELESS, MIGRATION_MODE_STATEFUL or both";
  if (modes.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": required; expected ", kAllowed));
  }
  for (const int mode : modes) {
    if (mode == v1::MIGRATION_MODE_STATELESS || mode == v1::MIGRATION_MODE_STATEFUL) continue;
    const std::string& name = v1::MigrationMode_Name(static_cast<v1::MigrationMode>(mode));
    return InvalidField(field, name.empty() ? absl::StrCat(mode) : name, kAllowed);
  }
  return absl::OkStatus();
}

absl::Status CheckStateFile(absl::string_view field, const std::string& path) {
  constexpr size_t kMaxBytes = 4095;
  constexpr char kAllowed[] = "the absolute path of a file that does not exist, at most 4095 bytes";
  if (path.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": required; expected ", kAllowed));
  }
  const bool good = path.front() == '/' && path.back() != '/' && path.size() <= kMaxBytes &&
                    path.find('\0') == std::string::npos;
  return good ? absl::OkStatus() : InvalidField(field, path, kAllowed);
}

absl::Status CheckRamTransfer(absl::string_view field, v1::RamTransfer value) {
  if (v1::RamTransfer_IsValid(value)) return absl::OkStatus();
  return InvalidField(field, absl::StrCat(static_cast<int>(value)),
                      "RAM_TRANSFER_COPY or RAM_TRANSFER_SHARED");
}

absl::Status CheckPriority(absl::string_view field, int32_t value) {
  if (value >= 0 && value <= 1000) return absl::OkStatus();
  return InvalidField(field, absl::StrCat(value), "0 to 1000");
}

absl::Status CheckTimeout(absl::string_view field, const google::protobuf::Duration& value) {
  return CheckDuration(field, value, absl::Seconds(1), absl::Hours(24));
}

absl::Status CheckFingerprint(const std::string& value) {
  bool good = value.size() <= 128;
  for (const char c : value) good = good && absl::ascii_isxdigit(c);
  if (good) return absl::OkStatus();
  return InvalidField("migration.required_fingerprint", value,
                      "the fingerprint of an earlier verdict (hex digits)");
}

absl::Status CheckLimits(const v1::Migration& migration) {
  absl::Status status;
  if (migration.has_timeout()) status = CheckTimeout("migration.timeout", migration.timeout());
  if (status.ok() && migration.has_downtime_limit()) {
    status = CheckDuration("migration.downtime_limit", migration.downtime_limit(),
                           absl::Milliseconds(1), absl::Seconds(2000));
  }
  if (status.ok() && !v1::SourceDisposition_IsValid(migration.source_disposition())) {
    status = InvalidField("migration.source_disposition",
                          absl::StrCat(static_cast<int>(migration.source_disposition())),
                          "SOURCE_DISPOSITION_KEEP or SOURCE_DISPOSITION_QUIT");
  }
  if (status.ok()) status = CheckRamTransfer("migration.ram_transfer", migration.ram_transfer());
  if (status.ok()) status = CheckPriority("migration.priority", migration.priority());
  if (status.ok()) status = CheckFingerprint(migration.required_fingerprint());
  return status;
}

}  // namespace

absl::Status CheckDestination(const std::string& field, const v1::Destination& destination) {
  if (destination.has_sequential()) {
    const absl::Status socket = CheckSocketPath(absl::StrCat(field, ".sequential.qmp_socket"),
                                                destination.sequential().qmp_socket());
    if (!socket.ok()) return socket;
    return CheckStateFile(absl::StrCat(field, ".sequential.state_file"),
                          destination.sequential().state_file());
  }
  if (destination.has_other_host()) {
    const std::string& agent = destination.other_host().agent();
    if (!IsHostPort(agent)) {
      return InvalidField(absl::StrCat(field, ".other_host.agent"), agent, kHostPortAllowed);
    }
    return CheckSocketPath(absl::StrCat(field, ".other_host.qmp_socket"),
                           destination.other_host().qmp_socket());
  }
  if (!destination.has_same_host()) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": required; expected .same_host, .sequential or .other_host"));
  }
  return CheckSocketPath(absl::StrCat(field, ".same_host.qmp_socket"),
                         destination.same_host().qmp_socket());
}

absl::Status CheckHow(const v1::EvaluateMigrationRequest& request) {
  const absl::Status status = CheckModes("allowed_modes", request.allowed_modes());
  return status.ok() ? CheckRamTransfer("ram_transfer", request.ram_transfer()) : status;
}

absl::Status CheckRequest(const v1::EvaluateMigrationRequest& request) {
  absl::Status status = CheckName("vm", "vms", request.vm());
  if (status.ok() && request.has_destination()) {
    status = CheckDestination("destination", request.destination());
  }
  return status.ok() ? CheckHow(request) : status;
}

absl::Status CheckRequest(const v1::CreateMigrationRequest& request) {
  const v1::Migration& migration = request.migration();
  absl::Status status = CheckName("migration.vm", "vms", migration.vm());
  if (status.ok()) status = CheckDestination("migration.destination", migration.destination());
  if (status.ok()) status = CheckModes("migration.allowed_modes", migration.allowed_modes());
  if (status.ok()) status = CheckLimits(migration);
  if (status.ok()) status = CheckRequestId(request.request_id(), true);
  return status;
}

absl::Status CheckRequest(const v1::UpgradeVmRequest& request) {
  absl::Status status = CheckName("vm", "vms", request.vm());
  if (status.ok() && request.destination().has_other_host()) {
    status = absl::InvalidArgumentError(
        "destination.other_host: an upgrade stays on its host; CreateMigration leaves it");
  }
  if (status.ok()) status = CheckDestination("destination", request.destination());
  if (status.ok() && !request.allowed_modes().empty()) {
    status = CheckModes("allowed_modes", request.allowed_modes());
  }
  if (status.ok()) status = CheckRamTransfer("ram_transfer", request.ram_transfer());
  if (status.ok() && request.has_timeout()) status = CheckTimeout("timeout", request.timeout());
  if (status.ok()) status = CheckPriority("priority", request.priority());
  if (status.ok()) status = CheckRequestId(request.request_id(), true);
  return status;
}

absl::Status CheckIsElsewhere(const std::string& field, const v1::Destination& destination,
                              const v1::Vm& vm) {
  const std::string& socket = MonitorOf(destination);
  // The same path on another host is another one.
  if (destination.has_other_host() || socket != vm.qmp_socket()) return absl::OkStatus();
  const char* const form = destination.has_sequential() ? ".sequential" : ".same_host";
  return InvalidField(absl::StrCat(field, form, ".qmp_socket"), socket,
                      "the monitor of another QEMU; this is the source's own");
}

v1::Migration InputOf(const v1::Migration& in) {
  v1::Migration out = in;
  out.clear_name();
  out.clear_state();
  out.clear_verdict();
  out.clear_progress();
  out.clear_message();
  out.clear_create_time();
  out.clear_end_time();
  out.clear_revision();
  out.clear_source_qemu();
  out.clear_destination_qemu();
  out.clear_permits();
  out.clear_requested_by();
  out.clear_reservation();
  return out;
}

v1::Migration MigrationOf(const v1::UpgradeVmRequest& request) {
  v1::Migration out;
  out.set_vm(request.vm());
  *out.mutable_destination() = request.destination();
  *out.mutable_allowed_modes() = request.allowed_modes();
  if (out.allowed_modes().empty()) {
    out.add_allowed_modes(v1::MIGRATION_MODE_STATELESS);
    out.add_allowed_modes(v1::MIGRATION_MODE_STATEFUL);
  }
  out.set_source_disposition(v1::SOURCE_DISPOSITION_QUIT);
  out.set_ram_transfer(request.ram_transfer());
  if (request.has_timeout()) *out.mutable_timeout() = request.timeout();
  out.set_priority(request.priority());
  return out;
}

Request ModelRequest(const v1::EvaluateMigrationRequest& request) {
  Request out;
  for (const int mode : request.allowed_modes()) {
    if (mode == v1::MIGRATION_MODE_STATELESS) out.allow_stateless = true;
    if (mode == v1::MIGRATION_MODE_STATEFUL) out.allow_stateful = true;
  }
  out.has_destination = request.has_destination();
  out.sequential = request.destination().has_sequential();
  out.shared_ram = request.ram_transfer() == v1::RAM_TRANSFER_SHARED;
  return out;
}

}  // namespace vuf
