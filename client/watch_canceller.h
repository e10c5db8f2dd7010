// Ends a watch from another thread.
#ifndef VUFD_CLIENT_WATCH_CANCELLER_H_
#define VUFD_CLIENT_WATCH_CANCELLER_H_

#include "absl/time/time.h"
#include "grpcpp/client_context.h"
#include "server/base/mutex.h"

namespace vuf {

// One watch at a time. Cancel() is final.
class WatchCanceller {
 public:
  void Cancel() {
    MutexLock lock(&mu_);
    cancelled_ = true;
    if (stream_ != nullptr) stream_->TryCancel();
    changed_.NotifyAll();
  }

  bool cancelled() {
    MutexLock lock(&mu_);
    return cancelled_;
  }

  // The stream that Cancel() ends from now on; nullptr before the context is destroyed.
  void SetStream(grpc::ClientContext* stream) {
    MutexLock lock(&mu_);
    stream_ = stream;
    if (cancelled_ && stream_ != nullptr) stream_->TryCancel();
  }

  // Waits `duration`, or until cancelled.
  void Sleep(absl::Duration duration) {
    const absl::Time end = absl::Now() + duration;
    MutexLock lock(&mu_);
    while (!cancelled_ && absl::Now() < end) changed_.WaitFor(&mu_, end - absl::Now());
  }

 private:
  Mutex mu_;
  CondVar changed_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  grpc::ClientContext* stream_ ABSL_GUARDED_BY(mu_) = nullptr;
};

}  // namespace vuf

#endif  // VUFD_CLIENT_WATCH_CANCELLER_H_
