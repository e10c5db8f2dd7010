// The audit log in a directory of its own, in the form that chain.h describes.
#ifndef VUFD_SERVER_AUDIT_FILE_AUDIT_LOG_H_
#define VUFD_SERVER_AUDIT_FILE_AUDIT_LOG_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "server/audit/audit_log.h"
#include "server/audit/chain.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"

namespace vuf {

class FileAuditLog : public AuditLog {
 public:
  struct Options {
    // Made, with mode 0700, when it is not there.
    std::string directory;
    // A file that has reached it is followed by another one.
    uint64_t file_bytes = 8 << 20;
    // At most so many.
    uint64_t files = 16;
    std::function<void(const absl::Status&)> on_failure = [](const absl::Status&) {};
  };

  // Goes on where the last file ends; what a crash left of an unacknowledged line is cut off. A
  // last file whose end is damaged is left for `vufctl audit verify` to find, and a new one begun.
  static absl::StatusOr<std::unique_ptr<FileAuditLog>> Open(Options options, const Clock* clock);
  ~FileAuditLog() override;

  absl::Status Append(const AuditRecord& record) override;
  absl::Status Ready() override;

 private:
  FileAuditLog(Options options, const Clock* clock);
  absl::Status Resume() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Goes to the end of the newest file. False: it cannot be gone on with.
  absl::StatusOr<bool> ResumeFile(uint64_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status OpenFile(uint64_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status BeginFile(uint64_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Rotate() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RemoveOld() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status WriteLine(AuditLine line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status WriteAll(const std::string& text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint64_t Oldest(uint64_t newest) const;
  absl::Status Failed(const char* doing) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Options options_;
  const Clock* const clock_;
  // Held while it writes: the order in the file is the chain.
  mutable Mutex mu_;
  int fd_ ABSL_GUARDED_BY(mu_) = -1;
  // Of the file that is open, and of the last one that has its first line.
  uint64_t number_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t begun_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t size_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t sequence_ ABSL_GUARDED_BY(mu_) = 0;
  std::string hash_ ABSL_GUARDED_BY(mu_);
  // There may be something behind `size_`, of a write that failed.
  bool dirty_ ABSL_GUARDED_BY(mu_) = false;
  // The last file that has been begun ends with a "next" line.
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  // Of the last write.
  absl::Status last_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vuf

#endif  // VUFD_SERVER_AUDIT_FILE_AUDIT_LOG_H_
