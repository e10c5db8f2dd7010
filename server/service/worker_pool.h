// Threads for work that blocks (a monitor, the disk), so that it does not sit on gRPC's threads.
#ifndef VUFD_SERVER_SERVICE_WORKER_POOL_H_
#define VUFD_SERVER_SERVICE_WORKER_POOL_H_

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"

namespace vuf {

class WorkerPool {
 public:
  struct Task {
    absl::Time deadline;
    // True: nobody wants the result any more. May be empty.
    std::function<bool()> cancelled;
    // Called exactly once, on a thread of the pool: OK means do it; otherwise it was not begun in
    // time (DEADLINE_EXCEEDED, CANCELLED) or the pool stops (UNAVAILABLE).
    std::function<void(const absl::Status&)> run;
  };

  WorkerPool(size_t threads, size_t max_queued);
  // Ends the tasks in the queue with UNAVAILABLE and waits for those that run.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // RESOURCE_EXHAUSTED: the queue is full; then `task.run` is not called.
  absl::Status Submit(Task task);

 private:
  void Work();

  const size_t max_queued_;
  Mutex mu_;
  CondVar changed_;
  std::deque<Task> queue_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_WORKER_POOL_H_
