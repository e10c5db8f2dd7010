// Who makes a call, as far as gRPC tells.
#ifndef VUFD_SERVER_SERVICE_ACTOR_H_
#define VUFD_SERVER_SERVICE_ACTOR_H_

#include <string>

#include "grpcpp/server_context.h"

namespace vuf {

// As DecisionRecord.actor documents it: the peer, and what the caller says it is. Long ones are
// cut.
std::string ActorOf(const grpc::ServerContextBase& context);
// Who the certificate of the connection is for ("spiffe://..." or "dns:..."); without one, the
// peer's address. The same for every call of one caller with a certificate.
std::string IdentityOf(const grpc::ServerContextBase& context);

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_ACTOR_H_
