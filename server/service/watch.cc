#include "server/service/watch.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/service/errors.h"

namespace vuf {

// Lives until gRPC calls OnDone and the hub has let go of it.
class WatchReactor : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                     public std::enable_shared_from_this<WatchReactor> {
 public:
  WatchReactor(WatchHub* hub, Calls* calls, std::string method, Limiter::Ticket ticket,
               WatchSource source)
      : hub_(hub),
        calls_(calls),
        method_(std::move(method)),
        ticket_(std::move(ticket)),
        source_(std::move(source)) {}

  // Sends the next message if there is one and none is on its way.
  void Pump() {
    MutexLock lock(&mu_);
    if (finished_ || writing_) return;
    WatchStep step = end_.has_value() ? WatchStep{std::nullopt, end_} : source_();
    if (step.end.has_value()) {
      finished_ = true;
      end_ = std::move(step.end);
      Finish(ToGrpc(*end_));
    } else if (step.message.has_value()) {
      writing_ = true;
      message_ = *std::move(step.message);
      StartWrite(&message_);
    }
  }

  // Ends as soon as the message on its way is sent.
  void End(absl::Status status) {
    {
      MutexLock lock(&mu_);
      if (!end_.has_value()) end_ = std::move(status);
    }
    Pump();
  }

  void OnWriteDone(bool ok) override {
    {
      MutexLock lock(&mu_);
      writing_ = false;
      if (!ok && !end_.has_value()) end_ = absl::CancelledError("the watcher is gone");
    }
    Pump();
  }

  void OnCancel() override { End(absl::CancelledError("cancelled by the watcher")); }

  void OnDone() override {
    absl::Status end;
    {
      MutexLock lock(&mu_);
      end = end_.value_or(absl::OkStatus());
    }
    calls_->Ended(method_, end, absl::InfiniteDuration());
    hub_->Remove(shared_from_this());
  }

 private:
  WatchHub* const hub_;
  Calls* const calls_;
  const std::string method_;
  const Limiter::Ticket ticket_;
  Mutex mu_;
  WatchSource source_ ABSL_GUARDED_BY(mu_);
  grpc::ByteBuffer message_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

WatchHub::WatchHub(Calls* calls) : calls_(calls), thread_([this] { Run(); }) {}

WatchHub::~WatchHub() {
  {
    MutexLock lock(&mu_);
    ending_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

WatchSource EndsWith(const absl::Status& end) {
  return [end] { return WatchStep{std::nullopt, end}; };
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchHub::Watch(
    const grpc::CallbackServerContext& context, const char* method,
    const std::function<WatchSource()>& begin) {
  Gate::Admission admission = calls_->Admit(context, method);
  auto watcher =
      std::make_shared<WatchReactor>(this, calls_, method, std::move(admission.ticket),
                                     admission.status.ok() ? begin() : EndsWith(admission.status));
  absl::Status refusal;
  {
    MutexLock lock(&mu_);
    if (stopped_) {
      refusal = absl::UnavailableError("the agent is stopping");
    } else if (watchers_.size() >= kMaxWatchers) {
      refusal = absl::ResourceExhaustedError(
          absl::StrCat("there are ", kMaxWatchers, " watchers already"));
    }
    watchers_.insert(watcher);
  }
  if (refusal.ok()) {
    watcher->Pump();
  } else {
    watcher->End(refusal);
  }
  return watcher.get();
}

void WatchHub::Notify() {
  MutexLock lock(&mu_);
  notified_ = true;
  changed_.NotifyAll();
}

void WatchHub::Stop() {
  std::set<std::shared_ptr<WatchReactor>> watchers;
  {
    MutexLock lock(&mu_);
    stopped_ = true;
    watchers = watchers_;
  }
  for (const auto& watcher : watchers) {
    watcher->End(absl::UnavailableError("the agent is stopping"));
  }
}

void WatchHub::Remove(const std::shared_ptr<WatchReactor>& watcher) {
  MutexLock lock(&mu_);
  watchers_.erase(watcher);
}

void WatchHub::Run() {
  while (true) {
    std::set<std::shared_ptr<WatchReactor>> watchers;
    {
      MutexLock lock(&mu_);
      while (!notified_ && !ending_) changed_.WaitFor(&mu_, absl::Minutes(1));
      if (ending_) return;
      notified_ = false;
      watchers = watchers_;
    }
    for (const auto& watcher : watchers) watcher->Pump();
  }
}

}  // namespace vuf
