#include "server/service/back_end_watcher.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/log.h"

namespace vuf {
namespace {

constexpr absl::Duration kLookTimeout = absl::Seconds(5);
// The registry wakes the thread; this only bounds how long a lost wake-up could matter.
constexpr absl::Duration kLongestWait = absl::Minutes(1);

}  // namespace

BackEndWatcher::BackEndWatcher(ProcessWatch* watch, EndpointObserver* observer, Registry* registry,
                               Metrics* metrics)
    : watch_(watch),
      observer_(observer),
      registry_(registry),
      metrics_(metrics),
      subscription_(registry->Subscribe([watch] { watch->Wake(); })),
      thread_([this] { Run(); }) {}

BackEndWatcher::~BackEndWatcher() {
  registry_->Unsubscribe(subscription_);
  stopping_ = true;
  watch_->Wake();
  thread_.join();
}

void BackEndWatcher::Run() {
  while (!stopping_) {
    Follow();
    const absl::StatusOr<std::vector<ProcessId>> ended = watch_->Await(absl::Now() + kLongestWait);
    if (!ended.ok()) return SayOnce(ended.status());
    for (const ProcessId& process : *ended) {
      if (stopping_) return;
      const Key key(process.pid, process.start_ticks);
      watched_.erase(key);
      ended_.insert(key);
      metrics_->BackEndExited();
      LookAgain(key);
    }
  }
}

void BackEndWatcher::Follow() {
  const std::shared_ptr<const Registry::Snapshot> snapshot = registry_->snapshot();
  if (snapshot->revision == revision_) return;
  revision_ = snapshot->revision;
  endpoints_.clear();
  for (const auto& [name, endpoint] : snapshot->endpoints) {
    if (endpoint.back_end().pid() <= 0) continue;
    endpoints_[{endpoint.back_end().pid(), endpoint.back_end().start_ticks()}].push_back(name);
  }
  const auto unwanted = [this](const Key& key) { return endpoints_.count(key) == 0; };
  for (const Key& key : watched_) {
    if (unwanted(key)) watch_->Remove({key.first, key.second});
  }
  std::erase_if(watched_, unwanted);
  std::erase_if(ended_, unwanted);
  for (const auto& [key, names] : endpoints_) {
    if (watched_.count(key) != 0 || ended_.count(key) != 0) continue;
    if (stopping_ || !Watch(key)) return;
  }
}

bool BackEndWatcher::Watch(const Key& key) {
  const absl::Status status = watch_->Add({key.first, key.second});
  if (status.ok()) {
    watched_.insert(key);
  } else if (absl::IsNotFound(status)) {
    // It ended between the look that found it and now.
    ended_.insert(key);
    LookAgain(key);
  } else {
    SayOnce(status);
    return false;
  }
  return true;
}

void BackEndWatcher::SayOnce(const absl::Status& why) {
  if (said_) return;
  said_ = true;
  Log(LogLevel::kWarning, "ends of back-ends are seen only once every discovery period",
      {{"error", std::string(why.message())}});
}

void BackEndWatcher::LookAgain(const Key& key) {
  const auto found = endpoints_.find(key);
  if (found == endpoints_.end()) return;
  for (const std::string& name : found->second) {
    if (stopping_) return;
    Log(LogLevel::kInfo, "back-end ended", {{"endpoint", name}, {"pid", absl::StrCat(key.first)}});
    const absl::Status seen = observer_->Observe(name, absl::Now() + kLookTimeout).status();
    // Deleted meanwhile: nothing to say.
    if (seen.ok() || absl::IsNotFound(seen)) continue;
    Log(LogLevel::kWarning, "endpoint could not be recorded",
        {{"endpoint", name}, {"error", std::string(seen.message())}});
  }
}

}  // namespace vuf
