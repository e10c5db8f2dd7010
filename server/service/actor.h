// Who makes a call, for what is written down about it.
#ifndef VUFD_SERVER_SERVICE_ACTOR_H_
#define VUFD_SERVER_SERVICE_ACTOR_H_

#include <string>

#include "grpcpp/server_context.h"

namespace vuf {

// As DecisionRecord.actor documents it: the identity, and what the caller says it is. The latter is
// cut when it is long.
std::string ActorOf(const grpc::ServerContextBase& context);

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_ACTOR_H_
