// The port to passive observation of the host. Nothing here ever connects to a back-end.
#ifndef VUFD_SERVER_DISCOVERY_DISCOVERY_H_
#define VUFD_SERVER_DISCOVERY_DISCOVERY_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/model/back_end.h"
#include "server/model/evidence.h"
#include "server/model/vm.h"

namespace vuf {

// What is seen at an endpoint's path, without a front-end to start from.
struct EndpointSighting {
  // Absent: could not look; `error` says why.
  enum class State { kUnknown = 0, kInUse, kListening, kAbsent };
  State state = State::kUnknown;
  std::optional<FileId> socket_file;
  BackEndFacts back_end;
  std::string error;
};

// Who is connected to the socket at a path, or listens there, by the kernel's numbers of the
// sockets. They belong to one process until it ends or gives them away.
struct SocketSighting {
  // The file at the path. None: there is none, or it is no socket.
  std::optional<FileId> file;
  // Those connected; without any, those that listen.
  std::set<uint64_t> served;
  int front_ends = 0;

  bool operator==(const SocketSighting&) const = default;
};

// How much is looked at.
enum class Look {
  // Only who takes part: not how many files a back-end has open, and which. A walk over a million
  // descriptors is too much for a guest that is stopped, and for a look every few seconds.
  kWhoIsWho,
  kEverything,
};

class Discovery {
 public:
  virtual ~Discovery() = default;
  virtual Evidence<std::string> BootId() = 0;
  // It is certain that this process, which was seen before, has ended. Waiting for its parent is
  // ended too.
  virtual bool IsGone(const ProcessId& process) = 0;
  // Fills `back_end` of every device of a VM, `started_paused`, and verifies `process`: from the
  // QEMU process to its sockets, to the peer of each, to the process that owns the peer.
  virtual void ObserveBackEnds(VmFacts& vm, Look look, absl::Time deadline) = 0;
  // Who serves the socket at `path`, and no more (Look::kWhoIsWho).
  virtual EndpointSighting ObserveEndpoint(const std::string& path, absl::Time deadline) = 0;
  // Of each path what is cheap to see of many; nothing where it could not be seen.
  virtual std::vector<std::optional<SocketSighting>> ObserveSockets(
      const std::vector<std::string>& paths, absl::Time deadline) = 0;
};

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_DISCOVERY_H_
