// A log of decisions in memory, for tests, which fails when told to.
#ifndef VUFD_SERVER_DECISIONS_FAKE_DECISION_LOG_H_
#define VUFD_SERVER_DECISIONS_FAKE_DECISION_LOG_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "server/base/mutex.h"
#include "server/decisions/decision_log.h"

namespace vuf {

class FakeDecisionLog : public DecisionLog {
 public:
  void Add(v1::DecisionRecord& record) override {
    MutexLock lock(&mu_);
    record.set_name(absl::StrCat("decisions/d", records_.size()));
    if (record.has_verdict()) record.mutable_verdict()->set_decision_record(record.name());
    records_.push_back(record);
  }
  absl::Status AddDurably(v1::DecisionRecord& record) override {
    if (absl::Status status = failure(); !status.ok()) return status;
    Add(record);
    MutexLock lock(&mu_);
    durable_.push_back(record.name());
    return absl::OkStatus();
  }
  absl::StatusOr<v1::DecisionRecord> Get(const std::string& name) const override {
    MutexLock lock(&mu_);
    for (const v1::DecisionRecord& record : records_) {
      if (record.name() == name) return record;
    }
    return absl::NotFoundError(name);
  }
  std::vector<Shared> List(const std::string& vm) const override {
    MutexLock lock(&mu_);
    std::vector<Shared> out;
    for (auto it = records_.rbegin(); it != records_.rend(); ++it) {
      if (vm.empty() || it->vm() == vm) out.push_back(std::make_shared<v1::DecisionRecord>(*it));
    }
    return out;
  }

  // Records that must be durable fail from now on, unless it is OK.
  void Fail(absl::Status status) {
    MutexLock lock(&mu_);
    failure_ = std::move(status);
  }
  void Clear() {
    MutexLock lock(&mu_);
    records_.clear();
    durable_.clear();
  }
  // Oldest first.
  std::vector<v1::DecisionRecord> records() const {
    MutexLock lock(&mu_);
    return records_;
  }
  std::vector<std::string> durable() const {
    MutexLock lock(&mu_);
    return durable_;
  }

 private:
  absl::Status failure() const {
    MutexLock lock(&mu_);
    return failure_;
  }

  mutable Mutex mu_;
  std::vector<v1::DecisionRecord> records_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> durable_ ABSL_GUARDED_BY(mu_);
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vuf

#endif  // VUFD_SERVER_DECISIONS_FAKE_DECISION_LOG_H_
