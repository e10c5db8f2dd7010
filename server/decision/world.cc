#include "server/decision/world.h"

#include <algorithm>
#include <set>
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

std::string ValueOr(const BackEndOptions& options, const std::string& name) {
  const auto it = options.find(name);
  return it == options.end() ? "(not given)" : it->second;
}

void AddOptionDifferences(const DevicePair& pair, std::vector<OptionDifference>& differences) {
  const BackEndFacts& source = pair.source->back_end;
  const BackEndFacts& destination = pair.destination->back_end;
  // Another kind has other options, and is refused as such.
  if (source.kind.value != destination.kind.value) return;
  if (!source.options.known() || !destination.options.known()) return;
  std::set<std::string> names;
  for (const auto& [name, value] : *source.options.value) names.insert(name);
  for (const auto& [name, value] : *destination.options.value) names.insert(name);
  for (const std::string& name : names) {
    std::string from = ValueOr(*source.options.value, name);
    std::string to = ValueOr(*destination.options.value, name);
    if (from != to) differences.push_back({pair, name, std::move(from), std::move(to)});
  }
}

}  // namespace

World::World(const Facts& facts) : facts_(&facts) {
  vms_.push_back({Side::kSource, &facts.source});
  for (const FsDeviceFacts* device : SortedDevices(facts.source)) {
    devices_.push_back({vms_[0], device, static_cast<int>(devices_.size())});
  }
  // Facts of a sequential migration's destination are never passed over: without them less is
  // asked.
  const bool wanted = facts.request.has_destination || facts.request.sequential;
  if (!wanted || !facts.destination.has_value()) return;
  vms_.push_back({Side::kDestination, &*facts.destination});
  const size_t sources = devices_.size();
  std::vector<bool> taken(sources, false);
  for (const FsDeviceFacts* device : SortedDevices(*facts.destination)) {
    DeviceView view = {vms_[1], device, Subject::kWholeVm};
    for (size_t i = 0; i < sources && view.index == Subject::kWholeVm; ++i) {
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

std::vector<DeviceView> World::source_devices() const {
  std::vector<DeviceView> views;
  for (const DeviceView& view : devices_) {
    if (view.vm.side == Side::kSource) views.push_back(view);
  }
  return views;
}

std::vector<DeviceView> World::destination_devices() const {
  std::vector<DeviceView> views;
  for (const DeviceView& view : devices_) {
    if (view.vm.side == Side::kDestination) views.push_back(view);
  }
  return views;
}

}  // namespace vuf
