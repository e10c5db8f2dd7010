// ProcessWatch with pidfds in one epoll.
#ifndef VUFD_SERVER_DISCOVERY_HOST_PROCESS_WATCH_H_
#define VUFD_SERVER_DISCOVERY_HOST_PROCESS_WATCH_H_

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "server/discovery/process_watch.h"
#include "server/discovery/procfs.h"

namespace vuf {

class HostProcessWatch : public ProcessWatch {
 public:
  // A descriptor each: this leaves half of the usual limit of 1024 to the rest of vufd.
  static constexpr size_t kMaxWatches = 512;

  explicit HostProcessWatch(const std::string& proc_root = "/proc", size_t limit = kMaxWatches);
  ~HostProcessWatch() override;
  HostProcessWatch(const HostProcessWatch&) = delete;
  HostProcessWatch& operator=(const HostProcessWatch&) = delete;

  absl::Status Add(const ProcessId& process) override;
  void Remove(const ProcessId& process) override;
  absl::StatusOr<std::vector<ProcessId>> Await(absl::Time deadline) override;
  void Wake() override;

 private:
  // NOT_FOUND: it has ended, and perhaps another one has its pid.
  absl::Status CheckIs(const ProcessId& process) const;

  const Procfs procfs_;
  const size_t limit_;
  const int epoll_;
  const int wake_;
  // By pidfd.
  std::map<int, ProcessId> watched_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_HOST_PROCESS_WATCH_H_
