// The unix socket of a monitor: connecting without ever blocking, and who listens.
#ifndef VUFD_SERVER_QMP_MONITOR_SOCKET_H_
#define VUFD_SERVER_QMP_MONITOR_SOCKET_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/model/evidence.h"
#include "server/model/process.h"

namespace vuf {

// Owns a descriptor.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.Release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor() { Close(); }

  int get() const { return fd_; }
  int Release();
  void Close();

 private:
  int fd_;
};

// A connected, non-blocking socket. Errors as HypervisorConnector::Connect.
absl::StatusOr<FileDescriptor> ConnectMonitor(const std::string& path, absl::Time deadline);

// The process that listened (SO_PEERCRED), with its start time. Whoever created the socket for QEMU
// (libvirt does) shows up instead of QEMU, so discovery has to verify it.
Evidence<ProcessId> PeerProcess(int socket);

}  // namespace vuf

#endif  // VUFD_SERVER_QMP_MONITOR_SOCKET_H_
