// Views of the facts, so that a rule is a loop over what it is about.
#ifndef VUFD_SERVER_DECISION_WORLD_H_
#define VUFD_SERVER_DECISION_WORLD_H_

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/model/facts.h"

namespace vuf {

// What a finding is about.
struct Subject {
  static constexpr int kWholeVm = -1;

  Side side = Side::kNone;
  // A device's subject(), "vm", "host" or "request".
  absl::string_view name;
  // Index into World::source_devices() of the device that it counts against.
  int device = kWholeVm;
};

struct VmView {
  Side side;
  const VmFacts* facts;

  const VmFacts* operator->() const { return facts; }
  Subject subject() const { return {side, "vm"}; }
};

struct DeviceView {
  VmView vm;
  const FsDeviceFacts* facts;
  // See Subject::device. A device of the destination counts against its counterpart; without one,
  // against the whole VM.
  int index;

  const FsDeviceFacts* operator->() const { return facts; }
  Subject subject() const { return {vm.side, facts->subject(), index}; }
};

// A device and its counterpart: the same QOM path.
struct DevicePair {
  DeviceView source;
  DeviceView destination;
};

// An option that the back-ends of a device and its counterpart, of one kind, have with different
// values, or only one of them has.
struct OptionDifference {
  DevicePair devices;
  std::string name;
  // "(not given)" where it is not.
  std::string from;
  std::string to;
};

class World {
 public:
  // `facts` must outlive the world.
  explicit World(const Facts& facts);
  // One side alone, of a migration of which `facts` says the rest: the other side does not count.
  World(const Facts& facts, Side side, const VmFacts& vm);
  // Two such; what is about neither side is as the source's facts have it.
  World(const World& source, const World& destination);

  const Facts& facts() const { return *facts_; }
  const VmView& source() const { return vms_.front(); }
  // Absent when the request names no destination.
  std::optional<VmView> destination() const;
  // The source and, if there is one, the destination.
  const std::vector<VmView>& vms() const { return vms_; }
  // Of both sides, by QOM path.
  const std::vector<DeviceView>& devices() const { return devices_; }
  absl::Span<const DeviceView> source_devices() const;
  absl::Span<const DeviceView> destination_devices() const;
  const std::vector<DevicePair>& all_pairs() const { return all_pairs_; }
  // Those of them that have to be compared (Scope::kPair).
  const std::vector<DevicePair>& pairs() const { return pairs_; }
  // Every device has a counterpart, and there is nothing to compare.
  bool all_alike() const {
    return vms_.size() == 2 && pairs_.empty() && 2 * all_pairs_.size() == devices_.size();
  }
  // Of pairs() whose options are both known, whatever their age.
  const std::vector<OptionDifference>& option_differences() const { return option_differences_; }
  // Inodes, device numbers and process ids mean the same on both sides. Two agents may share a
  // machine; what is not known of the other's does not make it this one.
  bool same_machine() const { return same_machine_; }
  // The second stage of a sequential migration: the source is what was recorded of it before it
  // saved its state and quit.
  bool source_is_record() const { return facts_->request.sequential && vms_.size() == 2; }

  // For a side alone: by device, everything that rules about pairs see of it. Counterparts of the
  // same looks need no comparing, and `looks` says so only where no such rule would say anything of
  // two of them; elsewhere it is empty.
  void set_looks(std::vector<std::string> looks) { looks_ = std::move(looks); }

 private:
  // Whether the `i`th device of a side and the `j`th of the other need no comparing.
  static bool LookAlike(const World& source, size_t i, const World& destination, size_t j);

  const Facts* facts_;
  bool same_machine_ = false;
  std::vector<VmView> vms_;
  // The source's first.
  std::vector<DeviceView> devices_;
  size_t sources_ = 0;
  std::vector<std::string> looks_;
  std::vector<DevicePair> all_pairs_;
  std::vector<DevicePair> pairs_;
  std::vector<OptionDifference> option_differences_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_WORLD_H_
