// Between whoever judges and whoever reads: verdicts of a batch on their way to its caller.
#ifndef VUFD_SERVER_SERVICE_BATCH_FEED_H_
#define VUFD_SERVER_SERVICE_BATCH_FEED_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpcpp/support/byte_buffer.h"
#include "server/base/mutex.h"
#include "server/service/watch.h"

namespace vuf {

class BatchFeed {
 public:
  // Whoever judges waits when so many are not read.
  static constexpr size_t kMaxUnread = 256;

  // `notify` wakes the reader; called without a lock.
  explicit BatchFeed(std::function<void()> notify) : notify_(std::move(notify)) {}

  // Messages that stay together. False: nobody reads any more, or `deadline` has passed.
  bool Push(std::vector<grpc::ByteBuffer> messages, absl::Time deadline);
  // Nothing is pushed any more. The first end counts.
  void End(absl::Status status);
  // The reader is gone.
  void Close();
  bool closed() const;

  // What the reader does next (see WatchSource). Closes the feed when it is destroyed.
  static WatchSource Reader(const std::shared_ptr<BatchFeed>& feed);

 private:
  WatchStep Next();

  const std::function<void()> notify_;
  mutable Mutex mu_;
  CondVar changed_;
  std::deque<grpc::ByteBuffer> unread_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_BATCH_FEED_H_
