#include "server/decision/world.h"

#include <algorithm>
#include <utility>

namespace vuf {
namespace {

// Old evidence is looked at too: its age is reported on its own, and refuses.
std::vector<const FsDeviceFacts*> SortedDevices(const VmFacts& vm) {
  std::vector<const FsDeviceFacts*> devices;
  if (!vm.devices.known()) return devices;
  for (const FsDeviceFacts& device : *vm.devices.value) devices.push_back(&device);
  std::stable_sort(
      devices.begin(), devices.end(),
      [](const FsDeviceFacts* a, const FsDeviceFacts* b) { return a->qom_path < b->qom_path; });
  return devices;
}

constexpr char kNotGiven[] = "(not given)";

// Both are in order: one walk over the two.
void AddOptionDifferences(const DevicePair& pair, std::vector<OptionDifference>& differences) {
  const BackEndFacts& source = pair.source->back_end;
  const BackEndFacts& destination = pair.destination->back_end;
  // Another kind has other options, and is refused as such.
  if (source.kind.value != destination.kind.value) return;
  if (!source.options.known() || !destination.options.known()) return;
  auto from = source.options.value->begin();
  auto to = destination.options.value->begin();
  const auto from_end = source.options.value->end();
  const auto to_end = destination.options.value->end();
  while (from != from_end || to != to_end) {
    const int order = from == from_end ? 1 : to == to_end ? -1 : from->first.compare(to->first);
    if (order < 0) {
      differences.push_back({pair, from->first, from->second, kNotGiven});
    } else if (order > 0) {
      differences.push_back({pair, to->first, kNotGiven, to->second});
    } else if (from->second != to->second) {
      differences.push_back({pair, from->first, from->second, to->second});
    }
    if (order <= 0) ++from;
    if (order >= 0) ++to;
  }
}

}  // namespace

World::World(const Facts& facts) : facts_(&facts) {
  vms_.push_back({Side::kSource, &facts.source});
  for (const FsDeviceFacts* device : SortedDevices(facts.source)) {
    devices_.push_back({vms_[0], device, static_cast<int>(devices_.size())});
  }
  sources_ = devices_.size();
  // Facts of a sequential migration's destination are never passed over: without them less is
  // asked.
  const bool wanted = facts.request.has_destination || facts.request.sequential;
  if (!wanted || !facts.destination.has_value()) return;
  vms_.push_back({Side::kDestination, &*facts.destination});
  std::vector<bool> taken(sources_, false);
  for (const FsDeviceFacts* device : SortedDevices(*facts.destination)) {
    DeviceView view = {vms_[1], device, Subject::kWholeVm};
    for (size_t i = 0; i < sources_ && view.index == Subject::kWholeVm; ++i) {
      if (taken[i] || devices_[i]->qom_path != device->qom_path) continue;
      taken[i] = true;
      view.index = static_cast<int>(i);
      pairs_.push_back({devices_[i], view});
    }
    devices_.push_back(view);
  }
  for (const DevicePair& pair : pairs_) AddOptionDifferences(pair, option_differences_);
}

std::optional<VmView> World::destination() const {
  if (vms_.size() < 2) return std::nullopt;
  return vms_[1];
}

bool World::same_machine() const {
  if (!facts_->other_host.has_value()) return true;
  const Evidence<std::string>& there = facts_->other_host->boot_id;
  return facts_->boot_id.known() && there.known() && !there.value->empty() &&
         *facts_->boot_id.value == *there.value;
}

absl::Span<const DeviceView> World::source_devices() const {
  return absl::MakeConstSpan(devices_).first(sources_);
}

absl::Span<const DeviceView> World::destination_devices() const {
  return absl::MakeConstSpan(devices_).subspan(sources_);
}

}  // namespace vuf
