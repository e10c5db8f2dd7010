#include "server/discovery/socket_holders.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "absl/types/span.h"

namespace vuf {
namespace {

// More connections than a host has back-ends; beyond, the oldest is searched for again.
constexpr size_t kMaxKnown = 4096;

// One look at each of `pids`.
absl::Status LookAtEach(const Procfs& procfs, absl::Span<const int> pids,
                        const std::set<uint64_t>& wanted, absl::Time deadline,
                        SocketHolders& holders) {
  for (const int pid : pids) {
    if (absl::Now() >= deadline) {
      return absl::DeadlineExceededError("no time left to search for the socket's owner");
    }
    const absl::StatusOr<std::vector<OpenSocket>> sockets = procfs.OpenSockets(pid);
    if (absl::IsPermissionDenied(sockets.status())) ++holders.unreadable;
    if (!sockets.ok()) continue;
    for (const OpenSocket& socket : *sockets) {
      if (wanted.count(socket.inode) == 0) continue;
      std::vector<SocketHolder>& found = holders.of[socket.inode];
      // A process may hold it twice.
      if (found.empty() || found.back().pid != pid) found.push_back({pid, socket.fd});
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SocketHolders> HolderFinder::Search(const std::set<uint64_t>& inodes,
                                                   absl::Time deadline) const {
  SocketHolders holders;
  if (inodes.empty()) return holders;
  absl::StatusOr<std::vector<int>> pids = procfs_->Pids();
  if (!pids.ok()) return pids.status();
  const auto others = std::stable_partition(pids->begin(), pids->end(), [this](int pid) {
    const absl::StatusOr<ExeLink> exe = procfs_->Exe(pid);
    return exe.ok() && is_server_(exe->path);
  });
  const absl::Span<const int> all(*pids);
  const auto servers = static_cast<size_t>(others - pids->begin());
  for (const absl::Span<const int> some : {all.first(servers), all.subspan(servers)}) {
    if (holders.of.size() == inodes.size()) break;
    absl::Status looked = LookAtEach(*procfs_, some, inodes, deadline, holders);
    if (!looked.ok()) return looked;
  }
  return holders;
}

absl::StatusOr<SocketHolders> HolderFinder::Find(const std::set<uint64_t>& inodes, Look look,
                                                 absl::Time deadline) {
  const absl::Time since =
      look == Look::kWhoIsWho ? absl::InfinitePast() : clock_->Now() - kJustNow;
  std::optional<SocketHolders> held = StillHeld(inodes, since);
  if (held.has_value()) return *std::move(held);
  absl::StatusOr<SocketHolders> holders = Search(inodes, deadline);
  if (holders.ok()) Remember(*holders);
  return holders;
}

std::optional<SocketHolders> HolderFinder::StillHeld(const std::set<uint64_t>& inodes,
                                                     absl::Time searched_since) {
  std::map<uint64_t, std::vector<Known>> known;
  {
    MutexLock lock(&mu_);
    for (const uint64_t inode : inodes) {
      const auto found = known_.find(inode);
      if (found == known_.end()) return std::nullopt;
      known.insert(*found);
    }
  }
  SocketHolders holders;
  for (const auto& [inode, processes] : known) {
    for (const Known& one : processes) {
      if (one.searched_at < searched_since) return std::nullopt;
      // In this order: it is this process's if the process is still the same afterwards.
      const absl::StatusOr<uint64_t> socket = procfs_->SocketAt(one.holder.pid, one.holder.fd);
      const absl::StatusOr<ProcStat> stat = procfs_->Stat(one.holder.pid);
      if (!socket.ok() || *socket != inode) return std::nullopt;
      if (!stat.ok() || stat->start_ticks != one.start_ticks) return std::nullopt;
      holders.of[inode].push_back(one.holder);
    }
  }
  return holders;
}

void HolderFinder::Remember(const SocketHolders& holders) {
  std::map<uint64_t, std::vector<Known>> found;
  const absl::Time now = clock_->Now();
  for (const auto& [inode, processes] : holders.of) {
    for (const SocketHolder& holder : processes) {
      const absl::StatusOr<ProcStat> stat = procfs_->Stat(holder.pid);
      if (stat.ok()) found[inode].push_back({holder, stat->start_ticks, now});
    }
  }
  MutexLock lock(&mu_);
  for (auto& [inode, processes] : found) {
    if (known_.insert_or_assign(inode, std::move(processes)).second) order_.push_back(inode);
  }
  while (order_.size() > kMaxKnown) {
    known_.erase(order_.front());
    order_.pop_front();
  }
}

}  // namespace vuf
