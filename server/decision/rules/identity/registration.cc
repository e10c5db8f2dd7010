// The endpoint as registered against the endpoint as seen: the stateless mode relies on its being
// one and the same.
#include "absl/strings/str_format.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

std::vector<const RegisteredEndpoint*> EndpointsAt(const World& world, const std::string& path) {
  std::vector<const RegisteredEndpoint*> found;
  for (const RegisteredEndpoint& endpoint : world.facts().endpoints) {
    if (endpoint.socket_path == path) found.push_back(&endpoint);
  }
  return found;
}

void CheckRestarted(const World& world, Report& report) {
  for (const DeviceView& device : world.source_devices()) {
    const auto chardev = report.Need(device, fact::kChardev);
    const auto process = report.Need(device, fact::kProcess);
    const auto socket = report.Need(device, fact::kSocket);
    if (!chardev || !process || !socket) continue;
    for (const RegisteredEndpoint* endpoint : EndpointsAt(world, chardev->socket_path)) {
      const bool same_process = endpoint->process == *process;
      const bool same_file = endpoint->socket_file == socket->bound_file;
      if (same_process && same_file) continue;
      report.Add(device.subject(),
                 absl::StrFormat("%s was registered with another back-end than the one that serves "
                                 "it now (%s).",
                                 endpoint->name, ToText(*process)),
                 {process.Cite(), socket.Cite()});
    }
  }
}

void CheckBoot(const World& world, Report& report) {
  const Subject host = {Side::kNone, "host"};
  const auto boot = report.Need(host, "boot id", world.facts().boot_id, true);
  if (!boot) return;
  for (const DeviceView& device : world.source_devices()) {
    const auto chardev = report.Need(device, fact::kChardev);
    if (!chardev) continue;
    for (const RegisteredEndpoint* endpoint : EndpointsAt(world, chardev->socket_path)) {
      if (endpoint->boot_id == *boot) continue;
      report.Add(device.subject(),
                 absl::StrFormat("%s was last seen before the host was restarted.", endpoint->name),
                 {boot.Cite()});
    }
  }
}

}  // namespace

VUFD_RULE(BACK_END_RESTARTED) = {
    .hazards = "20",
    .against = Against::kStateless,
    .retry_class = RetryClass::kOperator,
    .side = "source",
    .scope = Scope::kSource,
    .cause =
        "The registered endpoint was served by another process or socket. A session that was "
        "kept there is gone.",
    .remedy = "Permit the stateful mode, or register the endpoint anew.",
    .check = CheckRestarted,
};

VUFD_RULE(HOST_RESTARTED) = {
    .hazards = "25",
    .against = Against::kStateless,
    .retry_class = RetryClass::kOperator,
    .side = "source",
    .scope = Scope::kSource,
    .cause =
        "The host was restarted since the endpoint was registered or last seen; no session "
        "survived that.",
    .remedy = "Permit the stateful mode, or register the endpoint anew.",
    .check = CheckBoot,
};

}  // namespace vuf
