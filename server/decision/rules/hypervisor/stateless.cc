// What QEMU must be able to do for the stateless mode, and the property of patched QEMUs.
#include "absl/strings/str_format.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

void CheckStock(const World& world, Report& report) {
  for (const DeviceView& device : world.source_devices()) {
    const auto property = report.Need(device, fact::kMigrationProperty);
    const auto kind = report.Need(device, fact::kKind);
    if (!property || !kind || !property->empty() || *kind == BackEndKind::kKeeper) continue;
    report.Add(device.subject(),
               absl::StrFormat("This QEMU's %s has no migration property, and the back-end is not "
                               "vuf-keeper but %s.",
                               device->type.empty() ? "vhost-user-fs device" : device->type,
                               ToText(*kind)),
               {property.CiteAs("", "none"), kind.Cite()});
  }
}

void CheckPatched(const World& world, Report& report) {
  for (const DeviceView& device : world.devices()) {
    const auto property = report.Need(device, fact::kMigrationProperty);
    if (!property || property->empty()) continue;
    report.Add(device.subject(),
               absl::StrFormat("The device has the property migration=%s of a patched QEMU, which "
                               "carries no keeper's marker.",
                               *property),
               {property.Cite()});
  }
}

void CheckPropertyAgainstStateful(const World& world, Report& report) {
  for (const DeviceView& device : world.devices()) {
    const auto property = report.Need(device, fact::kMigrationProperty);
    if (!property || property->empty()) continue;
    report.Add(device.subject(),
               absl::StrFormat("The device has migration=%s, so the back-end's state would not be "
                               "in the stream.",
                               *property),
               {property.Cite()});
  }
}

void CheckPropertyDiffers(const World& world, Report& report) {
  for (const DevicePair& pair : world.pairs()) {
    const auto from = report.Need(pair.source, fact::kMigrationProperty);
    const auto to = report.Need(pair.destination, fact::kMigrationProperty);
    if (!from || !to || *from == *to) continue;
    report.Add(pair.destination.subject(),
               absl::StrFormat("The migration property is \"%s\" at the source and \"%s\" at the "
                               "destination.",
                               *from, *to),
               {from.Cite(), to.Cite()});
  }
}

}  // namespace

VUFD_RULE(STATELESS_NOT_SUPPORTED_BY_QEMU) = {
    .hazards = "4",
    .against = Against::kStateless,
    .scope = Scope::kSource,
    .cause =
        "No released QEMU (up to 11.1) can leave the back-end's state out of the stream; it "
        "would ask the back-end for it. vuf-keeper answers in the back-end's place.",
    .remedy =
        "Permit the stateful mode; or, with a restart of the VM, serve it through vuf-keeper.",
    .check = CheckStock,
};

VUFD_RULE(STATELESS_NEEDS_SEQUENTIAL_HAND_OVER) = {
    .hazards = "73, 74",
    .against = Against::kStateless,
    .scope = Scope::kEachSide,
    .cause =
        "With a patched QEMU and a back-end that serves one connection the destination can connect "
        "only after the source has gone, and from then on there is no way back. With a keeper its "
        "marker would not travel, and the keeper lets nobody drive without.",
    .remedy =
        "Use a QEMU without the migration property, and vuf-keeper or a back-end that can migrate "
        "statefully.",
    .check = CheckPatched,
};

VUFD_RULE(MIGRATION_PROPERTY_SET) = {
    .hazards = "6",
    .against = Against::kStateful,
    .retry_class = RetryClass::kOperator,
    .scope = Scope::kEachSide,
    .cause =
        "A patched QEMU with migration=external (perhaps left from an earlier upgrade on the "
        "spot) sends no back-end state, with migration=none it refuses to migrate: the guest "
        "would get EBADF for every open file, or the migration fails.",
    .remedy = "Run the VM with a QEMU without this property.",
    .check = CheckPropertyAgainstStateful,
};

VUFD_RULE(MIGRATION_PROPERTY_DIFFERS) = {
    .hazards = "5",
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kPair,
    .cause =
        "One side would send or expect back-end state and the other not. QEMU loads a stream "
        "without it silently, and the guest then gets EBADF for everything.",
    .remedy = "Start the destination with the same QEMU and the same migration property.",
    .check = CheckPropertyDiffers,
};

}  // namespace vuf
