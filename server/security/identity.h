// Who makes a call, as the connection proves it.
#ifndef VUFD_SERVER_SECURITY_IDENTITY_H_
#define VUFD_SERVER_SECURITY_IDENTITY_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "grpcpp/server_context.h"

namespace vuf {

struct Identity {
  // Everything that roles can be bound to; the first is what the caller is called. Empty: nobody.
  std::vector<std::string> names;

  bool known() const { return !names.empty(); }
  std::string name() const { return known() ? names.front() : ""; }
};

// A process at the other end of a unix socket: "uid:N", then "gid:N" for each of its groups.
Identity UnixIdentity(uid_t uid, const std::vector<gid_t>& groups);

// The holder of a certificate, by its subject alternative names: "spiffe://..." if there is one,
// else "dns:NAME" for each. A common name is no identity; nor is a SPIFFE id that the standard
// forbids.
Identity TlsIdentity(absl::string_view spiffe_id, const std::vector<std::string>& dns_names);

// Whether it is "spiffe://TRUST-DOMAIN/PATH" with the characters and segments that the standard
// allows.
bool IsSpiffeId(absl::string_view id);

// The property of a connection that holds its names. Set by the door (door.h), read by IdentityOf.
inline constexpr char kIdentityProperty[] = "vufd-identity";

// Of whoever makes this call; unknown on a connection that came through no door.
Identity IdentityOf(const grpc::ServerContextBase& context);

}  // namespace vuf

#endif  // VUFD_SERVER_SECURITY_IDENTITY_H_
