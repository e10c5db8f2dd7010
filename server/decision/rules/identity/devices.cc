// The destination must have the same devices.
#include <vector>

#include "absl/strings/str_format.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

void CheckMissing(const World& world, Report& report) {
  if (!world.destination() || !report.Need(*world.destination(), fact::kDevices)) return;
  std::vector<bool> paired(world.source_devices().size(), false);
  for (const DevicePair& pair : world.all_pairs()) paired[pair.source.index] = true;
  for (const DeviceView& device : world.source_devices()) {
    if (paired[device.index]) continue;
    Subject subject = device.subject();
    subject.side = Side::kDestination;
    report.Add(subject, absl::StrFormat("The destination has no device %s.", device->qom_path));
  }
}

void CheckExtra(const World& world, Report& report) {
  if (!report.Need(world.source(), fact::kDevices)) return;
  for (const DeviceView& device : world.destination_devices()) {
    if (device.index != Subject::kWholeVm) continue;
    report.Add(device.subject(), absl::StrFormat("The source has no device %s.", device->qom_path));
  }
}

template <typename T>
void CheckSame(const World& world, Report& report, const DeviceFact<T>& fact) {
  for (const DevicePair& pair : world.pairs()) {
    const auto from = report.Need(pair.source, fact);
    const auto to = report.Need(pair.destination, fact);
    if (!from || !to || *from == *to) continue;
    report.Add(pair.destination.subject(),
               absl::StrFormat("The device's %s is \"%s\" at the source and \"%s\" at the "
                               "destination.",
                               fact.name, ToText(*from), ToText(*to)),
               {from.Cite(), to.Cite()});
  }
}

void CheckType(const World& world, Report& report) {
  for (const DevicePair& pair : world.pairs()) {
    if (pair.source->type == pair.destination->type) continue;
    report.Add(pair.destination.subject(),
               absl::StrFormat("The device is a %s at the source and a %s at the destination.",
                               pair.source->type, pair.destination->type));
  }
}

void CheckTag(const World& world, Report& report) { CheckSame(world, report, fact::kTag); }
void CheckRequestQueues(const World& world, Report& report) {
  CheckSame(world, report, fact::kRequestQueues);
}
void CheckQueueSize(const World& world, Report& report) {
  CheckSame(world, report, fact::kQueueSize);
}
void CheckPciAddress(const World& world, Report& report) {
  CheckSame(world, report, fact::kPciAddress);
}

constexpr char kSameCommandLine[] =
    "Start the destination QEMU with the source's devices: the same -device lines, ids and "
    "addresses.";

}  // namespace

VUFD_RULE(DEVICE_MISSING_AT_DESTINATION) = {
    .hazards = "11",
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .cause = "The destination cannot load a device that it does not have.",
    .remedy = kSameCommandLine,
    .check = CheckMissing,
};

VUFD_RULE(DEVICE_MISSING_AT_SOURCE) = {
    .hazards = "11",
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .cause = "The destination has a device that gets no state: the VM is not the same.",
    .remedy = kSameCommandLine,
    .check = CheckExtra,
};

VUFD_RULE(DEVICE_TYPE_DIFFERS) = {
    .hazards = "11",
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kPair,
    .cause = "The destination cannot load the state of a device of another type.",
    .remedy = kSameCommandLine,
    .check = CheckType,
};

VUFD_RULE(PCI_ADDRESS_DIFFERS) = {
    .hazards = "11",
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kPair,
    .cause = "QEMU finds a device's state by its PCI address.",
    .remedy = kSameCommandLine,
    .check = CheckPciAddress,
};

VUFD_RULE(TAG_DIFFERS) = {
    .hazards = "12",
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kPair,
    .cause =
        "The state loads without complaint, but the guest mounts by tag: its next mount fails "
        "or shows another share.",
    .remedy = "Start the destination's device with the source's tag.",
    .check = CheckTag,
};

VUFD_RULE(REQUEST_QUEUES_DIFFER) = {
    .hazards = "13",
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kPair,
    .cause =
        "The rings that the guest uses would not be there, or the back-end refuses the device.",
    .remedy = "Start the destination's device with the source's num-request-queues.",
    .check = CheckRequestQueues,
};

VUFD_RULE(QUEUE_SIZE_DIFFERS) = {
    .hazards = "13",
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kPair,
    .cause =
        "The state loads without complaint, but the device is no longer the one that the guest "
        "set up.",
    .remedy = "Start the destination's device with the source's queue-size.",
    .check = CheckQueueSize,
};

}  // namespace vuf
