#include "server/security/gate.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/security/detail.h"

namespace vuf {
namespace {

absl::Status NoIdentity(absl::string_view method) {
  return WithReason(
      absl::UnauthenticatedError(absl::StrCat("the caller of ", method,
                                              " has no identity: its certificate needs a SPIFFE id "
                                              "or a DNS name as subject alternative "
                                              "name; a common name is not one")),
      "IDENTITY_REQUIRED", {{"method", std::string(method)}});
}

}  // namespace

Gate::Gate(const RoleStore* roles, Limiter* limiter, OnRefusal on_refusal)
    : roles_(roles), limiter_(limiter), on_refusal_(std::move(on_refusal)) {}

absl::Status Gate::CheckRole(const Identity& identity, const MethodRule& rule) const {
  const RoleSet has = roles_->current()->RolesOf(identity);
  if (has.Grants(rule.role)) return absl::OkStatus();
  const std::string& wanted = config::v1::Role_Name(rule.role);
  return WithReason(
      absl::PermissionDeniedError(
          absl::StrCat("ROLE_REQUIRED: \"", identity.name(), "\" may not call ", rule.method,
                       ": it needs ", wanted, " and has ", has.Text(),
                       "; bindings are in the roles_file of vufd's configuration")),
      "ROLE_REQUIRED",
      {{"identity", identity.name()}, {"method", std::string(rule.method)}, {"role", wanted}});
}

Gate::Admission Gate::Admit(const Identity& identity, absl::string_view method) const {
  Admission admission;
  admission.rule = FindMethodRule(method);
  if (admission.rule == nullptr) {
    admission.status = absl::UnimplementedError(absl::StrCat("there is no method ", method));
    return admission;
  }
  if (admission.rule->open) {
    admission.status = absl::OkStatus();
    return admission;
  }
  if (!identity.known()) {
    on_refusal_("no_identity");
    admission.status = NoIdentity(method);
    return admission;
  }
  // Before the role: refusals cost something, too.
  absl::StatusOr<Limiter::Ticket> ticket =
      limiter_->Enter(identity.name(), admission.rule->essential);
  if (!ticket.ok()) {
    on_refusal_("limit");
    admission.status = WithReason(ticket.status(), "CLIENT_LIMIT", {{"identity", identity.name()}});
    return admission;
  }
  admission.ticket = *std::move(ticket);
  admission.status = CheckRole(identity, *admission.rule);
  if (!admission.status.ok()) on_refusal_("role");
  return admission;
}

}  // namespace vuf
