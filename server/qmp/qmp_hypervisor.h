// The port to a hypervisor, by QMP.
#ifndef VUFD_SERVER_QMP_QMP_HYPERVISOR_H_
#define VUFD_SERVER_QMP_QMP_HYPERVISOR_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/hypervisor/hypervisor.h"
#include "server/qmp/qmp_connection.h"

namespace vuf {

class QmpHypervisor : public Hypervisor {
 public:
  QmpHypervisor(std::unique_ptr<QmpConnection> connection, const Clock* clock)
      : connection_(std::move(connection)), clock_(clock) {}

  absl::StatusOr<VmFacts> Observe(absl::Time deadline) override;
  absl::StatusOr<VmFacts> ObserveAgain(const VmFacts& before, absl::Time deadline) override;
  absl::StatusOr<MigrationInfo> QueryMigration(absl::Time deadline) override;
  absl::StatusOr<std::string> QueryRunState(absl::Time deadline) override;
  absl::StatusOr<Standing> QueryStanding(absl::Time deadline) override;
  absl::StatusOr<MigrationSettings> QuerySettings(absl::Time deadline) override;
  absl::StatusOr<MigrationSettings> Configure(const MigrationSettings& settings,
                                              absl::Time deadline) override;
  absl::Status PrepareIncoming(int stream_fd, absl::Time deadline) override;
  absl::Status StartOutgoing(int stream_fd, absl::Time deadline) override;
  absl::StatusOr<MonitorEvent> Await(absl::Time deadline) override;
  absl::Status Do(Act act, absl::Time deadline) override;

 private:
  // The value, or FAILED_PRECONDITION with QEMU's words.
  absl::StatusOr<nlohmann::json> Run(const QmpCommand& command, absl::Time deadline);
  // Runs a command with `stream_fd` as its "uri".
  absl::Status RunWithStream(const char* command, nlohmann::json arguments, int stream_fd,
                             absl::Time deadline);
  absl::Status RunWithSocket(const char* command, nlohmann::json arguments, int fd,
                             absl::Time deadline);
  absl::Status RunWithFile(const char* command, nlohmann::json arguments, int fd,
                           absl::Time deadline);
  absl::StatusOr<MigrationSettings> ReadSettings(const QmpReply& capabilities,
                                                 const QmpReply& parameters);
  void Remember(const MigrationSettings& settings);
  // In one round trip.
  absl::Status Set(const MigrationSettings& settings, absl::Time deadline);
  absl::Status ObserveDevices(std::vector<FsDeviceFacts>& devices, const QmpReply& chardevs,
                              const QmpReply& properties, absl::Time deadline);
  // Fills `path`.
  absl::Status ObserveMemory(std::vector<MemoryBackendFacts>& memory, absl::Time deadline);

  const std::unique_ptr<QmpConnection> connection_;
  const Clock* const clock_;
  // As this connection has seen or set them last, and when.
  std::optional<MigrationSettings> settings_;
  absl::Time settings_at_;
};

class QmpConnector : public HypervisorConnector {
 public:
  explicit QmpConnector(const Clock* clock) : clock_(clock) {}

  absl::StatusOr<std::unique_ptr<Hypervisor>> Connect(const std::string& qmp_socket,
                                                      absl::Time deadline) override;

 private:
  const Clock* const clock_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_QMP_QMP_HYPERVISOR_H_
