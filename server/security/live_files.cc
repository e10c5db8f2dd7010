#include "server/security/live_files.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/read_file.h"

namespace vuf {

LiveFiles::LiveFiles(std::vector<File> files, Take take, OnFailure on_failure)
    : files_(std::move(files)), take_(std::move(take)), on_failure_(std::move(on_failure)) {}

LiveFiles::Seen LiveFiles::Look() const {
  Seen seen;
  for (const File& file : files_) {
    absl::StatusOr<std::string> text = ReadFile(file.field, file.path, kMaxBytes + 1);
    if (text.ok() && text->size() > kMaxBytes) {
      text = absl::FailedPreconditionError(
          absl::StrCat(file.field, " \"", file.path, "\": larger than ", kMaxBytes, " bytes"));
    }
    if (!text.ok()) {
      seen.error = text.status();
      break;
    }
    seen.contents.push_back(*std::move(text));
  }
  return seen;
}

absl::Status LiveFiles::TakeOver(const Seen& seen) const {
  return seen.error.ok() ? take_(seen.contents) : seen.error;
}

absl::Status LiveFiles::Load() {
  last_ = Look();
  return TakeOver(last_);
}

void LiveFiles::Poll() {
  Seen now = Look();
  if (now == last_ || !(Look() == now)) return;
  last_ = std::move(now);
  const absl::Status taken = TakeOver(last_);
  if (!taken.ok()) on_failure_(taken);
}

Poller::Poller(absl::Duration period, std::function<void()> poll)
    : period_(period), poll_(std::move(poll)), thread_([this] { Run(); }) {}

Poller::~Poller() {
  {
    MutexLock lock(&mu_);
    ending_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

bool Poller::Wait() {
  const absl::Time until = absl::Now() + period_;
  MutexLock lock(&mu_);
  for (absl::Time now = absl::Now(); !ending_ && now < until; now = absl::Now()) {
    // Never longer than the period, even when the clock is set back.
    if (!changed_.WaitFor(&mu_, std::min(until - now, period_))) break;
  }
  return !ending_;
}

void Poller::Run() {
  while (Wait()) poll_();
}

}  // namespace vuf
