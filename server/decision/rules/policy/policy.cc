// What the operator's policies forbid, now or for ever.
//
// None of it counts once a sequential migration's source has quit: the guest is in a file then, and
// nothing may keep it there.
#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"
#include "server/model/utc_text.h"

namespace vuf {
namespace {

constexpr Subject kRequest = {Side::kNone, "request"};
constexpr char kFact[] = "migration policies";

std::optional<Read<EffectivePolicy>> NeedPolicy(const World& world, Report& report) {
  if (world.source_is_record()) return std::nullopt;
  const auto policy = report.Need(kRequest, kFact, world.facts().policy, false);
  return policy ? std::optional(policy) : std::nullopt;
}

template <bool ModesAllowed::*kMode>
void CheckMode(const World& world, Report& report) {
  const auto policy = NeedPolicy(world, report);
  if (!policy) return;
  const char* const mode = kMode == &ModesAllowed::stateless ? "stateless" : "stateful";
  for (const DeviceView& device : world.source_devices()) {
    const auto& all = (*policy)->devices;
    const auto it = std::find_if(all.begin(), all.end(),
                                 [&](const auto& one) { return one.device == device->subject(); });
    if (it == all.end() || !it->modes.value.has_value()) {
      report.Add(device.subject(), "No policy says in which modes this device may migrate.",
                 {policy->Cite()});
    } else if (!((*it->modes.value).*kMode)) {
      report.Add(device.subject(),
                 absl::StrFormat("%s does not allow the %s mode.", it->modes.decided_by, mode),
                 {policy->CiteAs("allowed_modes", it->modes.decided_by)});
    }
  }
}

void CheckScope(const World& world, Report& report) {
  const auto policy = NeedPolicy(world, report);
  if (!policy) return;
  const bool other_host = world.facts().other_host.has_value();
  const Setting<bool>& scope = other_host ? (*policy)->other_host : (*policy)->same_host;
  if (!scope.value.has_value()) {
    report.Add(kRequest, "No policy says how far this VM may migrate.", {policy->Cite()});
  } else if (!*scope.value) {
    report.Add(kRequest,
               absl::StrFormat("%s does not allow migrations %s.", scope.decided_by,
                               other_host ? "to another host" : "on the same host"),
               {policy->CiteAs("allowed_scopes", scope.decided_by)});
  }
}

void CheckHold(const World& world, Report& report) {
  const auto policy = NeedPolicy(world, report);
  if (!policy) return;
  for (const PolicyHold& hold : (*policy)->holds) {
    const std::string until =
        hold.until.has_value() ? absl::StrCat(" until ", UtcText(*hold.until)) : "";
    report.Add(kRequest,
               absl::StrFormat("%s holds migrations back for %s%s: %s.", hold.policy, hold.holder,
                               until, hold.reason),
               {policy->CiteAs("hold", hold.policy)});
  }
}

void CheckWindow(const World& world, Report& report) {
  const auto policy = NeedPolicy(world, report);
  if (!policy) return;
  const Setting<WindowState>& window = (*policy)->window;
  if (!window.value.has_value() || window.value->open) return;
  const std::string next =
      window.value->opens.has_value()
          ? absl::StrCat("; the next time opens at ", UtcText(*window.value->opens))
          : "";
  report.Add(kRequest,
             absl::StrFormat("%s allows no migration to begin now%s.", window.decided_by, next),
             {policy->CiteAs("windows", window.decided_by)});
}

void CheckLimit(const World& world, Report& report) {
  const auto policy = NeedPolicy(world, report);
  if (!policy) return;
  for (const ConcurrencyLimit& limit : (*policy)->limits) {
    if (limit.running < limit.limit) continue;
    report.Add(kRequest,
               absl::StrFormat("%u migrations run that %s counts, and it allows %u at a time.",
                               limit.running, limit.policy, limit.limit),
               {policy->CiteAs("max_concurrent", absl::StrCat(limit.limit))});
  }
}

}  // namespace

VUFD_RULE(POLICY_FORBIDS_STATELESS) = {
    .against = Against::kStateless,
    .retry_class = RetryClass::kOperator,
    .side = "source",
    .scope = Scope::kSource,
    .cause = "A policy of this host does not allow the stateless mode for the device.",
    .remedy = "Ask for another mode, or change the policy (vufctl policies explain VM).",
    .check = CheckMode<&ModesAllowed::stateless>,
};

VUFD_RULE(POLICY_FORBIDS_STATEFUL) = {
    .against = Against::kStateful,
    .retry_class = RetryClass::kOperator,
    .side = "source",
    .scope = Scope::kSource,
    .cause = "A policy of this host does not allow the stateful mode for the device.",
    .remedy = "Ask for another mode, or change the policy (vufctl policies explain VM).",
    .check = CheckMode<&ModesAllowed::stateful>,
};

VUFD_RULE(POLICY_FORBIDS_SCOPE) = {
    .retry_class = RetryClass::kOperator,
    .side = "request",
    .scope = Scope::kSource,
    .cause = "A policy of this host does not allow migrations to another QEMU on the same host.",
    .remedy = "Change the policy (vufctl policies explain VM).",
    .check = CheckScope,
};

VUFD_RULE(POLICY_HOLD) = {
    .retry_class = RetryClass::kOperator,
    .side = "request",
    .scope = Scope::kSource,
    .cause = "Somebody asked for no migrations of this VM for a while.",
    .remedy = "Wait for its end, or talk to the holder that the message names.",
    .check = CheckHold,
};

VUFD_RULE(POLICY_WINDOW_CLOSED) = {
    .retry_class = RetryClass::kWait,
    .side = "request",
    .scope = Scope::kSource,
    .cause = "A policy allows migrations to begin only at certain times.",
    .remedy = "Ask again when the window opens.",
    .check = CheckWindow,
};

VUFD_RULE(POLICY_LIMIT_REACHED) = {
    .retry_class = RetryClass::kWait,
    .side = "request",
    .scope = Scope::kSource,
    .cause = "A policy limits how many migrations run at a time.",
    .remedy = "Ask again when one of them has ended.",
    .check = CheckLimit,
};

}  // namespace vuf
