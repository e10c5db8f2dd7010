#include "server/service/actor.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/convert/convert.h"

namespace vuf {
namespace {

constexpr size_t kMaxBytes = 256;

}  // namespace

std::string ActorOf(const grpc::ServerContextBase& context) {
  std::string actor = context.peer();
  const auto agent = context.client_metadata().find("user-agent");
  if (agent != context.client_metadata().end()) {
    absl::StrAppend(&actor, "; calls itself ",
                    absl::string_view(agent->second.data(), agent->second.size()));
  }
  return ValidUtf8(actor.substr(0, kMaxBytes));
}

std::string IdentityOf(const grpc::ServerContextBase& context) {
  const std::shared_ptr<const grpc::AuthContext> auth = context.auth_context();
  if (auth != nullptr) {
    for (const grpc::string_ref& id : auth->FindPropertyValues("peer_spiffe_id")) {
      return std::string(id.data(), id.size());
    }
    for (const grpc::string_ref& name : auth->FindPropertyValues("peer_dns")) {
      return absl::StrCat("dns:", absl::string_view(name.data(), name.size()));
    }
  }
  return context.peer();
}

}  // namespace vuf
