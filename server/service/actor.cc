#include "server/service/actor.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/convert/convert.h"
#include "server/security/identity.h"

namespace vuf {
namespace {

constexpr size_t kMaxAgentBytes = 256;

}  // namespace

std::string ActorOf(const grpc::ServerContextBase& context) {
  const Identity identity = IdentityOf(context);
  std::string actor = identity.known() ? identity.name() : "unknown";
  const auto agent = context.client_metadata().find("user-agent");
  if (agent != context.client_metadata().end()) {
    absl::StrAppend(
        &actor, "; calls itself ",
        absl::string_view(agent->second.data(), agent->second.size()).substr(0, kMaxAgentBytes));
  }
  return ValidUtf8(actor);
}

}  // namespace vuf
