// A ring must fit into the destination's device.
#include "absl/strings/str_format.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

// Two QEMUs of one version allocate alike; only across versions does the real size matter.
bool SameVersion(const World& world, Report& report) {
  if (!world.destination()) return true;
  const auto from = report.Need(world.source(), fact::kQemuVersion);
  const auto to = report.Need(*world.destination(), fact::kQemuVersion);
  return !from || !to || *from == *to;
}

void Check(const World& world, Report& report) {
  if (SameVersion(world, report)) return;
  for (const DevicePair& pair : world.all_pairs()) {
    const auto ring = report.Need(pair.source, fact::kRingSize);
    const auto limit = report.Need(pair.destination, fact::kQueueSize);
    if (!ring || !limit || *ring <= *limit) continue;
    report.Add(pair.destination.subject(),
               absl::StrFormat("The guest's rings have %d entries, the destination's device takes "
                               "%d, and the two QEMUs differ in version.",
                               *ring, *limit),
               {ring.Cite(), limit.Cite()});
  }
}

}  // namespace

VUFD_RULE(RING_TOO_LARGE) = {
    .hazards = "13",
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .cause =
        "The destination cannot load rings larger than its own. queue-size does not tell: QEMU "
        "10.0.13 sets up 1024 entries whatever it says (measured; 10.0.2 and 11.1 obey it).",
    .remedy = "Start both QEMUs with queue-size=1024 for the device, the destination at least.",
    .check = Check,
};

}  // namespace vuf
