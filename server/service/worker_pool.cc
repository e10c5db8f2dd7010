#include "server/service/worker_pool.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace vuf {
namespace {

absl::Status WhyNot(const WorkerPool::Task& task, bool stopping) {
  if (stopping) return absl::UnavailableError("the agent is stopping");
  if (task.cancelled && task.cancelled()) return absl::CancelledError("cancelled by the caller");
  if (absl::Now() >= task.deadline) {
    return absl::DeadlineExceededError("the deadline passed while the call was queued");
  }
  return absl::OkStatus();
}

}  // namespace

WorkerPool::WorkerPool(size_t threads, size_t max_queued) : max_queued_(max_queued) {
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

WorkerPool::~WorkerPool() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

absl::Status WorkerPool::Submit(Task task) {
  MutexLock lock(&mu_);
  if (stopping_) return absl::UnavailableError("the agent is stopping");
  if (queue_.size() >= max_queued_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the agent is busy: ", max_queued_, " calls are waiting; try again"));
  }
  queue_.push_back(std::move(task));
  changed_.NotifyOne();
  return absl::OkStatus();
}

void WorkerPool::Work() {
  while (true) {
    Task task;
    bool stopping;
    {
      MutexLock lock(&mu_);
      while (queue_.empty() && !stopping_) changed_.WaitFor(&mu_, absl::Minutes(1));
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
      stopping = stopping_;
    }
    task.run(WhyNot(task, stopping));
  }
}

}  // namespace vuf
