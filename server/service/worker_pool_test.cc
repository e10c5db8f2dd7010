#include "server/service/worker_pool.h"

#include <atomic>
#include <future>
#include <memory>

#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace vuf {
namespace {

// Keeps one thread of a pool busy until released. The thread may wake after the blocker is gone, so
// it touches nothing of it but the two shared states.
class Blocker {
 public:
  explicit Blocker(WorkerPool& pool) {
    auto running = std::make_shared<std::promise<void>>();
    EXPECT_TRUE(pool.Submit({absl::InfiniteFuture(), nullptr,
                             [running, released = release_.get_future().share()](auto&) {
                               running->set_value();
                               released.wait();
                             }})
                    .ok());
    running->get_future().wait();
  }
  void Release() { release_.set_value(); }

 private:
  std::promise<void> release_;
};

TEST(WorkerPoolTest, Runs) {
  WorkerPool pool(2, 4);
  std::promise<absl::Status> done;
  ASSERT_TRUE(pool.Submit({absl::InfiniteFuture(), nullptr,
                           [&](const absl::Status& status) { done.set_value(status); }})
                  .ok());
  EXPECT_TRUE(done.get_future().get().ok());
}

TEST(WorkerPoolTest, AFullQueueIsSaid) {
  WorkerPool pool(1, 1);
  Blocker blocker(pool);
  const WorkerPool::Task nothing = {absl::InfiniteFuture(), nullptr, [](const absl::Status&) {}};
  EXPECT_TRUE(pool.Submit(nothing).ok());
  EXPECT_EQ(pool.Submit(nothing).code(), absl::StatusCode::kResourceExhausted);
  blocker.Release();
}

TEST(WorkerPoolTest, WhatIsLateOrCancelledIsNotBegun) {
  WorkerPool pool(1, 4);
  Blocker blocker(pool);
  std::promise<absl::Status> late, cancelled;
  const absl::Time deadline = absl::Now();
  ASSERT_TRUE(
      pool.Submit({deadline, nullptr, [&](const absl::Status& s) { late.set_value(s); }}).ok());
  ASSERT_TRUE(pool.Submit({absl::InfiniteFuture(), [] { return true; },
                           [&](const absl::Status& s) { cancelled.set_value(s); }})
                  .ok());
  blocker.Release();
  EXPECT_EQ(late.get_future().get().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(cancelled.get_future().get().code(), absl::StatusCode::kCancelled);
}

TEST(WorkerPoolTest, StoppingAnswersTheQueue) {
  auto pool = std::make_unique<WorkerPool>(1, 4);
  Blocker blocker(*pool);
  std::promise<absl::Status> queued;
  ASSERT_TRUE(pool->Submit({absl::InfiniteFuture(), nullptr,
                            [&](const absl::Status& status) { queued.set_value(status); }})
                  .ok());
  std::thread stopper([&pool] { pool.reset(); });
  blocker.Release();
  stopper.join();
  // It was either begun before the stop or refused by it; never forgotten.
  const absl::Status status = queued.get_future().get();
  EXPECT_TRUE(status.ok() || absl::IsUnavailable(status)) << status;
}

}  // namespace
}  // namespace vuf
