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

bool SameMachine(const Facts& facts) {
  if (!facts.other_host.has_value()) return true;
  const Evidence<std::string>& there = facts.other_host->boot_id;
  return facts.boot_id.known() && there.known() && !there.value->empty() &&
         *facts.boot_id.value == *there.value;
}

// Facts of a sequential migration's destination are never passed over: without them less is asked.
bool HasDestination(const Facts& facts) {
  return facts.destination.has_value() &&
         (facts.request.has_destination || facts.request.sequential);
}

}  // namespace

World::World(const Facts& facts)
    : World(HasDestination(facts) ? World(World(facts, Side::kSource, facts.source),
                                          World(facts, Side::kDestination, *facts.destination))
                                  : World(facts, Side::kSource, facts.source)) {}

World::World(const Facts& facts, Side side, const VmFacts& vm)
    : facts_(&facts), same_machine_(SameMachine(facts)) {
  vms_.push_back({side, &vm});
  for (const FsDeviceFacts* device : SortedDevices(vm)) {
    devices_.push_back({vms_[0], device, static_cast<int>(devices_.size())});
  }
  if (side == Side::kSource) sources_ = devices_.size();
}

bool World::LookAlike(const World& source, size_t i, const World& destination, size_t j) {
  if (i >= source.looks_.size() || j >= destination.looks_.size()) return false;
  return !source.looks_[i].empty() && source.looks_[i] == destination.looks_[j];
}

World::World(const World& source, const World& destination)
    : facts_(source.facts_), same_machine_(source.same_machine_), sources_(source.sources_) {
  vms_ = {source.vms_[0], destination.vms_[0]};
  devices_.reserve(sources_ + destination.devices_.size());
  devices_ = source.devices_;
  all_pairs_.reserve(sources_);
  // Both are in order: one walk over the two.
  size_t i = 0;
  for (size_t j = 0; j < destination.devices_.size(); ++j) {
    DeviceView view = destination.devices_[j];
    view.index = Subject::kWholeVm;
    while (i < sources_ && devices_[i]->qom_path < view->qom_path) ++i;
    if (i < sources_ && devices_[i]->qom_path == view->qom_path) {
      view.index = static_cast<int>(i);
      all_pairs_.push_back({devices_[i], view});
      if (!LookAlike(source, i, destination, j)) pairs_.push_back(all_pairs_.back());
      ++i;
    }
    devices_.push_back(view);
  }
  for (const DevicePair& pair : pairs_) AddOptionDifferences(pair, option_differences_);
}

std::optional<VmView> World::destination() const {
  if (vms_.back().side != Side::kDestination) return std::nullopt;
  return vms_.back();
}

absl::Span<const DeviceView> World::source_devices() const {
  return absl::MakeConstSpan(devices_).first(sources_);
}

absl::Span<const DeviceView> World::destination_devices() const {
  return absl::MakeConstSpan(devices_).subspan(sources_);
}

}  // namespace vuf
