#include "server/discovery/fake_process_watch.h"

#include <utility>

#include "absl/algorithm/container.h"
#include "absl/time/clock.h"

namespace vuf {

void FakeProcessWatch::FailAdd(absl::Status status) {
  MutexLock lock(&mu_);
  add_status_ = std::move(status);
}

void FakeProcessWatch::End(const ProcessId& process) {
  MutexLock lock(&mu_);
  dead_.push_back(process);
  if (!IsWatched(process)) return;
  std::erase(watched_, process);
  ended_.push_back(process);
  changed_.NotifyAll();
}

std::vector<ProcessId> FakeProcessWatch::watched() const {
  MutexLock lock(&mu_);
  return watched_;
}

int FakeProcessWatch::adds() const {
  MutexLock lock(&mu_);
  return adds_;
}

bool FakeProcessWatch::IsWatched(const ProcessId& process) const {
  return absl::c_linear_search(watched_, process);
}

bool FakeProcessWatch::AwaitThat(const std::function<bool()>& condition, absl::Duration timeout) {
  const absl::Time limit = absl::Now() + timeout;
  MutexLock lock(&mu_);
  while (!condition() && absl::Now() < limit) changed_.WaitFor(&mu_, limit - absl::Now());
  return condition();
}

bool FakeProcessWatch::AwaitWatched(const ProcessId& process, absl::Duration timeout) {
  return AwaitThat([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return IsWatched(process); }, timeout);
}

bool FakeProcessWatch::AwaitNobody(absl::Duration timeout) {
  return AwaitThat([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return watched_.empty(); }, timeout);
}

bool FakeProcessWatch::AwaitAdds(int count, absl::Duration timeout) {
  return AwaitThat([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return adds_ >= count; }, timeout);
}

absl::Status FakeProcessWatch::Add(const ProcessId& process) {
  MutexLock lock(&mu_);
  ++adds_;
  changed_.NotifyAll();
  if (!add_status_.ok()) return add_status_;
  if (absl::c_linear_search(dead_, process)) return absl::NotFoundError("it has ended");
  watched_.push_back(process);
  changed_.NotifyAll();
  return absl::OkStatus();
}

void FakeProcessWatch::Remove(const ProcessId& process) {
  MutexLock lock(&mu_);
  std::erase(watched_, process);
  changed_.NotifyAll();
}

absl::StatusOr<std::vector<ProcessId>> FakeProcessWatch::Await(absl::Time deadline) {
  MutexLock lock(&mu_);
  while (!woken_ && ended_.empty() && absl::Now() < deadline) {
    changed_.WaitFor(&mu_, deadline - absl::Now());
  }
  woken_ = false;
  return std::exchange(ended_, {});
}

void FakeProcessWatch::Wake() {
  MutexLock lock(&mu_);
  woken_ = true;
  changed_.NotifyAll();
}

}  // namespace vuf
