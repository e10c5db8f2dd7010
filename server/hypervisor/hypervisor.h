// The port to one hypervisor process: one object is one connection to one QEMU's monitor.
#ifndef VUFD_SERVER_HYPERVISOR_HYPERVISOR_H_
#define VUFD_SERVER_HYPERVISOR_HYPERVISOR_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/model/vm.h"

namespace vuf {

// query-migrate, reduced. Durations are absent when QEMU does not say.
struct MigrationInfo {
  // QEMU's MigrationStatus; empty: no migration ever.
  std::string status;
  std::string error_desc;
  uint64_t ram_transferred = 0;
  uint64_t ram_remaining = 0;
  uint64_t ram_total = 0;
  uint64_t dirty_sync_count = 0;
  std::optional<absl::Duration> expected_downtime;
  std::optional<absl::Duration> downtime;
  std::optional<absl::Duration> total_time;
  // Percent; 0: not throttled.
  uint64_t cpu_throttle = 0;
};

// Capabilities and parameters of a migration. Sticky in QEMU, so what was there is put back.
struct MigrationSettings {
  std::map<std::string, bool> capabilities;
  std::optional<std::string> mode;
  std::optional<absl::Duration> downtime_limit;
  std::optional<uint64_t> max_bandwidth;
  // In percent, of auto-converge: what it begins with and what it never exceeds.
  std::optional<uint64_t> cpu_throttle_initial;
  std::optional<uint64_t> max_cpu_throttle;
};

// Whether a side does what it should: what changes while a guest moves.
struct Standing {
  MigrationInfo migration;
  // query-status: the RunState.
  std::string run_state;
  // query-chardev, by label.
  std::map<std::string, ChardevFacts> chardevs;
};

// What Await returned for.
struct MonitorEvent {
  // QMP event name ("MIGRATION", "STOP", ...); empty when the time was up.
  std::string name;
  // data.status of MIGRATION; empty otherwise.
  std::string status;
};

// All calls end by `deadline` at the latest: DEADLINE_EXCEEDED. UNAVAILABLE: the monitor is gone.
// FAILED_PRECONDITION: QEMU refused; the message quotes QEMU. A connection that has missed a
// deadline or lost its peer stays failed.
class Hypervisor {
 public:
  virtual ~Hypervisor() = default;

  // Everything vufd can learn from QEMU without changing it. Never fails as a whole for a part
  // that could not be read: such facts are unknown and say why. Back-end facts stay unknown here.
  virtual absl::StatusOr<VmFacts> Observe(absl::Time deadline) = 0;
  // The same shortly after `before` was seen, at half the cost: what belongs to the process itself,
  // or to a device that is still there and cannot change in it, is taken over. Everything is asked
  // when another process answers, or has other devices or other memory.
  virtual absl::StatusOr<VmFacts> ObserveAgain(const VmFacts& before, absl::Time deadline) = 0;
  virtual absl::StatusOr<MigrationInfo> QueryMigration(absl::Time deadline) = 0;
  // Just query-status: the RunState.
  virtual absl::StatusOr<std::string> QueryRunState(absl::Time deadline) = 0;
  // Asked together, because QEMU takes as long for one answer as for three.
  virtual absl::StatusOr<Standing> QueryStanding(absl::Time deadline) = 0;
  // All there is to be set, as it is now or was when this connection asked or set it within the
  // last two seconds; what this QEMU does not have is absent.
  virtual absl::StatusOr<MigrationSettings> QuerySettings(absl::Time deadline) = 0;
  // Sets `settings`, and returns what those same settings were before.
  virtual absl::StatusOr<MigrationSettings> Configure(const MigrationSettings& settings,
                                                      absl::Time deadline) = 0;
  // Hands `stream_fd` (a duplicate is sent) to QEMU and tells it to receive the guest from it, with
  // exit-on-error off: a connected socket, or a regular file that is open for reading only.
  virtual absl::Status PrepareIncoming(int stream_fd, absl::Time deadline) = 0;
  // Hands `stream_fd` to QEMU and starts the migration: a connected socket, or a regular file that
  // is open for writing only. OK means accepted, no more.
  virtual absl::Status StartOutgoing(int stream_fd, absl::Time deadline) = 0;
  // The next event not yet returned, or an empty one at `deadline`. Events before the first call
  // are kept (bounded; an overflow is an error, never a silent gap).
  virtual absl::StatusOr<MonitorEvent> Await(absl::Time deadline) = 0;
  enum class Act {
    kMigrateContinue,  // leave pre-switchover
    kMigrateCancel,
    kCont,
    kQuit,
  };
  virtual absl::Status Do(Act act, absl::Time deadline) = 0;
};

class HypervisorConnector {
 public:
  virtual ~HypervisorConnector() = default;
  // Connects to the monitor at `qmp_socket` and negotiates capabilities.
  // INVALID_ARGUMENT: no absolute path or too long. NOT_FOUND: no such file. FAILED_PRECONDITION:
  // not a socket, nobody listens, or what answers is no QMP monitor (its words are quoted).
  // DEADLINE_EXCEEDED: it does not answer (another client may hold it).
  virtual absl::StatusOr<std::unique_ptr<Hypervisor>> Connect(const std::string& qmp_socket,
                                                              absl::Time deadline) = 0;
};

}  // namespace vuf

#endif  // VUFD_SERVER_HYPERVISOR_HYPERVISOR_H_
