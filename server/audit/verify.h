// Reading the audit log, and finding where it was tampered with. Needs nothing of vufd that writes
// it.
#ifndef VUFD_SERVER_AUDIT_VERIFY_H_
#define VUFD_SERVER_AUDIT_VERIFY_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/audit/chain.h"

namespace vuf {

// The numbers of the log's files, ascending.
absl::StatusOr<std::vector<uint64_t>> AuditFiles(const std::string& directory);

struct AuditReport {
  uint64_t files = 0;
  // Calls; the lines that only bind files together are not counted.
  uint64_t records = 0;
  // Of the last line: noted elsewhere, it shows later that nothing before it was taken away.
  std::string head;
  // What is wrong, each with the file and line; empty: nothing. At most kMaxProblems.
  std::vector<std::string> problems;
  // Whether the hash that was asked for is that of one of the lines.
  bool has_expected = false;

  static constexpr size_t kMaxProblems = 20;
};

// Reads everything. `on_line` gets every line that can be read, as it is. `expected` may be empty.
// A last line without its newline is one that vufd is writing, or that a crash cut off: no problem.
// NOT_FOUND, PERMISSION_DENIED, FAILED_PRECONDITION: the directory or a file cannot be read.
absl::StatusOr<AuditReport> VerifyAudit(
    const std::string& directory, const std::string& expected,
    const std::function<void(const AuditLine&)>& on_line = [](const AuditLine&) {});

// Where the writer can go on in a file.
struct AuditFileEnd {
  // The last whole line is one of the log.
  bool good = false;
  // Up to its end.
  uint64_t bytes = 0;
  uint64_t sequence = 0;
  std::string hash;
  bool has_next = false;
};
AuditFileEnd ReadAuditFileEnd(const std::string& path);

}  // namespace vuf

#endif  // VUFD_SERVER_AUDIT_VERIFY_H_
