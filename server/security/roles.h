// Who has which roles, and what a role grants.
#ifndef VUFD_SERVER_SECURITY_ROLES_H_
#define VUFD_SERVER_SECURITY_ROLES_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/security/identity.h"
#include "vuf/config/v1/config.pb.h"

namespace vuf {

using config::v1::Role;

// Some roles. Empty at first.
class RoleSet {
 public:
  void Add(Role role) { bits_ |= Bit(role); }
  void Add(const RoleSet& others) { bits_ |= others.bits_; }
  // Whether one of the roles is `role` or includes it: an operator is an evaluator and a viewer, an
  // evaluator and a policy-admin are viewers. Nothing grants ROLE_UNSPECIFIED.
  bool Grants(Role role) const;
  // "ROLE_VIEWER, ROLE_PEER", as bound; "no role".
  std::string Text() const;

 private:
  static uint32_t Bit(Role role) {
    return role == config::v1::ROLE_UNSPECIFIED ? 0 : 1u << static_cast<uint32_t>(role);
  }
  uint32_t bits_ = 0;
};

// Immutable. Nobody has a role at first.
class RoleBindings {
 public:
  // INVALID_ARGUMENT lists every error in the text of a roles file.
  static absl::StatusOr<RoleBindings> Parse(absl::string_view text);
  // Without a file: users 0 and `own_uid` on the unix socket have all roles but peer.
  static RoleBindings Default(uid_t own_uid);

  // Of all its names together.
  RoleSet RolesOf(const Identity& identity) const;

 private:
  void Bind(const std::string& identity, const RoleSet& roles);

  std::map<std::string, RoleSet> exact_;
  // By the text before "*": "spiffe://example.org/hosts/".
  std::map<std::string, RoleSet> below_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SECURITY_ROLES_H_
