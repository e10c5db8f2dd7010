#include "server/decisions/durable_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/base/log.h"
#include "server/convert/convert.h"

namespace vuf {
namespace {

constexpr char kPrefix[] = "decisions/d";
constexpr size_t kBatch = 64;

std::string NameOf(uint64_t number) {
  return absl::StrCat(kPrefix, absl::Hex(number, absl::kZeroPad16));
}

}  // namespace

absl::StatusOr<std::unique_ptr<DurableDecisionLog>> DurableDecisionLog::Open(Store* store,
                                                                             const Clock* clock,
                                                                             const Options& options,
                                                                             Observer observer) {
  std::unique_ptr<DurableDecisionLog> log(
      new DurableDecisionLog(store, clock, options, std::move(observer)));
  if (absl::Status loaded = log->Load(); !loaded.ok()) return loaded;
  log->writer_ = std::thread([raw = log.get()] { raw->WriteWaiting(); });
  return log;
}

DurableDecisionLog::~DurableDecisionLog() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  if (writer_.joinable()) writer_.join();
}

absl::Status DurableDecisionLog::Load() {
  absl::StatusOr<std::vector<Record>> records = store_->ReadAll(Table::kDecisions);
  if (!records.ok()) return records.status();
  MutexLock lock(&mu_);
  for (Record& stored : *records) {
    v1::DecisionRecord record;
    absl::string_view digits = stored.key;
    uint64_t number = 0;
    if (!record.ParseFromString(stored.value) || record.name() != stored.key ||
        !absl::ConsumePrefix(&digits, kPrefix) || !absl::SimpleHexAtoi(digits, &number)) {
      return absl::DataLossError(
          absl::StrCat("the store's record of the decision \"", stored.key, "\" is damaged"));
    }
    last_ = std::max(last_, number);
    Keep(record, std::move(stored.value));
  }
  return absl::OkStatus();
}

// By the time, so that a record that was lost with a crash leaves no name to be given again.
void DurableDecisionLog::Stamp(v1::DecisionRecord& record) {
  const absl::Time now = clock_->Now();
  {
    MutexLock lock(&mu_);
    last_ = std::max(last_ + 1, static_cast<uint64_t>(absl::ToUnixNanos(now)));
    record.set_name(NameOf(last_));
  }
  *record.mutable_create_time() = ToProto(now);
  if (record.has_verdict()) record.mutable_verdict()->set_decision_record(record.name());
}

void DurableDecisionLog::Keep(const v1::DecisionRecord& record, std::string bytes) {
  const std::vector<std::string> gone = history_.Put(record, std::move(bytes));
  if (gone.empty()) return;
  gone_.insert(gone_.end(), gone.begin(), gone.end());
  work_ = true;
  changed_.NotifyAll();
}

void DurableDecisionLog::Add(v1::DecisionRecord& record) {
  Stamp(record);
  std::string bytes = record.SerializeAsString();
  {
    MutexLock lock(&mu_);
    Keep(record, std::move(bytes));
    if (waiting_.size() < options_.queue) {
      waiting_.push_back(record.name());
      work_ = true;
      changed_.NotifyAll();
      return;
    }
  }
  Report(Lost::kQueueFull, 1, absl::ResourceExhaustedError("too many records wait for the disk"));
}

absl::Status DurableDecisionLog::AddDurably(v1::DecisionRecord& record) {
  Stamp(record);
  std::string bytes = record.SerializeAsString();
  const absl::Status written = store_->Write({{Table::kDecisions, record.name(), bytes}});
  if (!written.ok()) {
    Report(Lost::kStore, 1, written);
    record.clear_name();
    if (record.has_verdict()) record.mutable_verdict()->clear_decision_record();
    return written;
  }
  MutexLock lock(&mu_);
  Keep(record, std::move(bytes));
  return absl::OkStatus();
}

absl::StatusOr<v1::DecisionRecord> DurableDecisionLog::Get(const std::string& name) const {
  std::string bytes;
  {
    MutexLock lock(&mu_);
    const std::string* const found = history_.Find(name);
    if (found == nullptr) {
      return absl::NotFoundError(absl::StrCat("name: there is no decision \"", name,
                                              "\"; the oldest are not kept for ever"));
    }
    bytes = *found;
  }
  v1::DecisionRecord record;
  if (!record.ParseFromString(bytes)) return absl::DataLossError(absl::StrCat(name, " is damaged"));
  return record;
}

std::vector<DecisionLog::Shared> DurableDecisionLog::List(const std::string& vm) const {
  MutexLock lock(&mu_);
  return history_.NewestFirst(vm);
}

void DurableDecisionLog::WriteWaiting() {
  while (true) {
    std::vector<Change> batch;
    size_t records = 0;
    {
      MutexLock lock(&mu_);
      while (!work_ && !stopping_) changed_.WaitFor(&mu_, absl::Minutes(1));
      batch = TakeBatch(&records);
      if (batch.empty() && stopping_) return;
    }
    if (!batch.empty()) WriteBatch(batch, records);
  }
}

std::vector<Change> DurableDecisionLog::TakeBatch(size_t* records) {
  std::vector<Change> batch;
  for (; !waiting_.empty() && batch.size() < kBatch; waiting_.pop_front()) {
    // One that had to go already leaves nothing to write.
    const std::string* const bytes = history_.Find(waiting_.front());
    if (bytes != nullptr) batch.push_back({Table::kDecisions, waiting_.front(), *bytes});
  }
  *records = batch.size();
  for (const std::string& name : gone_) batch.push_back({Table::kDecisions, name, std::nullopt});
  gone_.clear();
  work_ = !waiting_.empty();
  return batch;
}

// What could not be deleted is deleted after the next start, when it exceeds the limits again.
void DurableDecisionLog::WriteBatch(const std::vector<Change>& batch, size_t records) {
  const absl::Status written = store_->Write(batch);
  if (!written.ok()) Report(Lost::kStore, records, written);
}

void DurableDecisionLog::Report(Lost why, size_t records, const absl::Status& status) {
  Log(LogLevel::kWarning, "decisions were not written down",
      {{"records", absl::StrCat(records)}, {"error", status.ToString()}});
  if (records > 0) observer_(why, records);
}

}  // namespace vuf
