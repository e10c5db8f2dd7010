#include "server/decision/keeper.h"

namespace vuf {

bool IsKeeper(const DeviceView& device) {
  return device->back_end.kind.value == BackEndKind::kKeeper;
}

std::optional<Read<KeeperFacts>> NeedKeeper(const DeviceView& device, Report& report) {
  if (!IsKeeper(device) || !device->back_end.keeper.known()) return std::nullopt;
  const auto keeper = report.Need(device, fact::kKeeper);
  if (!keeper) return std::nullopt;
  return keeper;
}

const KeeperFacts::FrontEnd* FrontEndOf(const DeviceView& device, const KeeperFacts& keeper) {
  if (!device->back_end.socket.known()) return nullptr;
  for (const KeeperFacts::FrontEnd& front_end : keeper.front_ends) {
    if (front_end.socket_inode == device->back_end.socket.value->peer_inode) return &front_end;
  }
  return nullptr;
}

absl::Span<const DeviceView> LiveDevices(const World& world) {
  return world.source_is_record() ? world.destination_devices() : world.devices();
}

std::vector<KeeperPair> NeedKeeperPairs(const World& world, Report& report) {
  std::vector<KeeperPair> pairs;
  for (const DevicePair& pair : world.pairs()) {
    const auto from = NeedKeeper(pair.source, report);
    const auto to = NeedKeeper(pair.destination, report);
    if (from && to) pairs.push_back({pair, *from, *to});
  }
  return pairs;
}

}  // namespace vuf
