// Options that break a migration whatever the other side has.
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "server/decision/options.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

void CheckThreadPool(const World& world, Report& report) {
  for (const DeviceView& device : world.source_devices()) {
    const auto size = NeedOption(device, "thread-pool-size", report);
    if (!size) continue;
    int threads = 0;
    if (absl::SimpleAtoi(size->value, &threads) && threads == 0) continue;
    report.Add(device.subject(),
               absl::StrFormat("The back-end runs with --thread-pool-size=%s.", size->value),
               {size->Cite()});
  }
}

void CheckPosixAcl(const World& world, Report& report) {
  for (const DeviceView& device : world.devices()) {
    const auto acl = NeedOption(device, "posix-acl", report);
    if (!acl || acl->off()) continue;
    report.Add(device.subject(),
               absl::StrFormat("The back-end runs with --posix-acl=%s.", acl->value),
               {acl->Cite()});
  }
}

void CheckSecurityLabel(const World& world, Report& report) {
  for (const DeviceView& device : world.source_devices()) {
    const auto label = NeedOption(device, "security-label", report);
    if (!label || label->off()) continue;
    report.Add(device.subject(),
               absl::StrFormat("The back-end runs with --security-label=%s.", label->value),
               {label->Cite()});
  }
}

// The guest has negotiated them with the source, and virtiofsd refuses to load without them.
void CheckNegotiated(const World& world, Report& report) {
  for (const DevicePair& pair : world.pairs()) {
    for (const char* name : {"writeback", "announce-submounts"}) {
      const auto from = NeedOption(pair.source, name, report);
      const auto to = NeedOption(pair.destination, name, report);
      if (!from || !to || !from->on() || to->on()) continue;
      report.Add(
          pair.destination.subject(),
          absl::StrFormat("The source's back-end has --%s and the destination's has not.", name),
          {from->Cite(), to->Cite()});
    }
  }
}

}  // namespace

VUFD_RULE(BACK_END_HAS_THREAD_POOL) = {
    .hazards = "44",
    .against = Against::kStateful,
    .side = "source",
    .scope = Scope::kSource,
    .cause =
        "virtiofsd does not wait for its thread pool: a request under way at the switch-over "
        "is lost, and the guest's process hangs for ever after a successful migration.",
    .remedy = "Run the VM's back-end with --thread-pool-size=0 (libvirt: no thread_pool element).",
    .check = CheckThreadPool,
};

VUFD_RULE(BACK_END_HAS_POSIX_ACL) = {
    .hazards = "45",
    .against = Against::kStateful,
    .scope = Scope::kEachSide,
    .cause =
        "What was negotiated about ACLs does not travel: the guest's first setxattr kills the "
        "destination's back-end.",
    .remedy = "Run the VM's back-ends without --posix-acl.",
    .check = CheckPosixAcl,
};

VUFD_RULE(BACK_END_HAS_SECURITY_LABEL) = {
    .hazards = "46",
    .against = Against::kStateful,
    .acknowledgeable = true,
    .side = "source",
    .scope = Scope::kSource,
    .cause =
        "What was negotiated about security labels does not travel: new files get the wrong "
        "label, without an error.",
    .remedy = "Run the VM's back-ends without --security-label.",
    .check = CheckSecurityLabel,
};

VUFD_RULE(NEGOTIATED_OPTION_MISSING) = {
    .hazards = "47",
    .against = Against::kStateful,
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kPair,
    .cause =
        "The destination's back-end refuses to load the state of a guest that negotiated an "
        "option which it was not given.",
    .remedy = "Start the destination's back-end with the source's options.",
    .check = CheckNegotiated,
};

}  // namespace vuf
