#include "server/discovery/socket_view.h"

#include <utility>

#include "absl/time/clock.h"

namespace vuf {
namespace {

// The kernel tells 32 bits of a file's number.
constexpr uint64_t kKernelInode = 0xffffffff;

}  // namespace

SocketView::SocketView(std::vector<UnixSocket> sockets) : sockets_(std::move(sockets)) {
  for (const UnixSocket& socket : sockets_) {
    by_inode_[socket.inode] = &socket;
    if (socket.file) by_file_.emplace(socket.file->inode, &socket);
  }
}

std::vector<const UnixSocket*> SocketView::BoundAt(const FileSighting& seen,
                                                   const std::vector<Mount>& mounts) const {
  std::vector<const UnixSocket*> bound;
  const auto [begin, end] = by_file_.equal_range(seen.file.inode & kKernelInode);
  for (auto it = begin; it != end; ++it) {
    if (BoundTo(*it->second, seen, mounts)) bound.push_back(it->second);
  }
  return bound;
}

std::vector<const UnixSocket*> SocketView::BoundPeersOf(const std::vector<uint64_t>& inodes) const {
  std::set<const UnixSocket*> peers;
  for (const uint64_t inode : inodes) {
    const auto own = by_inode_.find(inode);
    if (own == by_inode_.end() || !own->second->established || own->second->peer == 0) continue;
    const auto peer = by_inode_.find(own->second->peer);
    if (peer != by_inode_.end() && peer->second->stream && peer->second->file) {
      peers.insert(peer->second);
    }
  }
  return {peers.begin(), peers.end()};
}

uint64_t SocketView::PeerOf(uint64_t inode) const {
  const auto own = by_inode_.find(inode);
  if (own == by_inode_.end() || !own->second->stream || !own->second->established) return 0;
  return own->second->peer;
}

int SocketView::FrontEnds(uint64_t inode) const {
  const auto bound = by_inode_.find(inode);
  if (bound == by_inode_.end() || !bound->second->file) return 0;
  int count = 0;
  const auto [begin, end] = by_file_.equal_range(bound->second->file->inode);
  for (auto it = begin; it != end; ++it) {
    const UnixSocket& socket = *it->second;
    if (socket.file != bound->second->file) continue;
    // The connection of a client that has left keeps its row, with no peer.
    if (socket.established && socket.peer != 0) ++count;
    count += static_cast<int>(socket.waiting.size());
  }
  return count;
}

bool BoundTo(const UnixSocket& socket, const FileSighting& seen, const std::vector<Mount>& mounts) {
  if (!socket.file || socket.file->inode != (seen.file.inode & kKernelInode)) return false;
  if (socket.file->device == seen.file.device) return true;
  for (const Mount& mount : mounts) {
    if (seen.mount_id == mount.id) return mount.device == socket.file->device;
  }
  return false;
}

}  // namespace vuf
