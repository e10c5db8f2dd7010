// The port to the record of calls that change something.
#ifndef VUFD_SERVER_AUDIT_AUDIT_LOG_H_
#define VUFD_SERVER_AUDIT_AUDIT_LOG_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace vuf {

// One call as it ended. Texts are cut to kMaxAuditText bytes and made UTF-8 when they are written.
struct AuditRecord {
  absl::Time time;
  // The caller's identity, as roles are bound to it.
  std::string actor;
  // "vuf.v1.VmService/RemoveVm".
  std::string method;
  // What it is about, as the request says.
  std::string resource;
  std::string request_id;
  // The answer's gRPC code ("OK", "PERMISSION_DENIED") and message.
  std::string outcome;
  std::string message;

  bool operator==(const AuditRecord&) const = default;
};

inline constexpr size_t kMaxAuditText = 1024;

// Thread-safe.
class AuditLog {
 public:
  virtual ~AuditLog() = default;

  // Durable when it returns. UNAVAILABLE: it could not be written, and nothing of it is there.
  virtual absl::Status Append(const AuditRecord& record) = 0;
  // Whether the next Append is likely to work: OK, or why the last one did not, tried again.
  virtual absl::Status Ready() = 0;
};

}  // namespace vuf

#endif  // VUFD_SERVER_AUDIT_AUDIT_LOG_H_
