// Observe: three batches of queries that change nothing; ObserveAgain: one.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "server/qmp/parse.h"
#include "server/qmp/qmp_hypervisor.h"
#include "server/qmp/queries.h"

namespace vuf {
namespace {

// Bounds the third. A guest has one memory per NUMA node and one per plugged module.
constexpr size_t kMaxMemoryPaths = 256;

absl::StatusOr<std::string> PciAddress(const QmpReply& reply) {
  return Read(reply, "qom-get addr", ParsePciAddress);
}

// Of QEMU's own answer: what the host knows of it is not compared.
bool SameMemory(const Evidence<std::vector<MemoryBackendFacts>>& before,
                const Evidence<std::vector<MemoryBackendFacts>>& now) {
  return before.known() && now.known() &&
         absl::c_equal(*before.value, *now.value, [](const auto& one, const auto& other) {
           return one.id == other.id && one.size == other.size && one.share == other.share;
         });
}

bool SameDevices(const Evidence<std::vector<FsDeviceFacts>>& before,
                 const absl::StatusOr<std::vector<FsDeviceFacts>>& now) {
  return before.known() && now.ok() &&
         absl::c_equal(*before.value, *now, [](const auto& one, const auto& other) {
           return one.qom_path == other.qom_path && one.type == other.type;
         });
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
  ReadRunState(*replies, now, facts);
  ReadMachine(*replies, now, facts);
  facts.memory_backends = ReadMemory(*replies, now);
  ReadMigration(*replies, now, facts);
  (void)ReadSettings((*replies)[kCapabilities], (*replies)[kParameters]);
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

absl::StatusOr<VmFacts> QmpHypervisor::ObserveAgain(const VmFacts& before, absl::Time deadline) {
  const Evidence<ProcessId> peer = connection_->peer();
  const bool same_process =
      peer.known() && before.process.known() && peer.value->pid == before.process.value->pid;
  if (!same_process || !before.devices.known()) return Observe(deadline);
  std::vector<QmpCommand> commands = WhatChanges();
  const size_t rings = commands.size();
  for (const FsDeviceFacts& device : *before.devices.value) commands.push_back(RingQuery(device));
  const absl::StatusOr<std::vector<QmpReply>> replies = connection_->RunAll(commands, deadline);
  if (!replies.ok()) return replies.status();
  const absl::Time now = clock_->Now();
  const absl::StatusOr<std::vector<FsDeviceFacts>> devices = Enumerate(*replies);
  if (!SameDevices(before.devices, devices) ||
      !SameMemory(before.memory_backends, ReadMemory(*replies, now))) {
    return Observe(deadline);
  }
  VmFacts facts = before;
  ReadRunState(*replies, now, facts);
  ReadMigration(*replies, now, facts);
  (void)ReadSettings((*replies)[kCapabilities], (*replies)[kParameters]);
  for (size_t i = 0; i < devices->size(); ++i) {
    FsDeviceFacts& device = (*facts.devices.value)[i];
    ReadRing((*replies)[rings + i], now, device);
    device.chardev = FindChardev(device.chardev_label, (*replies)[kChardevs], now);
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
           [](const nlohmann::json& v) { return ParseHasProperty(v, "migration"); });
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
    ReadRing(*next++, now, device);
    device.chardev = FindChardev(device.chardev_label, chardevs, now);
  }
  return absl::OkStatus();
}

}  // namespace vuf
