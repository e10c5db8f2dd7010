// From what the rules said to the verdict.
#ifndef VUFD_SERVER_DECISION_CONCLUDE_H_
#define VUFD_SERVER_DECISION_CONCLUDE_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/decision/report.h"
#include "server/decision/world.h"
#include "server/model/verdict.h"

namespace vuf {

// What was said about one side, or about both.
struct Part {
  const Report* report;
  // For a destination's part: the world's devices, which say what the numbers in the report's
  // subjects (World, of one side) are in this world. Empty: the same.
  absl::Span<const DeviceView> devices;
};

// The devices as a verdict mentions them, refused.
std::vector<DeviceVerdict> RefusedDevices(absl::Span<const DeviceView> devices);

// Everything but the verdict's fingerprint. `devices`: RefusedDevices() of the source.
Verdict Conclude(const World& world, absl::Time now, absl::Span<const Part> parts,
                 std::vector<DeviceVerdict> devices);

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_CONCLUDE_H_
