// Looks at an endpoint again as soon as its back-end has ended.
#ifndef VUFD_SERVER_SERVICE_BACK_END_WATCHER_H_
#define VUFD_SERVER_SERVICE_BACK_END_WATCHER_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/discovery/process_watch.h"
#include "server/metrics/metrics.h"
#include "server/registry/registry.h"
#include "server/service/endpoint_observer.h"

namespace vuf {

// One thread for all registered endpoints. What it cannot watch the refresher finds a period later.
class BackEndWatcher {
 public:
  BackEndWatcher(ProcessWatch* watch, EndpointObserver* observer, Registry* registry,
                 Metrics* metrics);
  ~BackEndWatcher();
  BackEndWatcher(const BackEndWatcher&) = delete;
  BackEndWatcher& operator=(const BackEndWatcher&) = delete;

 private:
  // Pid and start time; a ProcessId has no order.
  using Key = std::pair<int, uint64_t>;

  void Run();
  // Watches what the registry says now, and nothing else.
  void Follow();
  // False: no more can be watched.
  bool Watch(const Key& key);
  void SayOnce(const absl::Status& why);
  // Looks at all endpoints that the process served.
  void LookAgain(const Key& key);

  ProcessWatch* const watch_;
  EndpointObserver* const observer_;
  Registry* const registry_;
  Metrics* const metrics_;
  // The thread's own.
  uint64_t revision_ = 0;
  std::map<Key, std::vector<std::string>> endpoints_;
  std::set<Key> watched_;
  // Ended, but still named by an endpoint: not to be watched again.
  std::set<Key> ended_;
  bool said_ = false;
  std::atomic<bool> stopping_{false};
  const uint64_t subscription_;
  std::thread thread_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_BACK_END_WATCHER_H_
