// Whether a call may be made: the one place that decides it.
#ifndef VUFD_SERVER_SECURITY_GATE_H_
#define VUFD_SERVER_SECURITY_GATE_H_

#include <functional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/security/identity.h"
#include "server/security/limiter.h"
#include "server/security/methods.h"
#include "server/security/role_store.h"

namespace vuf {

// Thread-safe. Does not block.
class Gate {
 public:
  struct Admission {
    // UNIMPLEMENTED: not in the table of methods; UNAUTHENTICATED: no identity; RESOURCE_EXHAUSTED:
    // over a limit; PERMISSION_DENIED: without the role. All but the first with an ErrorInfo.
    absl::Status status = absl::PermissionDeniedError("nobody has looked");
    // Of the method; null when it is not in the table.
    const MethodRule* rule = nullptr;
    // To be held until the call has ended.
    Limiter::Ticket ticket;
  };
  // Why a call was refused, in one word of few: "no_identity", "limit", "role".
  using OnRefusal = std::function<void(const char* reason)>;

  Gate(const RoleStore* roles, Limiter* limiter, OnRefusal on_refusal);

  // `method` is "vuf.v1.VmService/GetVm".
  Admission Admit(const Identity& identity, absl::string_view method) const;

 private:
  absl::Status CheckRole(const Identity& identity, const MethodRule& rule) const;

  const RoleStore* const roles_;
  Limiter* const limiter_;
  const OnRefusal on_refusal_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SECURITY_GATE_H_
