// The form of the audit log: files of lines, each line bound to all before it.
//
// A line is HASH, a space, a JSON object and a newline. HASH is SHA-256 over the hash of the line
// before and the object, in hexadecimal. Files are named audit-00000001.log and so on. The first
// line of a file
// ("begin") repeats the last hash of the file before; the last line of a file that another one
// follows says so ("next"): a line that is changed, missing or moved, and a file that is missing,
// are found.
#ifndef VUFD_SERVER_AUDIT_CHAIN_H_
#define VUFD_SERVER_AUDIT_CHAIN_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "server/audit/audit_log.h"

namespace vuf {

struct AuditLine {
  enum class Kind { kBegin, kCall, kNext };
  Kind kind = Kind::kCall;
  // 1 for the first line of all, one more with each.
  uint64_t sequence = 0;
  // kCall: the record. The others have its time only.
  AuditRecord record;
  // kBegin: this file's number, the lowest that was kept then, and the hash of the line before.
  uint64_t file = 0;
  uint64_t oldest = 0;
  std::string previous;
};

// Of the line before the first one.
std::string FirstAuditHash();
std::string AuditHash(absl::string_view previous, absl::string_view json);

// The whole line, newline included; `hash` becomes its own.
std::string WriteAuditLine(const AuditLine& line, std::string* hash);
// Without the newline. The hash is only split off. Empty: not a line of the log.
std::optional<AuditLine> ReadAuditLine(absl::string_view text, std::string* hash,
                                       std::string* json);

std::string AuditFileName(uint64_t number);
// 0: not the name of a file of the log.
uint64_t AuditFileNumber(absl::string_view name);

}  // namespace vuf

#endif  // VUFD_SERVER_AUDIT_CHAIN_H_
