// Devices that a vuf-keeper serves, for rules.
#ifndef VUFD_SERVER_DECISION_KEEPER_H_
#define VUFD_SERVER_DECISION_KEEPER_H_

#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "server/decision/report.h"
#include "server/decision/world.h"

namespace vuf {

// Bits of VHOST_USER_GET_FEATURES and VHOST_USER_GET_PROTOCOL_FEATURES.
inline constexpr uint64_t kFeatureLogAll = uint64_t{1} << 26;
inline constexpr uint64_t kProtocolLogShmfd = uint64_t{1} << 1;
inline constexpr uint64_t kProtocolDeviceState = uint64_t{1} << 19;

// False also when the kind is unknown, which BACK_END_KIND_UNKNOWN needs of every device.
bool IsKeeper(const DeviceView& device);

// What the device's keeper says. Absent: not a keeper, or it is not known, which KEEPER_UNKNOWN
// reports (and Report, if it is too old).
std::optional<Read<KeeperFacts>> NeedKeeper(const DeviceView& device, Report& report);

// What the keeper says of the device's own connection. Null: it does not mention it.
const KeeperFacts::FrontEnd* FrontEndOf(const DeviceView& device, const KeeperFacts& keeper);

// Devices whose keepers were asked for this decision: not those of a source that is a record.
absl::Span<const DeviceView> LiveDevices(const World& world);

// A device and its counterpart, both served by keepers that could be asked.
struct KeeperPair {
  DevicePair devices;
  Read<KeeperFacts> from;
  Read<KeeperFacts> to;
};
std::vector<KeeperPair> NeedKeeperPairs(const World& world, Report& report);

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_KEEPER_H_
