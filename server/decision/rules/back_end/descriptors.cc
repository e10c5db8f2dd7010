// How many descriptors the back-ends have, and may have.
#include "absl/strings/str_format.h"
#include "server/decision/options.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"
#include "server/decision/tables.h"

namespace vuf {
namespace {

void CheckLimit(const World& world, Report& report) {
  for (const DevicePair& pair : world.all_pairs()) {
    if (!HandsOverFiles(pair.source) || !HandsOverFiles(pair.destination)) continue;
    const auto from = report.Need(pair.source, fact::kDescriptors);
    const auto to = report.Need(pair.destination, fact::kDescriptors);
    if (!from || !to || from->open <= to->limit) continue;
    report.Add(pair.destination.subject(),
               absl::StrFormat("The source's back-end has %u descriptors open, the destination's "
                               "may have no more than %u.",
                               from->open, to->limit),
               {from.Cite(), to.Cite()});
  }
}

void CheckMany(const World& world, Report& report) {
  for (const DeviceView& device : world.source_devices()) {
    if (!HandsOverFiles(device)) continue;
    const auto descriptors = report.Advise(device, fact::kDescriptors);
    if (!descriptors || descriptors->open <= kManyDescriptors) continue;
    report.Add(device.subject(),
               absl::StrFormat("The back-end has %u descriptors open.", descriptors->open),
               {descriptors.Cite()});
  }
}

}  // namespace

VUFD_RULE(DESCRIPTOR_LIMIT_TOO_LOW) = {
    .hazards = "30",
    .against = Against::kStateful,
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .cause =
        "The destination opens what the source has open and runs into its limit (RLIMIT_NOFILE): "
        "the load fails, or the guest loses the files that are left over.",
    .remedy = "Start the destination's back-end with a higher --rlimit-nofile.",
    .check = CheckLimit,
};

VUFD_RULE(MANY_DESCRIPTORS) = {
    .hazards = "39",
    .severity = Severity::kWarning,
    .against = Against::kStateful,
    .side = "source",
    .scope = Scope::kSource,
    .cause =
        "The guest knows very many files, and stands still while the back-ends hand them over: "
        "about half a second for 10,000, many seconds for 100,000 (docs/performance.md). A "
        "back-end that keeps handles instead of descriptors may know as many without it showing.",
    .remedy =
        "Expect it; --migration-mode=file-handles is several times faster than find-paths. "
        "Dropping caches in the guest (echo 2 > /proc/sys/vm/drop_caches) makes it forget files.",
    .check = CheckMany,
};

}  // namespace vuf
