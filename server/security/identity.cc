#include "server/security/identity.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace vuf {
namespace {

constexpr size_t kMaxSpiffeId = 2048;
constexpr size_t kMaxTrustDomain = 255;
constexpr char kLower[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
constexpr char kAny[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

bool IsWord(absl::string_view text, absl::string_view characters) {
  return !text.empty() && text.find_first_not_of(characters) == absl::string_view::npos;
}

}  // namespace

bool IsSpiffeId(absl::string_view id) {
  if (id.size() > kMaxSpiffeId || !absl::ConsumePrefix(&id, "spiffe://")) return false;
  const std::vector<absl::string_view> parts = absl::StrSplit(id, '/');
  if (parts.size() < 2 || parts[0].size() > kMaxTrustDomain || !IsWord(parts[0], kLower)) {
    return false;
  }
  for (size_t i = 1; i < parts.size(); ++i) {
    if (!IsWord(parts[i], kAny) || parts[i] == "." || parts[i] == "..") return false;
  }
  return true;
}

Identity UnixIdentity(uid_t uid, const std::vector<gid_t>& groups) {
  Identity identity;
  identity.names.push_back(absl::StrCat("uid:", uid));
  for (const gid_t group : groups) identity.names.push_back(absl::StrCat("gid:", group));
  return identity;
}

Identity TlsIdentity(absl::string_view spiffe_id, const std::vector<std::string>& dns_names) {
  Identity identity;
  if (!spiffe_id.empty()) {
    // Not the DNS names instead: they would be somebody else than the certificate means.
    if (IsSpiffeId(spiffe_id)) identity.names.emplace_back(spiffe_id);
    return identity;
  }
  for (const std::string& name : dns_names) {
    const std::string lower = absl::AsciiStrToLower(name);
    if (IsWord(lower, kLower)) identity.names.push_back(absl::StrCat("dns:", lower));
  }
  return identity;
}

Identity IdentityOf(const grpc::ServerContextBase& context) {
  Identity identity;
  for (const grpc::string_ref& name :
       context.auth_context()->FindPropertyValues(kIdentityProperty)) {
    identity.names.emplace_back(name.data(), name.size());
  }
  return identity;
}

}  // namespace vuf
