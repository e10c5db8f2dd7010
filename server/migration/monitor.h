// One side's monitor during a migration: each call with its deadline, and a new connection when
// the old one is of no use any more.
#ifndef VUFD_SERVER_MIGRATION_MONITOR_H_
#define VUFD_SERVER_MIGRATION_MONITOR_H_

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/hypervisor/hypervisor.h"
#include "server/model/evidence.h"
#include "server/model/process.h"

namespace vuf {

// Not thread-safe.
class Monitor {
 public:
  // Not connected yet.
  Monitor(HypervisorConnector* connector, const Clock* clock, absl::Duration timeout,
          std::string socket)
      : connector_(connector), clock_(clock), timeout_(timeout), socket_(std::move(socket)) {}

  const std::string& socket() const { return socket_; }
  // Goes on with a connection that was made elsewhere. From now on a new connection that reaches
  // another process than this one is an error.
  void Use(std::unique_ptr<Hypervisor> hypervisor, const Evidence<ProcessId>& process) {
    hypervisor_ = std::move(hypervisor);
    expected_ = process.value;
  }
  // The same before there is any connection.
  void Expect(const ProcessId& process) { expected_ = process; }
  // Null when not connected.
  Hypervisor* hypervisor() { return hypervisor_.get(); }

  absl::StatusOr<VmFacts> Observe();
  // QEMU may be waiting for a back-end with its big lock held, and answers nothing meanwhile; the
  // second form is for whoever has the time.
  absl::StatusOr<MigrationInfo> QueryMigration() { return QueryMigration(timeout_); }
  absl::StatusOr<MigrationInfo> QueryMigration(absl::Duration patience);
  absl::StatusOr<std::string> QueryRunState() { return QueryRunState(timeout_); }
  absl::StatusOr<std::string> QueryRunState(absl::Duration patience);
  absl::StatusOr<Standing> QueryStanding() { return QueryStanding(timeout_); }
  absl::StatusOr<Standing> QueryStanding(absl::Duration patience);
  absl::StatusOr<MigrationSettings> QuerySettings();
  absl::StatusOr<MigrationSettings> Configure(const MigrationSettings& settings);
  absl::Status PrepareIncoming(int stream_fd);
  absl::Status StartOutgoing(int stream_fd);
  absl::StatusOr<MonitorEvent> Await(absl::Duration at_most);
  absl::Status Do(Hypervisor::Act act);

  // Leaves the monitor to others.
  void Release() { hypervisor_.reset(); }
  // Lets go of the old connection first: a monitor serves one client.
  absl::Status Reconnect();
  // Until QEMU answers, or `limit`.
  absl::StatusOr<Standing> WhereItStands(absl::Time limit);

 private:
  absl::Time Deadline() const { return clock_->Now() + timeout_; }
  absl::Status CheckProcess();

  HypervisorConnector* const connector_;
  const Clock* const clock_;
  const absl::Duration timeout_;
  const std::string socket_;
  std::unique_ptr<Hypervisor> hypervisor_;
  std::optional<ProcessId> expected_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_MONITOR_H_
