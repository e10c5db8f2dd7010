// HTTP over TLS for whoever has a certificate and a role.
#ifndef VUFD_SERVER_HTTP_TLS_HTTP_H_
#define VUFD_SERVER_HTTP_TLS_HTTP_H_

#include <openssl/types.h>

#include <memory>

#include "server/http/http_stream.h"
#include "server/security/role_store.h"
#include "server/security/tls_store.h"

namespace vuf {

// For one thread.
class TlsHttp {
 public:
  // Both must outlive the object and its streams.
  TlsHttp(const TlsStore* tls, const RoleStore* roles) : tls_(tls), roles_(roles) {}

  // TLS 1.2 or later, with the certificate in use now. A client without a certificate of one of the
  // CAs gets no further than the handshake; one without the role ROLE_VIEWER is refused.
  std::unique_ptr<HttpStream> Make(int fd);

 private:
  const TlsStore* const tls_;
  const RoleStore* const roles_;
  // What `context_` is made of.
  std::shared_ptr<const TlsMaterial> given_;
  std::shared_ptr<SSL_CTX> context_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_HTTP_TLS_HTTP_H_
