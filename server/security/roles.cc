#include "server/security/roles.h"

#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "server/config/text_proto.h"

namespace vuf {
namespace {

using config::v1::ROLE_EVALUATOR;
using config::v1::ROLE_OPERATOR;
using config::v1::ROLE_PEER;
using config::v1::ROLE_POLICY_ADMIN;
using config::v1::ROLE_UNSPECIFIED;
using config::v1::ROLE_VIEWER;

constexpr int kMaxBindings = 10000;
constexpr Role kRoles[] = {ROLE_VIEWER, ROLE_EVALUATOR, ROLE_OPERATOR, ROLE_POLICY_ADMIN,
                           ROLE_PEER};

bool Includes(Role has, Role wanted) {
  if (has == wanted) return true;
  switch (has) {
    case ROLE_OPERATOR:
      return wanted == ROLE_EVALUATOR || wanted == ROLE_VIEWER;
    case ROLE_EVALUATOR:
    case ROLE_POLICY_ADMIN:
      return wanted == ROLE_VIEWER;
    default:
      return false;
  }
}

// As it would be written: "uid:007" matches nobody.
bool IsNumber(absl::string_view text) {
  uint32_t number = 0;
  return absl::SimpleAtoi(text, &number) && absl::StrCat(number) == text && number != UINT32_MAX;
}

bool IsDnsName(absl::string_view name) {
  return !name.empty() && TlsIdentity("", {std::string(name)}).name() == absl::StrCat("dns:", name);
}

bool IsIdentity(absl::string_view identity) {
  if (absl::StartsWith(identity, "spiffe://")) {
    // Whatever the star stands for, the rest must be an id.
    return IsSpiffeId(absl::EndsWith(identity, "/*")
                          ? absl::StrCat(absl::StripSuffix(identity, "*"), "x")
                          : std::string(identity));
  }
  if (absl::ConsumePrefix(&identity, "dns:")) return IsDnsName(identity);
  return (absl::ConsumePrefix(&identity, "uid:") || absl::ConsumePrefix(&identity, "gid:")) &&
         IsNumber(identity);
}

void CheckBinding(const config::v1::Binding& binding, int index, std::vector<std::string>* errors) {
  const std::string field = absl::StrCat("bindings[", index, "].");
  if (!IsIdentity(binding.identity())) {
    errors->push_back(absl::StrCat(field, "identity: \"",
                                   absl::CHexEscape(binding.identity().substr(0, 200)),
                                   "\"; must be \"spiffe://TRUST-DOMAIN/PATH\", possibly ending in "
                                   "\"/*\", \"dns:NAME\" in lower "
                                   "case, \"uid:N\" or \"gid:N\""));
  }
  if (binding.roles().empty()) errors->push_back(absl::StrCat(field, "roles: at least one"));
  for (const int role : binding.roles()) {
    if (config::v1::Role_IsValid(role) && role != ROLE_UNSPECIFIED) continue;
    errors->push_back(absl::StrCat(field, "roles: ", role,
                                   "; must be ROLE_VIEWER, ROLE_EVALUATOR, ROLE_OPERATOR, "
                                   "ROLE_POLICY_ADMIN or ROLE_PEER"));
  }
}

}  // namespace

bool RoleSet::Grants(Role role) const {
  for (const Role has : kRoles) {
    if ((bits_ & Bit(has)) != 0 && Includes(has, role)) return true;
  }
  return false;
}

std::string RoleSet::Text() const {
  std::vector<std::string> names;
  for (const Role role : kRoles) {
    if ((bits_ & Bit(role)) != 0) names.push_back(config::v1::Role_Name(role));
  }
  return names.empty() ? "no role" : absl::StrJoin(names, ", ");
}

absl::StatusOr<RoleBindings> RoleBindings::Parse(absl::string_view text) {
  config::v1::Roles message;
  if (absl::Status parsed = ParseTextProto(text, &message); !parsed.ok()) return parsed;
  std::vector<std::string> errors;
  if (message.bindings_size() > kMaxBindings) {
    errors.push_back(
        absl::StrCat("bindings: ", message.bindings_size(), "; at most ", kMaxBindings));
  }
  RoleBindings bindings;
  for (int i = 0; i < message.bindings_size(); ++i) {
    const config::v1::Binding& binding = message.bindings(i);
    CheckBinding(binding, i, &errors);
    RoleSet roles;
    for (const int role : binding.roles()) roles.Add(static_cast<Role>(role));
    if (errors.empty()) bindings.Bind(binding.identity(), roles);
  }
  if (absl::Status status = ErrorsAsStatus(std::move(errors)); !status.ok()) return status;
  return bindings;
}

RoleBindings RoleBindings::Default(uid_t own_uid) {
  RoleSet all;
  for (const Role role : kRoles) {
    if (role != ROLE_PEER) all.Add(role);
  }
  RoleBindings bindings;
  bindings.Bind("uid:0", all);
  bindings.Bind(absl::StrCat("uid:", own_uid), all);
  return bindings;
}

void RoleBindings::Bind(const std::string& identity, const RoleSet& roles) {
  if (absl::EndsWith(identity, "/*")) {
    below_[identity.substr(0, identity.size() - 1)].Add(roles);
  } else {
    exact_[identity].Add(roles);
  }
}

RoleSet RoleBindings::RolesOf(const Identity& identity) const {
  RoleSet roles;
  for (const std::string& name : identity.names) {
    const auto exact = exact_.find(name);
    if (exact != exact_.end()) roles.Add(exact->second);
    for (size_t slash = name.find('/'); slash != std::string::npos;
         slash = name.find('/', slash + 1)) {
      const auto below = below_.find(name.substr(0, slash + 1));
      if (below != below_.end()) roles.Add(below->second);
    }
  }
  return roles;
}

}  // namespace vuf
