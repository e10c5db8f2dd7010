// Who wants to be told that something changed.
#ifndef VUFD_SERVER_MIGRATION_SUBSCRIBERS_H_
#define VUFD_SERVER_MIGRATION_SUBSCRIBERS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "server/base/mutex.h"

namespace vuf {

// The lock is held while the callbacks run: that is what lets Remove promise that none is running
// when it returns. A callback must neither block nor subscribe.
class Subscribers {
 public:
  uint64_t Add(std::function<void()> notify) {
    MutexLock lock(&mu_);
    callbacks_.emplace(++last_id_, std::move(notify));
    return last_id_;
  }
  void Remove(uint64_t id) {
    MutexLock lock(&mu_);
    callbacks_.erase(id);
  }
  void Notify() {
    MutexLock lock(&mu_);
    for (const auto& [id, notify] : callbacks_) notify();
  }

 private:
  Mutex mu_;
  std::map<uint64_t, std::function<void()>> callbacks_ ABSL_GUARDED_BY(mu_);
  uint64_t last_id_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_SUBSCRIBERS_H_
