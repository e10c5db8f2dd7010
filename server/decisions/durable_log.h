// The log of decisions over the store.
#ifndef VUFD_SERVER_DECISIONS_DURABLE_LOG_H_
#define VUFD_SERVER_DECISIONS_DURABLE_LOG_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/decisions/decision_log.h"
#include "server/decisions/history.h"
#include "server/store/store.h"

namespace vuf {

// Every record is in memory. Those that are added without waiting are written by one thread, many
// at a time; that thread alone deletes what is too old, so that it never does so before it has
// written it. No lock is held while the store writes.
class DurableDecisionLog : public DecisionLog {
 public:
  struct Options {
    History::Limits limits;
    // Records that may wait for the disk.
    size_t queue = 256;
  };
  // Why a record will never reach the disk.
  enum class Lost { kQueueFull, kStore };
  // Told that so many records will not; must not block.
  using Observer = std::function<void(Lost, size_t)>;

  // Reads what there is. DATA_LOSS: a record is damaged.
  static absl::StatusOr<std::unique_ptr<DurableDecisionLog>> Open(Store* store, const Clock* clock,
                                                                  const Options& options,
                                                                  Observer observer);
  // Writes what waits.
  ~DurableDecisionLog() override;

  void Add(v1::DecisionRecord& record) override;
  absl::Status AddDurably(v1::DecisionRecord& record) override;
  absl::StatusOr<v1::DecisionRecord> Get(const std::string& name) const override;
  std::vector<Shared> List(const std::string& vm) const override;

 private:
  DurableDecisionLog(Store* store, const Clock* clock, const Options& options, Observer observer)
      : store_(store),
        clock_(clock),
        options_(options),
        observer_(std::move(observer)),
        history_(options.limits) {}

  absl::Status Load();
  void Stamp(v1::DecisionRecord& record);
  void Keep(const v1::DecisionRecord& record, std::string bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WriteWaiting();
  // What is to be written next, taken out of what waits. `records` is how many of them are added.
  std::vector<Change> TakeBatch(size_t* records) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WriteBatch(const std::vector<Change>& batch, size_t records);
  void Report(Lost why, size_t records, const absl::Status& status);

  Store* const store_;
  const Clock* const clock_;
  const Options options_;
  const Observer observer_;
  mutable Mutex mu_;
  CondVar changed_;
  History history_ ABSL_GUARDED_BY(mu_);
  // The last one given away, as a number.
  uint64_t last_ ABSL_GUARDED_BY(mu_) = 0;
  // Names that wait to be written, and to be deleted.
  std::deque<std::string> waiting_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> gone_ ABSL_GUARDED_BY(mu_);
  // There is something to do that has not been tried.
  bool work_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread writer_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_DECISIONS_DURABLE_LOG_H_
