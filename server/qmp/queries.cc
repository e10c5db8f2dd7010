#include "server/qmp/queries.h"

#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/hypervisor/hypervisor.h"
#include "server/qmp/parse.h"

namespace vuf {
namespace {

using Json = nlohmann::json;

constexpr char kPeripheral[] = "/machine/peripheral";
constexpr char kAnonymous[] = "/machine/peripheral-anon";
// More than any machine has slots for; bounds the second batch.
constexpr size_t kMaxDevices = 256;
// Reads QEMU's own note of the ring that the driver has set up; an error until it has. Not
// x-query-virtio-queue-status: that one sends GET_VRING_BASE to the back-end, which stops the ring.
constexpr char kRingQuery[] = "x-query-virtio-vhost-queue-status";

QmpCommand List(const char* path) { return {"qom-list", Json::object({{"path", path}})}; }

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

}  // namespace

QmpCommand Get(const std::string& path, const std::string& property) {
  return {"qom-get", Json::object({{"path", path}, {"property", property}})};
}

std::vector<QmpCommand> WhatChanges() {
  // The migration first: QEMU stops the guest before it says pre-switchover, and all of this is not
  // asked at one moment. The other way round a guest could be seen to run at pre-switchover.
  return {{"query-migrate"},
          {"query-status"},
          {"query-chardev"},
          {"query-memdev"},
          {"query-migrate-capabilities"},
          {"query-migrate-parameters"},
          List(kPeripheral),
          List(kAnonymous)};
}

std::vector<QmpCommand> FirstBatch() {
  std::vector<QmpCommand> commands = WhatChanges();
  commands.push_back({"query-name"});
  commands.push_back({"query-uuid"});
  commands.push_back(Get("/machine", "type"));
  commands.push_back(
      {"device-list-properties", Json::object({{"typename", "vhost-user-fs-device"}})});
  return commands;
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

void ReadRunState(const std::vector<QmpReply>& replies, absl::Time now, VmFacts& facts) {
  facts.run_state = ToEvidence(Read(replies[kStatus], "query-status",
                                    [](const Json& v) { return ParseMember(v, "status"); }),
                               now);
}

Evidence<std::vector<MemoryBackendFacts>> ReadMemory(const std::vector<QmpReply>& replies,
                                                     absl::Time now) {
  return ToEvidence(Read(replies[kMemdevs], "query-memdev", ParseMemdevs), now);
}

void ReadMachine(const std::vector<QmpReply>& replies, absl::Time now, VmFacts& facts) {
  facts.guest_name = ToEvidence(Read(replies[kName], "query-name",
                                     [](const Json& v) { return ParseMember(v, "name", true); }),
                                now);
  facts.uuid = ToEvidence(
      Read(replies[kUuid], "query-uuid", [](const Json& v) { return ParseMember(v, "UUID"); }),
      now);
  facts.machine_type =
      ToEvidence(Read(replies[kMachineType], "qom-get /machine type", ParseString), now);
}

QmpCommand RingQuery(const FsDeviceFacts& device) {
  const char* const below = device.type == "vhost-user-fs-device" ? "" : "/virtio-backend";
  return {kRingQuery, {{"path", device.qom_path + below}, {"queue", 1}}};
}

void ReadRing(const QmpReply& reply, absl::Time now, FsDeviceFacts& device) {
  device.driver_running = ToEvidence(ReadDriver(reply), now);
  device.ring_size = ToEvidence(Read(reply, kRingQuery, ParseRingSize), now);
}

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

}  // namespace vuf
