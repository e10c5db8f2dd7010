#include "server/discovery/host_process_watch.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace vuf {
namespace {

constexpr int kEventsAtOnce = 64;
constexpr absl::Duration kLongestWait = absl::Hours(1);

int OpenPidfd(int pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

absl::Status WatchDescriptor(int epoll, int fd) {
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "epoll_ctl");
}

int Milliseconds(absl::Duration duration) {
  const absl::Duration bounded = std::clamp(duration, absl::ZeroDuration(), kLongestWait);
  return static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(bounded, absl::Milliseconds(1))));
}

}  // namespace

HostProcessWatch::HostProcessWatch(const std::string& proc_root, size_t limit)
    : procfs_(proc_root),
      limit_(limit),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  // What fails here shows in Await.
  (void)WatchDescriptor(epoll_, wake_);
}

HostProcessWatch::~HostProcessWatch() {
  for (const auto& [fd, process] : watched_) close(fd);
  if (wake_ >= 0) close(wake_);
  if (epoll_ >= 0) close(epoll_);
}

absl::Status HostProcessWatch::Add(const ProcessId& process) {
  if (watched_.size() >= limit_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("more than ", limit_, " processes would be watched"));
  }
  const int fd = OpenPidfd(process.pid);
  if (fd < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("pidfd_open of process ", process.pid));
  }
  // Only now: had the pid gone to another before pidfd_open, it would have that one's start time.
  absl::Status added = CheckIs(process);
  if (added.ok()) added = WatchDescriptor(epoll_, fd);
  if (added.ok()) {
    watched_[fd] = process;
  } else {
    close(fd);
  }
  return added;
}

absl::Status HostProcessWatch::CheckIs(const ProcessId& process) const {
  const absl::StatusOr<ProcStat> stat = procfs_.Stat(process.pid);
  if (absl::IsNotFound(stat.status()) || (stat.ok() && stat->start_ticks != process.start_ticks)) {
    return absl::NotFoundError(absl::StrCat("process ", process.pid, " has ended"));
  }
  return stat.status();
}

void HostProcessWatch::Remove(const ProcessId& process) {
  for (auto it = watched_.begin(); it != watched_.end(); ++it) {
    if (it->second != process) continue;
    // Which takes it out of the epoll: nobody has a copy.
    close(it->first);
    watched_.erase(it);
    return;
  }
}

absl::StatusOr<std::vector<ProcessId>> HostProcessWatch::Await(absl::Time deadline) {
  std::array<epoll_event, kEventsAtOnce> events = {};
  const int count =
      epoll_wait(epoll_, events.data(), kEventsAtOnce, Milliseconds(deadline - absl::Now()));
  if (count < 0 && errno != EINTR) return absl::ErrnoToStatus(errno, "epoll_wait");
  std::vector<ProcessId> ended;
  for (int i = 0; i < count; ++i) {
    const int fd = events[i].data.fd;
    if (fd == wake_) {
      uint64_t wakes = 0;
      (void)!read(wake_, &wakes, sizeof(wakes));
      continue;
    }
    ended.push_back(watched_.at(fd));
    close(fd);
    watched_.erase(fd);
  }
  return ended;
}

void HostProcessWatch::Wake() {
  const uint64_t one = 1;
  (void)!write(wake_, &one, sizeof(one));
}

}  // namespace vuf
