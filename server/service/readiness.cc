#include "server/service/readiness.h"

#include <utility>

#include "absl/strings/match.h"
#include "server/base/log.h"
#include "server/security/detail.h"

namespace vuf {
namespace {

constexpr absl::Duration kAskAgain = absl::Seconds(1);

// As the API names its methods.
bool Changes(absl::string_view method) {
  const absl::string_view name = method.substr(method.find('/') + 1);
  for (const absl::string_view verb :
       {"Create", "Update", "Delete", "Register", "Remove", "Cancel", "Upgrade", "Reserve"}) {
    if (absl::StartsWith(name, verb)) return true;
  }
  return false;
}

}  // namespace

absl::Status CheckReady(const Migrator& migrator, absl::string_view method) {
  if (!Changes(method) || migrator.Settled()) return absl::OkStatus();
  return WithRetry(
      absl::UnavailableError(
          "RECONCILING: vufd has just started and settles the migrations that were under way when "
          "it ended; until then nothing is changed. Ask again in a moment"),
      kAskAgain);
}

Readiness::Readiness(Migrator* migrator, std::function<void()> ready)
    : migrator_(migrator), ready_(std::move(ready)) {
  if (migrator_->Settled()) {
    Announce();
    return;
  }
  Log(LogLevel::kInfo, "phase", {{"phase", "RECONCILING"}});
  waiter_ = std::thread([this] {
    migrator_->AwaitSettled();
    Announce();
  });
}

Readiness::~Readiness() {
  Stop();
  if (waiter_.joinable()) waiter_.join();
}

void Readiness::Announce() {
  Log(LogLevel::kInfo, "phase", {{"phase", "READY"}});
  // Under the lock: once Stop has returned, nobody is told any more.
  MutexLock lock(&mu_);
  if (!stopped_) ready_();
}

void Readiness::Stop() {
  MutexLock lock(&mu_);
  stopped_ = true;
}

}  // namespace vuf
