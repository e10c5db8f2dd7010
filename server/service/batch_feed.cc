#include "server/service/batch_feed.h"

#include <algorithm>

#include "absl/time/clock.h"

namespace vuf {

bool BatchFeed::Push(std::vector<grpc::ByteBuffer> messages, absl::Time deadline) {
  {
    MutexLock lock(&mu_);
    while (unread_.size() >= kMaxUnread && !closed_) {
      const absl::Duration left = deadline - absl::Now();
      if (left <= absl::ZeroDuration()) return false;
      changed_.WaitFor(&mu_, std::min(left, absl::Minutes(1)));
    }
    if (closed_) return false;
    for (grpc::ByteBuffer& message : messages) unread_.push_back(std::move(message));
  }
  notify_();
  return true;
}

void BatchFeed::End(absl::Status status) {
  {
    MutexLock lock(&mu_);
    if (!end_.has_value()) end_ = std::move(status);
  }
  notify_();
}

void BatchFeed::Close() {
  MutexLock lock(&mu_);
  closed_ = true;
  unread_.clear();
  changed_.NotifyAll();
}

bool BatchFeed::closed() const {
  MutexLock lock(&mu_);
  return closed_;
}

WatchStep BatchFeed::Next() {
  MutexLock lock(&mu_);
  if (unread_.empty()) return {std::nullopt, end_};
  WatchStep step{std::move(unread_.front()), std::nullopt};
  unread_.pop_front();
  changed_.NotifyAll();
  return step;
}

WatchSource BatchFeed::Reader(const std::shared_ptr<BatchFeed>& feed) {
  // Goes with the last copy of the source.
  const std::shared_ptr<BatchFeed> reader(feed.get(), [feed](BatchFeed* at) { at->Close(); });
  return [reader] { return reader->Next(); };
}

}  // namespace vuf
