// One connection to a QMP monitor: commands with deadlines, and events that are never lost
// silently.
#ifndef VUFD_SERVER_QMP_QMP_CONNECTION_H_
#define VUFD_SERVER_QMP_QMP_CONNECTION_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/qmp/json_lines.h"
#include "server/qmp/monitor_socket.h"

namespace vuf {

struct QmpCommand {
  std::string name;
  nlohmann::json arguments = nlohmann::json::object();
};

struct QmpReply {
  // Absent: QEMU refused.
  std::optional<nlohmann::json> value;
  std::string error_desc;

  bool ok() const { return value.has_value(); }
  // FAILED_PRECONDITION that quotes QEMU, for a reply that is not ok().
  absl::Status ToStatus(const std::string& command) const;
};

struct QmpEvent {
  std::string name;
  nlohmann::json data;
};

// For one thread at a time. Whatever goes wrong but a refusal (a missed deadline, end of file, an
// answer that is not QMP, more events than there is room for) is final: the descriptor is closed,
// and every later call returns the same error.
class QmpConnection {
 public:
  struct Limits {
    // query-qmp-schema, the longest known answer, has 250 kB.
    size_t line_bytes = size_t{16} << 20;
    size_t events = 1024;
    size_t event_bytes = size_t{1} << 20;
  };

  // Connects, reads the greeting, negotiates. Errors as HypervisorConnector::Connect.
  static absl::StatusOr<std::unique_ptr<QmpConnection>> Open(const std::string& path,
                                                             absl::Time deadline, Limits limits);
  static absl::StatusOr<std::unique_ptr<QmpConnection>> Open(const std::string& path,
                                                             absl::Time deadline) {
    return Open(path, deadline, Limits());
  }

  // Sends all commands at once; the replies come in the order of the commands.
  absl::StatusOr<std::vector<QmpReply>> RunAll(const std::vector<QmpCommand>& commands,
                                               absl::Time deadline);
  absl::StatusOr<QmpReply> Run(const QmpCommand& command, absl::Time deadline);
  // A duplicate of `fd` goes along (getfd).
  absl::StatusOr<QmpReply> RunWithFd(const QmpCommand& command, int fd, absl::Time deadline);

  // The oldest event that was not returned yet; none when the time is up, which is no failure.
  absl::StatusOr<std::optional<QmpEvent>> AwaitEvent(absl::Time deadline);

  // The value of "QMP".
  const nlohmann::json& greeting() const { return greeting_; }
  const std::string& path() const { return path_; }
  Evidence<ProcessId> peer() const { return peer_; }

 private:
  QmpConnection(std::string path, FileDescriptor socket, Limits limits);

  struct Queued {
    QmpEvent event;
    size_t bytes;
  };
  using Pending = std::map<uint64_t, std::optional<QmpReply>>;

  absl::Status Negotiate(absl::Time deadline);
  absl::StatusOr<std::vector<QmpReply>> Exchange(const std::vector<QmpCommand>& commands, int fd,
                                                 absl::Time deadline);
  // Sends `out` and handles what arrives until every command of `pending` has its reply.
  absl::Status Pump(std::string out, int fd, Pending& pending, absl::Time deadline);
  absl::Status Send(std::string& out, int& fd);
  // Reads what is there.
  absl::Status Receive();
  // The next message, or none when a whole line is not here yet.
  absl::StatusOr<std::optional<nlohmann::json>> NextMessage();
  absl::Status HandleMessages(Pending& pending);
  absl::Status KeepEvent(const nlohmann::json& message);
  void TakeReply(nlohmann::json message, Pending& pending);
  absl::Status Fail(absl::Status why);

  const std::string path_;
  FileDescriptor socket_;
  const Limits limits_;
  const Evidence<ProcessId> peer_;
  LineSplitter lines_;
  size_t line_bytes_ = 0;
  nlohmann::json greeting_;
  std::deque<Queued> events_;
  size_t event_bytes_ = 0;
  uint64_t last_id_ = 0;
  uint64_t ignored_ = 0;
  absl::Status failed_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_QMP_QMP_CONNECTION_H_
