// Who holds a socket: the kernel tells only from the other side, by the descriptors of each
// process.
#ifndef VUFD_SERVER_DISCOVERY_SOCKET_HOLDERS_H_
#define VUFD_SERVER_DISCOVERY_SOCKET_HOLDERS_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/discovery/discovery.h"
#include "server/discovery/procfs.h"

namespace vuf {

// A process, and the descriptor by which it holds the socket.
struct SocketHolder {
  int pid = 0;
  int fd = -1;
};

struct SocketHolders {
  // By the socket's inode.
  std::map<uint64_t, std::vector<SocketHolder>> of;
  // Processes whose descriptors vufd may not see.
  int unreadable = 0;
};

// Thread-safe.
class HolderFinder {
 public:
  // `is_server` tells by the path of its executable whether a process is one that serves sockets:
  // where such a one holds a socket, nobody else is of interest, and nobody else is looked at.
  HolderFinder(const Procfs* procfs, const Clock* clock,
               std::function<bool(const std::string&)> is_server)
      : procfs_(procfs), clock_(clock), is_server_(std::move(is_server)) {}

  // First whether those that held them when they were searched for still do, by the same
  // descriptor; a search only if not. With Look::kWhoIsWho, which is for connections only (they
  // stay with who accepted them), whenever that was; otherwise only of what was searched for within
  // two seconds. DEADLINE_EXCEEDED: not finished, so nothing is known.
  absl::StatusOr<SocketHolders> Find(const std::set<uint64_t>& inodes, Look look,
                                     absl::Time deadline);

 private:
  // Pinned: a pid may be another process's later.
  struct Known {
    SocketHolder holder;
    uint64_t start_ticks = 0;
    absl::Time searched_at;
  };

  absl::StatusOr<SocketHolders> Search(const std::set<uint64_t>& inodes, absl::Time deadline) const;
  // Of what was searched for since `searched_since`.
  std::optional<SocketHolders> StillHeld(const std::set<uint64_t>& inodes,
                                         absl::Time searched_since) ABSL_LOCKS_EXCLUDED(mu_);
  void Remember(const SocketHolders& holders) ABSL_LOCKS_EXCLUDED(mu_);

  const Procfs* const procfs_;
  const Clock* const clock_;
  const std::function<bool(const std::string&)> is_server_;
  Mutex mu_;
  std::map<uint64_t, std::vector<Known>> known_ ABSL_GUARDED_BY(mu_);
  // The keys of `known_`, oldest first.
  std::deque<uint64_t> order_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_SOCKET_HOLDERS_H_
