// One list of the host's unix sockets, and the questions that discovery asks of it.
#ifndef VUFD_SERVER_DISCOVERY_SOCKET_VIEW_H_
#define VUFD_SERVER_DISCOVERY_SOCKET_VIEW_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/discovery/procfs.h"
#include "server/discovery/sock_diag.h"
#include "server/model/process.h"

namespace vuf {

class SocketView {
 public:
  explicit SocketView(std::vector<UnixSocket> sockets);
  // `by_inode_` and `by_file_` point into `sockets_`.
  SocketView(const SocketView&) = delete;
  SocketView& operator=(const SocketView&) = delete;

  const std::vector<UnixSocket>& sockets() const { return sockets_; }
  // Those that were bound to the file seen (BoundTo).
  std::vector<const UnixSocket*> BoundAt(const FileSighting& seen,
                                         const std::vector<Mount>& mounts) const;
  // The other ends of those sockets that are connected to a socket bound to a file.
  std::vector<const UnixSocket*> BoundPeersOf(const std::vector<uint64_t>& inodes) const;
  // The other end of the socket `inode`, named or not. 0: none.
  uint64_t PeerOf(uint64_t inode) const;
  // Connections to the socket whose file the socket `inode` is bound to, those that wait to be
  // accepted included. 0 when it is bound to none.
  int FrontEnds(uint64_t inode) const;

 private:
  const std::vector<UnixSocket> sockets_;
  std::map<uint64_t, const UnixSocket*> by_inode_;
  // By the number of the file that they were bound to.
  std::multimap<uint64_t, const UnixSocket*> by_file_;
};

// Whether `socket` was bound to the file seen. `mounts` explains devices that differ between the
// superblock and stat (btrfs).
bool BoundTo(const UnixSocket& socket, const FileSighting& seen, const std::vector<Mount>& mounts);

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_SOCKET_VIEW_H_
