// One QEMU and its vhost-user-fs devices, as observed.
#ifndef VUFD_SERVER_MODEL_VM_H_
#define VUFD_SERVER_MODEL_VM_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/model/back_end.h"
#include "server/model/evidence.h"
#include "server/model/process.h"
#include "server/model/version.h"

namespace vuf {

struct ChardevFacts {
  // As QEMU prints it, e.g. "unix:/run/vfs0.sock" or "disconnected:unix:/run/vfs0.sock".
  std::string filename;
  // Empty when QEMU does not print it (QEMU 7.2, abstract sockets, passed descriptors).
  std::string socket_path;
  bool connected = false;
  bool operator==(const ChardevFacts&) const = default;
};

struct FsDeviceFacts {
  std::string qom_path;
  // Empty for an anonymous device (below /machine/peripheral-anon).
  std::string id;
  std::string type;
  Evidence<std::string> tag;
  Evidence<uint32_t> request_queues;
  Evidence<uint32_t> queue_size;
  // Entries per request ring as the guest's driver uses it; unknown until it does. `queue_size`
  // only echoes what was asked for: QEMU 10.0.13 says 128 and has 1024.
  Evidence<uint32_t> ring_size;
  // The guest's driver has set up its rings and QEMU has started the back-end.
  Evidence<bool> driver_running;
  // Empty string: not on PCI.
  Evidence<std::string> pci_address;
  Evidence<std::string> chardev_label;
  Evidence<ChardevFacts> chardev;
  // The `migration` property of a patched QEMU ("none", "external"); known and empty: this QEMU
  // has no such property, as every released QEMU up to 11.1.
  Evidence<std::string> migration_property;
  BackEndFacts back_end;

  // How findings name it.
  const std::string& subject() const { return id.empty() ? qom_path : id; }
  bool operator==(const FsDeviceFacts&) const = default;
};

struct MemoryBackendFacts {
  std::string id;
  uint64_t size = 0;
  bool share = false;
  // `mem-path` of a memory-backend-file as QEMU names it; empty: no such property. Absent: unknown.
  std::optional<std::string> path;
  // The file at that path in the mount namespace of the QEMU process. Absent: none, or unknown.
  std::optional<FileId> file;
  bool operator==(const MemoryBackendFacts&) const = default;
};

struct VmFacts {
  // Where vufd asked.
  std::string qmp_socket;
  // Known ("QMP") when the monitor answered; unknown says why it could not be asked.
  Evidence<std::string> monitor;
  Evidence<ProcessId> process;
  Evidence<std::string> uuid;
  Evidence<std::string> guest_name;
  Evidence<Version> qemu_version;
  // QMP RunState as spelled by QEMU.
  Evidence<std::string> run_state;
  // Machine type as QOM names it, e.g. "pc-q35-10.0-machine".
  Evidence<std::string> machine_type;
  // The process was started with -S: it does not run the guest by itself after an incoming
  // migration.
  Evidence<bool> started_paused;
  // query-migrate.status; known and empty: no migration ever.
  Evidence<std::string> migration_status;
  // query-migrate.blocked-reasons for the mode in `migration_mode`.
  Evidence<std::vector<std::string>> blocked_reasons;
  Evidence<std::map<std::string, bool>> capabilities;
  // query-migrate-parameters.mode ("normal", "cpr-reboot", ...); known and empty: QEMU before 8.2.
  Evidence<std::string> migration_mode;
  // query-migrate-parameters.tls-creds; known and empty: no TLS.
  Evidence<std::string> tls_creds;
  Evidence<std::vector<MemoryBackendFacts>> memory_backends;
  // All vhost-user-fs devices; unknown when any enumeration failed.
  Evidence<std::vector<FsDeviceFacts>> devices;
  bool operator==(const VmFacts&) const = default;
};

}  // namespace vuf

#endif  // VUFD_SERVER_MODEL_VM_H_
