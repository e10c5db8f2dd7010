// Observe: three batches of queries that change nothing. Never x-query-virtio-status: it aborts
// QEMU 11.1.
#include <functional>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/qmp/parse.h"
#include "server/qmp/qmp_hypervisor.h"

namespace vuf {
namespace {

using Json = nlohmann::json;

constexpr char kPeripheral[] = "/machine/peripheral";
constexpr char kAnonymous[] = "/machine/peripheral-anon";
// More than any machine has slots for; bounds the second batch.
constexpr size_t kMaxDevices = 256;
// Bounds the third. A guest has one memory per NUMA node and one per plugged module.
constexpr size_t kMaxMemoryPaths = 256;

QmpCommand Get(const std::string& path, const std::string& property) {
  return {"qom-get", Json::object({{"path", path}, {"property", property}})};
}

QmpCommand List(const char* path) { return {"qom-list", Json::object({{"path", path}})}; }

// One batch, with its replies by name.
enum Query : size_t {
  kStatus,
  kName,
  kUuid,
  kChardevs,
  kMemdevs,
  kMigrate,
  kCapabilities,
  kParameters,
  kMachineType,
  kFsProperties,
  kNamedDevices,
  kAnonymousDevices,
};

std::vector<QmpCommand> FirstBatch() {
  return {{"query-status"},
          {"query-name"},
          {"query-uuid"},
          {"query-chardev"},
          {"query-memdev"},
          {"query-migrate"},
          {"query-migrate-capabilities"},
          {"query-migrate-parameters"},
          Get("/machine", "type"),
          {"device-list-properties", Json::object({{"typename", "vhost-user-fs-device"}})},
          List(kPeripheral),
          List(kAnonymous)};
}

template <typename T>
Evidence<T> ToEvidence(absl::StatusOr<T> parsed, absl::Time now) {
  if (!parsed.ok()) return Unknown<T>(std::string(parsed.status().message()), Source::kQmp);
  return Known(*std::move(parsed), Source::kQmp, now);
}

// `parse` of the value, or why there is none.
template <typename Parse>
auto Read(const QmpReply& reply, const char* command, Parse parse) -> decltype(parse(Json())) {
  if (!reply.ok()) return reply.ToStatus(command);
  return parse(*reply.value);
}

absl::StatusOr<std::string> PciAddress(const QmpReply& reply) {
  return Read(reply, "qom-get addr", ParsePciAddress);
}

void ReadMigration(const std::vector<QmpReply>& replies, absl::Time now, VmFacts& facts) {
  const absl::StatusOr<MigrationInfo> info =
      Read(replies[kMigrate], "query-migrate", ParseMigration);
  facts.migration_status =
      ToEvidence(info.ok() ? absl::StatusOr<std::string>(info->status) : info.status(), now);
  facts.blocked_reasons =
      ToEvidence(Read(replies[kMigrate], "query-migrate", ParseBlockedReasons), now);
  facts.capabilities = ToEvidence(
      Read(replies[kCapabilities], "query-migrate-capabilities", ParseCapabilities), now);
  const absl::StatusOr<MigrationSettings> parameters =
      Read(replies[kParameters], "query-migrate-parameters", ParseParameters);
  facts.migration_mode =
      ToEvidence(parameters.ok() ? absl::StatusOr<std::string>(parameters->mode.value_or(""))
                                 : parameters.status(),
                 now);
  facts.tls_creds =
      ToEvidence(Read(replies[kParameters], "query-migrate-parameters",
                      [](const Json& v) { return ParseMember(v, "tls-creds", true); }),
                 now);
}

void ReadMachine(const std::vector<QmpReply>& replies, absl::Time now, VmFacts& facts) {
  facts.run_state = ToEvidence(Read(replies[kStatus], "query-status",
                                    [](const Json& v) { return ParseMember(v, "status"); }),
                               now);
  facts.guest_name = ToEvidence(Read(replies[kName], "query-name",
                                     [](const Json& v) { return ParseMember(v, "name", true); }),
                                now);
  facts.uuid = ToEvidence(
      Read(replies[kUuid], "query-uuid", [](const Json& v) { return ParseMember(v, "UUID"); }),
      now);
  facts.machine_type =
      ToEvidence(Read(replies[kMachineType], "qom-get /machine type", ParseString), now);
  facts.memory_backends = ToEvidence(Read(replies[kMemdevs], "query-memdev", ParseMemdevs), now);
}

// Reads QEMU's own note of the ring that the driver has set up; an error until it has. Not
// x-query-virtio-queue-status: that one sends GET_VRING_BASE to the back-end, which stops the ring.
constexpr char kRingQuery[] = "x-query-virtio-vhost-queue-status";

QmpCommand RingQuery(const FsDeviceFacts& device) {
  const char* const below = device.type == "vhost-user-fs-device" ? "" : "/virtio-backend";
  return {kRingQuery, {{"path", device.qom_path + below}, {"queue", 1}}};
}

absl::StatusOr<uint32_t> ParseRingSize(const Json& value) {
  if (!value.is_object() || !value.contains("num")) {
    return absl::FailedPreconditionError("the answer has no number of ring entries");
  }
  return ParseUint32(value["num"]);
}

// The same answer tells whether the driver runs; any other error tells nothing.
absl::StatusOr<bool> ReadDriver(const QmpReply& reply) {
  const absl::StatusOr<uint32_t> ring = Read(reply, kRingQuery, ParseRingSize);
  if (ring.ok()) return true;
  if (absl::StrContains(ring.status().message(), "has not started yet")) return false;
  return ring.status();
}

// Both lists or nothing: a device that is not seen would not be judged.
absl::StatusOr<std::vector<FsDeviceFacts>> Enumerate(const std::vector<QmpReply>& replies) {
  absl::StatusOr<std::vector<FsDeviceFacts>> devices =
      Read(replies[kNamedDevices], "qom-list /machine/peripheral",
           [](const Json& v) { return ParseFsDevices(v, kPeripheral, false); });
  if (!devices.ok()) return devices.status();
  absl::StatusOr<std::vector<FsDeviceFacts>> anonymous =
      Read(replies[kAnonymousDevices], "qom-list /machine/peripheral-anon",
           [](const Json& v) { return ParseFsDevices(v, kAnonymous, true); });
  if (!anonymous.ok()) return anonymous.status();
  for (FsDeviceFacts& device : *anonymous) devices->push_back(std::move(device));
  if (devices->size() > kMaxDevices) {
    return absl::FailedPreconditionError(absl::StrCat(
        devices->size(), " vhost-user-fs devices; vufd looks at no more than ", kMaxDevices));
  }
  return devices;
}

Evidence<ChardevFacts> FindChardev(const Evidence<std::string>& label, const QmpReply& chardevs,
                                   absl::Time now) {
  if (!label.known()) return Unknown<ChardevFacts>(label.detail, Source::kQmp);
  const absl::StatusOr<std::map<std::string, ChardevFacts>> all =
      Read(chardevs, "query-chardev", ParseChardevs);
  if (!all.ok()) return Unknown<ChardevFacts>(std::string(all.status().message()), Source::kQmp);
  const auto it = all->find(*label.value);
  if (it == all->end()) {
    return Unknown<ChardevFacts>(absl::StrCat("query-chardev does not list \"", *label.value, "\""),
                                 Source::kQmp);
  }
  return Known(it->second, Source::kQmp, now, it->second.filename);
}

// Absent when either answer leaves it open.
std::optional<std::string> MemoryPath(const QmpReply& type, const QmpReply& path) {
  const absl::StatusOr<std::string> kind = Read(type, "qom-get type", ParseString);
  if (!kind.ok()) return std::nullopt;
  if (*kind != "memory-backend-file") return "";
  const absl::StatusOr<std::string> named = Read(path, "qom-get mem-path", ParseString);
  if (!named.ok() || named->empty()) return std::nullopt;
  return *named;
}

bool OnPci(const FsDeviceFacts& device) { return device.type == "vhost-user-fs-pci"; }

}  // namespace

absl::StatusOr<VmFacts> QmpHypervisor::Observe(absl::Time deadline) {
  const absl::StatusOr<std::vector<QmpReply>> replies = connection_->RunAll(FirstBatch(), deadline);
  if (!replies.ok()) return replies.status();
  const absl::Time now = clock_->Now();
  VmFacts facts;
  facts.qmp_socket = connection_->path();
  facts.monitor = Known(std::string("QMP"), Source::kQmp, now);
  facts.process = connection_->peer();
  if (facts.process.known()) facts.process.observed_at = now;
  facts.qemu_version = ToEvidence(ParseVersion(connection_->greeting()), now);
  if (facts.qemu_version.known()) {
    facts.qemu_version.detail =
        ParseMember(connection_->greeting()["version"], "package", true).value_or("");
  }
  facts.started_paused = Unknown<bool>("QEMU does not say; its command line does", Source::kQmp);
  ReadMachine(*replies, now, facts);
  ReadMigration(*replies, now, facts);
  absl::StatusOr<std::vector<FsDeviceFacts>> devices = Enumerate(*replies);
  if (devices.ok()) {
    const absl::Status status =
        ObserveDevices(*devices, (*replies)[kChardevs], (*replies)[kFsProperties], deadline);
    if (!status.ok()) return status;
  }
  facts.devices = ToEvidence(std::move(devices), now);
  if (facts.memory_backends.known()) {
    const absl::Status status = ObserveMemory(*facts.memory_backends.value, deadline);
    if (!status.ok()) return status;
  }
  return facts;
}

absl::Status QmpHypervisor::ObserveMemory(std::vector<MemoryBackendFacts>& memory,
                                          absl::Time deadline) {
  if (memory.empty() || memory.size() > kMaxMemoryPaths) return absl::OkStatus();
  std::vector<QmpCommand> commands;
  for (const MemoryBackendFacts& one : memory) {
    // One without an id has no place of its own: whatever the answer is, it is not looked at.
    const std::string path = absl::StrCat("/objects/", one.id);
    commands.push_back(Get(path, "type"));
    commands.push_back(Get(path, "mem-path"));
  }
  const absl::StatusOr<std::vector<QmpReply>> replies = connection_->RunAll(commands, deadline);
  if (!replies.ok()) return replies.status();
  auto next = replies->begin();
  for (MemoryBackendFacts& one : memory) {
    const QmpReply& type = *next++;
    const QmpReply& path = *next++;
    if (!one.id.empty()) one.path = MemoryPath(type, path);
  }
  return absl::OkStatus();
}

absl::Status QmpHypervisor::ObserveDevices(std::vector<FsDeviceFacts>& devices,
                                           const QmpReply& chardevs, const QmpReply& properties,
                                           absl::Time deadline) {
  const absl::StatusOr<bool> has_migration =
      Read(properties, "device-list-properties vhost-user-fs-device",
           [](const Json& v) { return ParseHasProperty(v, "migration"); });
  const bool ask_migration = has_migration.ok() && *has_migration;
  std::vector<QmpCommand> commands;
  for (const FsDeviceFacts& device : devices) {
    for (const char* property : {"tag", "chardev", "num-request-queues", "queue-size"}) {
      commands.push_back(Get(device.qom_path, property));
    }
    if (OnPci(device)) commands.push_back(Get(device.qom_path, "addr"));
    if (ask_migration) commands.push_back(Get(device.qom_path, "migration"));
    commands.push_back(RingQuery(device));
  }
  const absl::StatusOr<std::vector<QmpReply>> replies = connection_->RunAll(commands, deadline);
  if (!replies.ok()) return replies.status();
  const absl::Time now = clock_->Now();
  auto next = replies->begin();
  for (FsDeviceFacts& device : devices) {
    device.tag = ToEvidence(Read(*next++, "qom-get tag", ParseString), now);
    device.chardev_label = ToEvidence(Read(*next++, "qom-get chardev", ParseString), now);
    device.request_queues =
        ToEvidence(Read(*next++, "qom-get num-request-queues", ParseUint32), now);
    device.queue_size = ToEvidence(Read(*next++, "qom-get queue-size", ParseUint32), now);
    device.pci_address = ToEvidence(OnPci(device) ? PciAddress(*next++) : std::string(), now);
    device.migration_property =
        ToEvidence(ask_migration        ? Read(*next++, "qom-get migration", ParseString)
                   : has_migration.ok() ? absl::StatusOr<std::string>(std::string())
                                        : has_migration.status(),
                   now);
    device.driver_running = ToEvidence(ReadDriver(*next), now);
    device.ring_size = ToEvidence(Read(*next++, kRingQuery, ParseRingSize), now);
    device.chardev = FindChardev(device.chardev_label, chardevs, now);
  }
  return absl::OkStatus();
}

}  // namespace vuf
