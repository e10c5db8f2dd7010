// What an earlier job left behind in QEMU, and a guest that is not up.
#include "absl/strings/str_format.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

void CheckTls(const World& world, Report& report) {
  // There it is wanted: STREAM_TLS_DIFFERS.
  if (world.facts().other_host.has_value()) return;
  for (const VmView& vm : world.vms()) {
    const auto creds = report.Need(vm, fact::kTlsCreds);
    if (!creds || creds->empty()) continue;
    report.Add(vm.subject(),
               absl::StrFormat("The migration parameter tls-creds is set (\"%s\").", *creds),
               {creds.Cite()});
  }
}

void CheckDriver(const World& world, Report& report) {
  const auto state = report.Need(world.source(), fact::kRunState);
  // QEMU stops the back-ends of a guest that is paused, too.
  if (!state || *state != "running") return;
  for (const DeviceView& device : world.source_devices()) {
    const auto driver = report.Advise(device, fact::kDriverRunning);
    if (!driver || *driver) continue;
    report.Add(device.subject(), "The guest runs, and has no driver for the device.",
               {driver.Cite()});
  }
}

}  // namespace

VUFD_RULE(TLS_CREDENTIALS_SET) = {
    .hazards = "58",
    .retry_class = RetryClass::kOperator,
    .scope = Scope::kEachSide,
    .cause =
        "QEMU would speak TLS on the stream. vufd hands both sides a socket pair that nobody else "
        "has and sets up no TLS, so the migration fails or hangs.",
    .remedy =
        "Set it back on both sides: migrate-set-parameters {\"tls-creds\": \"\"}; find out who set "
        "it, vufd does not.",
    .check = CheckTls,
};

VUFD_RULE(DRIVER_NOT_RUNNING) = {
    .hazards = "65",
    .severity = Severity::kWarning,
    .against = Against::kStateful,
    .retry_class = RetryClass::kWait,
    .side = "source",
    .scope = Scope::kSource,
    .cause =
        "The guest is starting, is being reset, or has unbound its driver: there is no session to "
        "hand over, and the guest's next mount begins one at either side.",
    .remedy = "Migrate when the guest is up, if its files matter.",
    .check = CheckDriver,
};

}  // namespace vuf
