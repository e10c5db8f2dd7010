#include "server/service/refresher.h"

#include <utility>

#include "absl/time/clock.h"
#include "server/base/log.h"

namespace vuf {
namespace {

constexpr absl::Duration kLookTimeout = absl::Seconds(5);

}  // namespace

Refresher::Refresher(VmFinder* finder, EndpointObserver* observer, Metrics* metrics,
                     std::vector<std::string> globs, absl::Duration period)
    : finder_(finder),
      observer_(observer),
      metrics_(metrics),
      globs_(std::move(globs)),
      period_(period),
      thread_([this] { Run(); }) {}

Refresher::~Refresher() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

bool Refresher::Stopping() {
  MutexLock lock(&mu_);
  return stopping_;
}

void Refresher::Run() {
  while (!Stopping()) {
    const absl::Time begin = absl::Now();
    Round();
    metrics_->RefreshDone(absl::Now(), absl::Now() - begin);
    const absl::Time next = begin + period_;
    MutexLock lock(&mu_);
    while (!stopping_ && absl::Now() < next) changed_.WaitFor(&mu_, next - absl::Now());
  }
}

void Refresher::Round() {
  if (!globs_.empty()) FindVms(absl::Now() + period_);
  observer_->ObserveAll(kLookTimeout, [this] { return !Stopping(); });
}

void Refresher::FindVms(absl::Time deadline) {
  const absl::StatusOr<std::vector<v1::DiscoveredVm>> found =
      finder_->Discover(globs_, deadline, [this] { return Stopping(); });
  if (absl::IsCancelled(found.status())) return;
  if (!found.ok()) {
    Log(LogLevel::kWarning, "discovery failed", {{"error", std::string(found.status().message())}});
    return;
  }
  for (const v1::DiscoveredVm& entry : *found) {
    if (entry.outcome() == v1::DiscoveredVm::OUTCOME_REGISTERED) {
      Log(LogLevel::kInfo, "vm discovered",
          {{"vm", entry.vm().name()}, {"qmp_socket", entry.qmp_socket()}});
    } else if (entry.outcome() == v1::DiscoveredVm::OUTCOME_FAILED) {
      Log(LogLevel::kDebug, "monitor not usable",
          {{"qmp_socket", entry.qmp_socket()}, {"error", entry.error()}});
    }
  }
}

}  // namespace vuf
