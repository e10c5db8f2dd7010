// What the back-end is, and whether its kind, version and profile can migrate at all.
#include <algorithm>

#include "absl/strings/str_format.h"
#include "server/decision/keeper.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"
#include "server/decision/tables.h"

namespace vuf {
namespace {

std::string ExecutableOf(const DeviceView& device) {
  return device->back_end.executable.value.value_or("(unknown executable)");
}

void CheckUnknown(const World& world, Report& report) {
  for (const DeviceView& device : world.devices()) {
    const auto kind = report.Need(device, fact::kKind);
    if (!kind || *kind != BackEndKind::kUnknown) continue;
    report.Add(
        device.subject(),
        absl::StrFormat("%s is not a kind of back-end that vufd knows.", ExecutableOf(device)),
        {kind.Cite()});
  }
}

void CheckC(const World& world, Report& report) {
  for (const DeviceView& device : world.devices()) {
    const auto kind = report.Need(device, fact::kKind);
    if (!kind || *kind != BackEndKind::kVirtiofsdC) continue;
    report.Add(
        device.subject(),
        absl::StrFormat("%s is the C virtiofsd of QEMU 7.2 and older.", ExecutableOf(device)),
        {kind.Cite()});
  }
}

void CheckKindsDiffer(const World& world, Report& report) {
  for (const DevicePair& pair : world.pairs()) {
    // One keeper is against both modes: KEEPER_TO_PLAIN_BACK_END.
    if (IsKeeper(pair.source) || IsKeeper(pair.destination)) continue;
    const auto from = report.Need(pair.source, fact::kKind);
    const auto to = report.Need(pair.destination, fact::kKind);
    if (!from || !to || *from == *to) continue;
    report.Add(pair.destination.subject(),
               absl::StrFormat("The back-end is %s at the source and %s at the destination.",
                               ToText(*from), ToText(*to)),
               {from.Cite(), to.Cite()});
  }
}

void CheckStateful(const World& world, Report& report) {
  for (const DeviceView& device : world.devices()) {
    const auto modes = report.Need(device, fact::kProfileModes);
    if (!modes || modes->stateful) continue;
    report.Add(device.subject(),
               absl::StrFormat("The profile \"%s\" of the back-end does not include the stateful "
                               "mode.",
                               modes->profile),
               {modes.Cite()});
  }
}

void CheckStateless(const World& world, Report& report) {
  for (const DeviceView& device : world.source_devices()) {
    const auto modes = report.Need(device, fact::kProfileModes);
    if (!modes || modes->stateless) continue;
    report.Add(device.subject(),
               absl::StrFormat("The profile \"%s\" of the back-end does not include the stateless "
                               "mode.",
                               modes->profile),
               {modes.Cite()});
  }
}

void CheckDeviceState(const World& world, Report& report) {
  for (const DeviceView& device : world.devices()) {
    // KEEPER_STATEFUL_WITHOUT_DEVICE_STATE asks the back-end itself.
    if (IsKeeper(device)) continue;
    const auto features = report.Need(device, fact::kFeatures);
    if (!features || features->count("migrate-precopy") > 0) continue;
    report.Add(device.subject(),
               absl::StrFormat("%s does not list migrate-precopy among its capabilities (%s).",
                               ExecutableOf(device),
                               features->empty() ? "it lists none" : ToText(*features)),
               {features.Cite()});
  }
}

}  // namespace

VUFD_RULE(BACK_END_KIND_UNKNOWN) = {
    .hazards = "14",
    .scope = Scope::kEachSide,
    .cause =
        "The process that serves the device is none that vufd knows, so nothing is known "
        "about what becomes of its state.",
    .remedy =
        "Use virtiofsd 1.14 or later, or add a back-end profile for this one if you know "
        "what it can do (vufctl profiles).",
    .check = CheckUnknown,
};

VUFD_RULE(BACK_END_KIND_CANNOT_MIGRATE) = {
    .hazards = "14",
    .scope = Scope::kEachSide,
    .cause =
        "This kind of back-end can neither hand over its state nor keep it across a change of "
        "front-ends.",
    .remedy =
        "Run the VM with the Rust virtiofsd, 1.14 or later; at the source, with a restart of the "
        "VM.",
    .check = CheckC,
};

VUFD_RULE(BACK_END_KINDS_DIFFER) = {
    .hazards = "14",
    .against = Against::kStateful,
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kPair,
    .cause = "A back-end can only load what its own kind has saved.",
    .remedy = "Serve the destination's device with the same kind of back-end as the source's.",
    .check = CheckKindsDiffer,
};

VUFD_RULE(BACK_END_NOT_STATEFUL) = {
    .hazards = "2, 14",
    .against = Against::kStateful,
    .scope = Scope::kEachSide,
    .cause =
        "The profile that matches the running back-end says that it cannot hand over its "
        "state.",
    .remedy =
        "Use a back-end that can (virtiofsd 1.11 or later), or correct the profile if it is "
        "yours.",
    .check = CheckStateful,
};

VUFD_RULE(BACK_END_NOT_STATELESS) = {
    .hazards = "4",
    .against = Against::kStateless,
    .side = "source",
    .scope = Scope::kSource,
    .cause =
        "The profile that matches the running back-end says that its session ends with its "
        "front-end's connection (virtiofsd exits).",
    .remedy =
        "Permit the stateful mode; or, with a restart of the VM, serve it through vuf-keeper.",
    .check = CheckStateless,
};

VUFD_RULE(BACK_END_LACKS_DEVICE_STATE) = {
    .hazards = "2, 9",
    .against = Against::kStateful,
    .scope = Scope::kEachSide,
    .cause =
        "The back-end cannot hand over its state (VHOST_USER_PROTOCOL_F_DEVICE_STATE). QEMU "
        "notices only after the guest has been stopped, and one such device fails the "
        "migration for all.",
    .remedy =
        "Use a back-end whose --print-capabilities lists migrate-precopy (virtiofsd 1.11 or "
        "later); at the source, with a restart of the VM.",
    .check = CheckDeviceState,
};

}  // namespace vuf
