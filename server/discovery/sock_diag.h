// Unix sockets and their peers, from the kernel's NETLINK_SOCK_DIAG. Looking changes nothing.
#ifndef VUFD_SERVER_DISCOVERY_SOCK_DIAG_H_
#define VUFD_SERVER_DISCOVERY_SOCK_DIAG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/model/process.h"

namespace vuf {

struct UnixSocket {
  uint64_t inode = 0;
  bool stream = false;
  bool listening = false;
  bool established = false;
  // Inode of the other end; 0: none, or one that nobody has accepted yet.
  uint64_t peer = 0;
  // As given to bind(): possibly relative, of another mount namespace, or stale. Empty: unnamed.
  // A leading NUL: abstract.
  std::string name;
  // The file it was bound to: the superblock's device, and the low 32 bits of the inode.
  std::optional<FileId> file;
  // A listener's: the client ends of the connections that nobody has accepted yet.
  std::vector<uint64_t> waiting;
};

// One dump, fed datagram by datagram.
struct UnixSocketDump {
  std::vector<UnixSocket> sockets;
  bool done = false;
  // The kernel says that the table changed in a way that makes the dump inconsistent.
  bool interrupted = false;
};

// Adds the messages of one datagram that carry `sequence`. Fails on what is cut short, on the
// kernel's errors, and on more sockets than a host can sanely have.
absl::Status ParseUnixDiag(absl::string_view datagram, uint32_t sequence, UnixSocketDump& dump);

class SocketTable {
 public:
  virtual ~SocketTable() = default;
  // All unix sockets of the caller's network namespace.
  virtual absl::StatusOr<std::vector<UnixSocket>> List(absl::Time deadline) = 0;
};

class NetlinkSocketTable : public SocketTable {
 public:
  // UNAVAILABLE when the table changed during every attempt.
  absl::StatusOr<std::vector<UnixSocket>> List(absl::Time deadline) override;
};

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_SOCK_DIAG_H_
