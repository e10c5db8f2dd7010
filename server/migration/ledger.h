// All migrations: in memory for readers, in the store for good.
#ifndef VUFD_SERVER_MIGRATION_LEDGER_H_
#define VUFD_SERVER_MIGRATION_LEDGER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/migration/subscribers.h"
#include "server/model/policy.h"
#include "server/registry/request_key.h"
#include "server/store/store.h"
#include "vuf/v1/migration.pb.h"

namespace vuf {

// Thread-safe, and holds no lock while the store writes. Each migration is changed by the one
// thread that runs it; only Cancel and StopAll come from others, and they just leave a request.
class Ledger {
 public:
  using State = v1::Migration::State;
  using Edit = std::function<void(v1::Migration&)>;
  using Observer = std::function<void(const v1::Migration&)>;
  enum class Stop { kNone, kCancel, kShutdown };
  struct Limits {
    size_t running = 4;
    size_t history = 1000;
    size_t queued = 100;
  };

  Ledger(Store* store, const Clock* clock, Limits limits, Observer observer)
      : store_(store), clock_(clock), limits_(limits), observer_(std::move(observer)) {}

  // Reads the store, once, before anything else.
  absl::Status Load();

  struct Added {
    v1::Migration migration;
    // The request had been accepted before; nothing new was added.
    bool replayed = false;
  };
  // The migration that an earlier request with this key was given, or nothing.
  absl::StatusOr<Added> Replay(const RequestKey& key) const;
  // Durable when it returns OK: EVALUATING, or QUEUED where as many run as may. At most one
  // unfinished migration per VM and per destination.
  absl::StatusOr<Added> Add(v1::Migration migration, const RequestKey& key);

  // The queued migration whose turn it is, which leaves the queue with that: there is a place for
  // it, its priority is the highest, the fewest of its caller's run, and it is the oldest.
  std::optional<v1::Migration> TakeNext();

  // Takes a place under each of these limits, which have counted it from then on until it ends; or,
  // where one of them is reached, none. Says in the limits how many others have one.
  bool Reserve(const std::string& name, std::vector<ConcurrencyLimit>& limits);
  // Only says how many.
  void CountRunning(std::vector<ConcurrencyLimit>& limits) const;

  absl::StatusOr<v1::Migration> Get(const std::string& name) const;
  // Newest first.
  std::vector<v1::Migration> List() const;
  // As Migrator::Recent.
  std::vector<v1::Migration> Recent(size_t ended) const;
  std::vector<v1::Migration> Unfinished() const;
  std::string RunningOf(const std::string& vm) const;
  uint64_t Subscribe(std::function<void()> notify) { return subscribers_.Add(std::move(notify)); }
  void Unsubscribe(uint64_t id) { subscribers_.Remove(id); }

  // Durable before it returns OK, and only then visible. CANCELLED, without a change, when
  // somebody asked the migration to stop.
  absl::Status Advance(const std::string& name, State state, const Edit& edit = {});
  // Visible, not durable: progress, and the one state nobody has time to write.
  void Show(const std::string& name, const Edit& edit);
  // The last change. A store that fails does not keep it from being seen; what the store still
  // says is settled by the next start.
  void End(const std::string& name, State state, const std::string& message);
  Stop StopRequested(const std::string& name) const;
  // From here on the migration cannot be stopped. False: somebody was faster.
  bool ClaimCommit(const std::string& name);
  // It was claimed since the start.
  bool Claimed(const std::string& name) const;

  // One in the queue is CANCELLED when this returns; any other ends with its thread.
  absl::StatusOr<v1::Migration> Cancel(const std::string& name);
  // Nothing is added any more, and everything before its commit is asked to stop. The queue stays
  // as it is, for the next start.
  void StopAll();
  // StopAll was called.
  bool stopping() const;

 private:
  struct Entry {
    v1::Migration record;
    Stop stop = Stop::kNone;
    bool committing = false;
    // Being written for the first time.
    bool pending = false;
    // Policies under whose limits it has a place.
    std::set<std::string> places;
  };

  absl::Status LoadRequests();
  absl::StatusOr<Added> ReplayLocked(const RequestKey& key) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CountOthers(const std::string& name, std::vector<ConcurrencyLimit>& limits) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckRoom(const v1::Migration& migration) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool Full() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return running_.size() - queue_.size() >= limits_.running;
  }
  absl::Status CheckCancel(const Entry& entry) const;
  // Everything that one durable write of `next` carries.
  std::vector<Change> ChangesFor(const v1::Migration& next) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::vector<std::string> BeyondHistory() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Forget(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Write(const v1::Migration& next);
  // The state that a change to `next` shows.
  static State Visible(const Entry& entry, State next);
  void Publish(v1::Migration next);

  Store* const store_;
  const Clock* const clock_;
  const Limits limits_;
  const Observer observer_;
  Subscribers subscribers_;
  mutable Mutex mu_;
  // By name; names sort by age.
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mu_);
  // Those that have not ended.
  std::set<std::string> running_ ABSL_GUARDED_BY(mu_);
  // Those of them whose end is being written.
  std::set<std::string> ending_ ABSL_GUARDED_BY(mu_);
  // Those of them that nobody has begun with.
  std::set<std::string> queue_ ABSL_GUARDED_BY(mu_);
  struct Request {
    std::string digest;
    std::string migration;
  };
  std::map<std::string, Request> requests_ ABSL_GUARDED_BY(mu_);
  uint64_t next_number_ ABSL_GUARDED_BY(mu_) = 1;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_LEDGER_H_
