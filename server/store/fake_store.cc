#include "server/store/fake_store.h"

#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace vuf {

absl::StatusOr<std::vector<Record>> FakeStore::ReadAll(Table table) {
  MutexLock lock(&mu_);
  if (!read_failure_.ok()) return read_failure_;
  std::vector<Record> records;
  for (const auto& [key, value] : records_) {
    if (key.first == table) records.push_back({key.second, value});
  }
  return records;
}

absl::Status FakeStore::Write(const std::vector<Change>& changes) {
  MutexLock lock(&mu_);
  ++held_;
  changed_.NotifyAll();
  while (hold_) changed_.WaitFor(&mu_, absl::Seconds(60));
  --held_;
  if (write_failures_left_ > 0) {
    --write_failures_left_;
    return write_failure_;
  }
  for (const Change& change : changes) {
    const auto failing = failing_keys_.find(change.key);
    if (failing == failing_keys_.end()) continue;
    const absl::Status failure = failing->second;
    failing_keys_.erase(failing);
    return failure;
  }
  for (const Change& change : changes) {
    if (change.value.has_value()) {
      records_[{change.table, change.key}] = *change.value;
    } else {
      records_.erase({change.table, change.key});
    }
  }
  writes_.push_back(changes.size());
  return absl::OkStatus();
}

void FakeStore::FailWrites(absl::Status status, int count) {
  MutexLock lock(&mu_);
  write_failure_ = std::move(status);
  write_failures_left_ = count;
}

void FakeStore::FailWriteOf(const std::string& key, absl::Status status) {
  MutexLock lock(&mu_);
  failing_keys_[key] = std::move(status);
}

void FakeStore::FailReads(absl::Status status) {
  MutexLock lock(&mu_);
  read_failure_ = std::move(status);
}

void FakeStore::HoldWrites() {
  MutexLock lock(&mu_);
  hold_ = true;
}

void FakeStore::ReleaseWrites() {
  MutexLock lock(&mu_);
  hold_ = false;
  changed_.NotifyAll();
}

bool FakeStore::AwaitHeldWrite(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  MutexLock lock(&mu_);
  while (!hold_ || held_ == 0) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return false;
    changed_.WaitFor(&mu_, left);
  }
  return true;
}

std::vector<size_t> FakeStore::writes() const {
  MutexLock lock(&mu_);
  return writes_;
}

}  // namespace vuf
