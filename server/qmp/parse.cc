#include "server/qmp/parse.h"

#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "server/qmp/json_lines.h"

namespace vuf {
namespace {

using Json = nlohmann::json;

absl::Status Unexpected(const Json& value, absl::string_view expected) {
  return absl::FailedPreconditionError(
      absl::StrCat("QEMU's answer is not ", expected, ": ",
                   Excerpt(value.dump(-1, ' ', true, Json::error_handler_t::replace))));
}

std::optional<uint64_t> Unsigned(const Json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_number_unsigned()) return std::nullopt;
  return it->get<uint64_t>();
}

std::optional<absl::Duration> Duration(const Json& object, const char* key) {
  const std::optional<uint64_t> ms = Unsigned(object, key);
  if (!ms || *ms > uint64_t{std::numeric_limits<int64_t>::max()}) return std::nullopt;
  return absl::Milliseconds(static_cast<int64_t>(*ms));
}

std::optional<std::string> String(const Json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_string()) return std::nullopt;
  return it->get<std::string>();
}

std::optional<bool> Bool(const Json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_boolean()) return std::nullopt;
  return it->get<bool>();
}

bool IsObjectList(const Json& value) {
  if (!value.is_array()) return false;
  for (const Json& entry : value) {
    if (!entry.is_object()) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<Version> ParseVersion(const Json& greeting) {
  const auto version = greeting.find("version");
  if (!greeting.is_object() || version == greeting.end() || !version->is_object() ||
      !version->contains("qemu") || !(*version)["qemu"].is_object()) {
    return Unexpected(greeting, "a greeting with a version");
  }
  const Json& qemu = (*version)["qemu"];
  Version out;
  for (const auto& [key, number] : {std::pair<const char*, int*>{"major", &out.major},
                                    {"minor", &out.minor},
                                    {"micro", &out.micro}}) {
    const std::optional<uint64_t> value = Unsigned(qemu, key);
    if (!value || *value > 1000000) return Unexpected(greeting, "a version");
    *number = static_cast<int>(*value);
  }
  return out;
}

absl::StatusOr<std::string> ParseString(const Json& value) {
  if (!value.is_string()) return Unexpected(value, "a string");
  return value.get<std::string>();
}

absl::StatusOr<std::string> ParseMember(const Json& value, const char* key, bool optional) {
  if (value.is_object()) {
    if (optional && !value.contains(key)) return std::string();
    if (std::optional<std::string> text = String(value, key)) return *std::move(text);
  }
  return Unexpected(value, absl::StrCat("an object with the string \"", key, "\""));
}

absl::StatusOr<uint32_t> ParseUint32(const Json& value) {
  if (!value.is_number_unsigned() || value.get<uint64_t>() > std::numeric_limits<uint32_t>::max()) {
    return Unexpected(value, "a number of 32 bits");
  }
  return static_cast<uint32_t>(value.get<uint64_t>());
}

absl::StatusOr<std::string> ParsePciAddress(const Json& value) {
  if (!value.is_number_unsigned() || value.get<uint64_t>() > 0xff) {
    return Unexpected(value, "a PCI slot and function");
  }
  const uint64_t number = value.get<uint64_t>();
  return absl::StrCat(absl::Hex(number >> 3, absl::kZeroPad2), ".", number & 7);
}

ChardevFacts ParseChardevFilename(const std::string& filename) {
  ChardevFacts facts;
  facts.filename = filename;
  absl::string_view rest = filename;
  facts.connected = !absl::ConsumePrefix(&rest, "disconnected:");
  // A comma begins options (server=on: QEMU listens itself; abstract=on), or belongs to the name:
  // QEMU does not tell them apart. A relative path is relative to a directory nobody knows.
  if (absl::ConsumePrefix(&rest, "unix:") && absl::StartsWith(rest, "/") &&
      !absl::StrContains(rest, ',') && rest.find('\0') == absl::string_view::npos) {
    facts.socket_path = std::string(rest);
  }
  return facts;
}

absl::StatusOr<std::map<std::string, ChardevFacts>> ParseChardevs(const Json& value) {
  std::map<std::string, ChardevFacts> out;
  if (!IsObjectList(value)) return Unexpected(value, "a list of character devices");
  for (const Json& entry : value) {
    const std::optional<std::string> label = String(entry, "label");
    const std::optional<std::string> filename = String(entry, "filename");
    if (!label || !filename) return Unexpected(entry, "a character device");
    out[*label] = ParseChardevFilename(*filename);
  }
  return out;
}

absl::StatusOr<std::vector<MemoryBackendFacts>> ParseMemdevs(const Json& value) {
  std::vector<MemoryBackendFacts> out;
  if (!IsObjectList(value)) return Unexpected(value, "a list of memory back-ends");
  for (const Json& entry : value) {
    const std::optional<uint64_t> size = Unsigned(entry, "size");
    // Absent before QEMU 6.1, and a guest whose memory is not known to be shared is not safe.
    const std::optional<bool> share = Bool(entry, "share");
    if (!size || !share) return Unexpected(entry, "a memory back-end with size and share");
    out.push_back({String(entry, "id").value_or(""), *size, *share, std::nullopt, std::nullopt});
  }
  return out;
}

absl::StatusOr<MigrationInfo> ParseMigration(const Json& value) {
  if (!value.is_object()) return Unexpected(value, "an object");
  MigrationInfo info;
  if (value.contains("status")) {
    const std::optional<std::string> status = String(value, "status");
    if (!status) return Unexpected(value, "a migration with a status");
    info.status = *status == "none" ? "" : *status;
  }
  info.error_desc = String(value, "error-desc").value_or("");
  if (const auto ram = value.find("ram"); ram != value.end() && ram->is_object()) {
    info.ram_transferred = Unsigned(*ram, "transferred").value_or(0);
    info.ram_remaining = Unsigned(*ram, "remaining").value_or(0);
    info.ram_total = Unsigned(*ram, "total").value_or(0);
    info.dirty_sync_count = Unsigned(*ram, "dirty-sync-count").value_or(0);
  }
  info.expected_downtime = Duration(value, "expected-downtime");
  info.downtime = Duration(value, "downtime");
  info.total_time = Duration(value, "total-time");
  info.cpu_throttle = Unsigned(value, "cpu-throttle-percentage").value_or(0);
  return info;
}

absl::StatusOr<std::vector<std::string>> ParseBlockedReasons(const Json& value) {
  std::vector<std::string> out;
  if (!value.is_object()) return Unexpected(value, "an object");
  const auto reasons = value.find("blocked-reasons");
  if (reasons == value.end()) return out;
  if (!reasons->is_array()) return Unexpected(*reasons, "a list of reasons");
  for (const Json& reason : *reasons) {
    if (!reason.is_string()) return Unexpected(*reasons, "a list of strings");
    out.push_back(reason.get<std::string>());
  }
  return out;
}

absl::StatusOr<std::map<std::string, bool>> ParseCapabilities(const Json& value) {
  std::map<std::string, bool> out;
  if (!IsObjectList(value)) return Unexpected(value, "a list of capabilities");
  for (const Json& entry : value) {
    const std::optional<std::string> name = String(entry, "capability");
    const std::optional<bool> state = Bool(entry, "state");
    if (!name || !state) return Unexpected(entry, "a capability with its state");
    out[*name] = *state;
  }
  return out;
}

absl::StatusOr<MigrationSettings> ParseParameters(const Json& value) {
  if (!value.is_object()) return Unexpected(value, "an object");
  MigrationSettings out;
  if (value.contains("mode")) {
    out.mode = String(value, "mode");
    if (!out.mode) return Unexpected(value["mode"], "a migration mode");
  }
  out.downtime_limit = Duration(value, "downtime-limit");
  out.max_bandwidth = Unsigned(value, "max-bandwidth");
  out.cpu_throttle_initial = Unsigned(value, "cpu-throttle-initial");
  out.max_cpu_throttle = Unsigned(value, "max-cpu-throttle");
  return out;
}

absl::StatusOr<uint64_t> ParseFdSet(const Json& value) {
  const std::optional<uint64_t> id = Unsigned(value, "fdset-id");
  if (!id) return Unexpected(value, "an object with fdset-id");
  return *id;
}

absl::StatusOr<bool> ParseHasProperty(const Json& value, const std::string& name) {
  if (!IsObjectList(value)) return Unexpected(value, "a list of properties");
  for (const Json& entry : value) {
    if (String(entry, "name") == name) return true;
  }
  return false;
}

absl::StatusOr<std::vector<FsDeviceFacts>> ParseFsDevices(const Json& value,
                                                          const std::string& parent,
                                                          bool anonymous) {
  std::vector<FsDeviceFacts> out;
  if (!IsObjectList(value)) return Unexpected(value, "a list of devices");
  for (const Json& entry : value) {
    const std::optional<std::string> name = String(entry, "name");
    const std::optional<std::string> type = String(entry, "type");
    if (!name || !type) return Unexpected(entry, "a device with name and type");
    absl::string_view child = *type;
    // Whatever the bus is called: -pci, -ccw, -device.
    if (!absl::ConsumePrefix(&child, "child<vhost-user-fs-") || !absl::ConsumeSuffix(&child, ">")) {
      continue;
    }
    FsDeviceFacts device;
    device.qom_path = absl::StrCat(parent, "/", *name);
    device.id = anonymous ? "" : *name;
    device.type = absl::StrCat("vhost-user-fs-", child);
    out.push_back(std::move(device));
  }
  return out;
}

}  // namespace vuf
