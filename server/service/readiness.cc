#include "server/service/readiness.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/security/detail.h"
#include "server/security/methods.h"

namespace vuf {
namespace {

constexpr absl::Duration kAskAgain = absl::Seconds(1);

// What another host's agent says of a migration that is under way is heard: both may be settling,
// and each needs the other's word for it. A new one may not come in.
bool Waits(absl::string_view method) {
  const MethodRule* const rule = FindMethodRule(absl::StrCat("vuf.v1.", method));
  if (rule == nullptr || !rule->changes) return false;
  return !absl::StartsWith(method, "PeerService/") || method == "PeerService/Reserve";
}

}  // namespace

absl::Status CheckReady(const Migrator& migrator, absl::string_view method) {
  if (migrator.Settled() || !Waits(method)) return absl::OkStatus();
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
