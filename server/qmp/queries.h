// The questions that QMP is asked about a VM, and what the answers say. Never
// x-query-virtio-status: it aborts QEMU 11.1.
#ifndef VUFD_SERVER_QMP_QUERIES_H_
#define VUFD_SERVER_QMP_QUERIES_H_

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/model/vm.h"
#include "server/qmp/qmp_connection.h"

namespace vuf {

// One batch, with its replies by name: first what may change at any time.
enum Query : size_t {
  kMigrate,
  kStatus,
  kChardevs,
  kMemdevs,
  kCapabilities,
  kParameters,
  kNamedDevices,
  kAnonymousDevices,
  kName,
  kUuid,
  kMachineType,
  kFsProperties,
};

// The first of them.
std::vector<QmpCommand> WhatChanges();
// All of them.
std::vector<QmpCommand> FirstBatch();
QmpCommand Get(const std::string& path, const std::string& property);
QmpCommand RingQuery(const FsDeviceFacts& device);

template <typename T>
Evidence<T> ToEvidence(absl::StatusOr<T> parsed, absl::Time now) {
  if (!parsed.ok()) return Unknown<T>(std::string(parsed.status().message()), Source::kQmp);
  return Known(*std::move(parsed), Source::kQmp, now);
}

// `parse` of the value, or why there is none.
template <typename Parse>
auto Read(const QmpReply& reply, const char* command, Parse parse)
    -> decltype(parse(nlohmann::json())) {
  if (!reply.ok()) return reply.ToStatus(command);
  return parse(*reply.value);
}

void ReadRunState(const std::vector<QmpReply>& replies, absl::Time now, VmFacts& facts);
void ReadMachine(const std::vector<QmpReply>& replies, absl::Time now, VmFacts& facts);
void ReadMigration(const std::vector<QmpReply>& replies, absl::Time now, VmFacts& facts);
void ReadRing(const QmpReply& reply, absl::Time now, FsDeviceFacts& device);
Evidence<std::vector<MemoryBackendFacts>> ReadMemory(const std::vector<QmpReply>& replies,
                                                     absl::Time now);
// Both lists or nothing: a device that is not seen would not be judged.
absl::StatusOr<std::vector<FsDeviceFacts>> Enumerate(const std::vector<QmpReply>& replies);
Evidence<ChardevFacts> FindChardev(const Evidence<std::string>& label, const QmpReply& chardevs,
                                   absl::Time now);

}  // namespace vuf

#endif  // VUFD_SERVER_QMP_QUERIES_H_
