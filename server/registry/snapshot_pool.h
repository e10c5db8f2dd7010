// Snapshots that nobody reads any more are brought up to date and used again: copying ten thousand
// records for every change would cost more than the durable write itself.
#ifndef VUFD_SERVER_REGISTRY_SNAPSHOT_POOL_H_
#define VUFD_SERVER_REGISTRY_SNAPSHOT_POOL_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/base/mutex.h"
#include "server/registry/registry.h"
#include "server/store/store.h"

namespace vuf {

class SnapshotPool {
 public:
  SnapshotPool() : returned_(std::make_shared<Returned>()) {}

  // A copy of `current`, to be changed.
  std::unique_ptr<Registry::Snapshot> Copy(const Registry::Snapshot& current);
  // Takes back a copy that was not changed after all.
  void Return(std::unique_ptr<Registry::Snapshot> unchanged) {
    returned_->Offer(std::move(unchanged));
  }
  // Makes `next` immutable; `changes` led to it from the one that Publish made before.
  std::shared_ptr<const Registry::Snapshot> Publish(std::unique_ptr<Registry::Snapshot> next,
                                                    const std::vector<Change>& changes);

 private:
  // Readers hold snapshots as long as they like, also longer than the pool lives.
  struct Returned {
    // Keeps the newer one.
    void Offer(std::unique_ptr<Registry::Snapshot> offered) {
      MutexLock lock(&mu);
      if (snapshot == nullptr || snapshot->revision < offered->revision) snapshot.swap(offered);
    }
    Mutex mu;
    std::unique_ptr<Registry::Snapshot> snapshot ABSL_GUARDED_BY(mu);
  };
  struct Step {
    uint64_t revision;
    std::vector<std::pair<Table, std::string>> keys;
  };
  bool CatchUp(const Registry::Snapshot& current, Registry::Snapshot& old) const;

  const std::shared_ptr<Returned> returned_;
  // The keys that changed with each of the last publications.
  std::deque<Step> steps_;
  // Revision that the oldest step starts from.
  uint64_t reaches_back_to_ = UINT64_MAX;
};

}  // namespace vuf

#endif  // VUFD_SERVER_REGISTRY_SNAPSHOT_POOL_H_
