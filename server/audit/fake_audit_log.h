// An audit log in memory.
#ifndef VUFD_SERVER_AUDIT_FAKE_AUDIT_LOG_H_
#define VUFD_SERVER_AUDIT_FAKE_AUDIT_LOG_H_

#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "server/audit/audit_log.h"
#include "server/base/mutex.h"

namespace vuf {

class FakeAuditLog : public AuditLog {
 public:
  absl::Status Append(const AuditRecord& record) override {
    MutexLock lock(&mu_);
    if (error_.ok()) records_.push_back(record);
    return error_;
  }
  absl::Status Ready() override {
    MutexLock lock(&mu_);
    return ready_;
  }

  // From now on nothing can be written; OK: it can again.
  void Fail(absl::Status error) {
    MutexLock lock(&mu_);
    ready_ = error;
    error_ = std::move(error);
  }
  // The same, but nobody notices before it is tried.
  void FailOnceReady(absl::Status error) {
    MutexLock lock(&mu_);
    error_ = std::move(error);
  }
  std::vector<AuditRecord> records() const {
    MutexLock lock(&mu_);
    return records_;
  }

 private:
  mutable Mutex mu_;
  absl::Status error_ ABSL_GUARDED_BY(mu_);
  absl::Status ready_ ABSL_GUARDED_BY(mu_);
  std::vector<AuditRecord> records_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vuf

#endif  // VUFD_SERVER_AUDIT_FAKE_AUDIT_LOG_H_
