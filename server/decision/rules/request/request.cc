// What the request itself lacks.
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

constexpr Subject kRequest = {Side::kNone, "request"};

void CheckModes(const World& world, Report& report) {
  const Request& request = world.facts().request;
  if (request.allow_stateless || request.allow_stateful) return;
  report.Add(kRequest, "The request permits neither the stateless nor the stateful mode.");
}

void CheckDestination(const World& world, Report& report) {
  const Request& request = world.facts().request;
  // It does not exist yet; once the source has saved its state, it must.
  if (request.sequential && request.own_permits.empty()) return;
  if (world.destination().has_value()) return;
  report.Add(kRequest, "The request names no destination, so only the source could be looked at.");
}

}  // namespace

VUFD_RULE(NO_MODE_PERMITTED) = {
    .side = "request",
    .scope = Scope::kSource,
    .cause = "The request permits no mode at all.",
    .remedy = "Permit the stateful mode, the stateless mode, or both.",
    .check = CheckModes,
};

VUFD_RULE(DESTINATION_NOT_GIVEN) = {
    .side = "request",
    .cause =
        "Whether a device may migrate depends on where to: on the destination's QEMU, back-end "
        "and shared directory. Without a destination only the source is judged.",
    .remedy =
        "Start the destination QEMU (-S -incoming defer) and name its QMP socket in the "
        "request.",
    .check = CheckDestination,
};

}  // namespace vuf
