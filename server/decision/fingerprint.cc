#include "server/decision/fingerprint.h"

#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/decision/text.h"
#include "server/decision/world.h"

namespace vuf {
namespace {

// Bytes that a device usually comes to.
constexpr size_t kUsualDevice = 512;

// Takes bytes together.
class Fields {
 public:
  // Length first, so that no two lists of fields read the same.
  void Add(absl::string_view field) { absl::StrAppend(&bytes_, field.size(), ":", field); }

  template <typename T>
  void Add(const Evidence<T>& evidence) {
    Add(evidence.known() ? absl::string_view("known") : absl::string_view("unknown"));
    if (evidence.known()) Add(ToText(*evidence.value));
  }

  void Reserve(size_t size) { bytes_.reserve(size); }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Nothing that a hand-over changes: no phase, permit or role.
void AddKeeper(const BackEndFacts& back_end, Fields& fields) {
  fields.Add(back_end.keeper.known() ? "keeper" : "keeper unknown");
  if (back_end.keeper.known()) {
    fields.Add(back_end.keeper.value->control_socket);
    fields.Add(back_end.keeper.value->instance);
    fields.Add(back_end.keeper.value->session);
  }
  fields.Add(back_end.kept.known() ? "kept" : "kept unknown");
  if (back_end.kept.known()) fields.Add(ToText(back_end.kept.value->process));
}

void AddDevice(const FsDeviceFacts& device, Fields& fields) {
  fields.Add(device.qom_path);
  fields.Add(device.type);
  fields.Add(device.tag);
  fields.Add(device.request_queues);
  fields.Add(device.queue_size);
  fields.Add(device.pci_address);
  fields.Add(device.chardev_label);
  fields.Add(device.chardev);
  fields.Add(device.back_end.socket);
  fields.Add(device.back_end.process);
  fields.Add(device.back_end.share);
  if (device.back_end.kind.value == BackEndKind::kKeeper) AddKeeper(device.back_end, fields);
}

const char* SideName(Side side) { return side == Side::kSource ? "source" : "destination"; }

std::string Head(const Facts& facts) {
  Fields fields;
  fields.Add("vufd fingerprint 1");
  fields.Add(facts.boot_id);
  // A verdict about this host is none about another.
  if (const auto& other = facts.other_host; other.has_value()) {
    fields.Add("other host");
    fields.Add(SideName(other->side));
    fields.Add(other->agent);
    fields.Add(other->boot_id);
  }
  return fields.Take();
}

std::string OfVm(const VmView& vm) {
  Fields fields;
  fields.Add(SideName(vm.side));
  fields.Add(vm->process);
  fields.Add(vm->uuid);
  fields.Add(vm->machine_type);
  fields.Add(vm->devices.known() ? "devices" : "devices unknown");
  return fields.Take();
}

std::string OfDevices(absl::Span<const DeviceView> devices) {
  Fields fields;
  fields.Reserve(devices.size() * kUsualDevice);
  for (const DeviceView& device : devices) {
    fields.Add(SideName(device.vm.side));
    AddDevice(*device.facts, fields);
  }
  return fields.Take();
}

}  // namespace

std::string Fingerprint(const Facts& facts) { return FingerprintOf(World(facts)); }

std::string FingerprintOf(const World& world) {
  Fnv digest;
  digest.Add(Head(world.facts()));
  for (const VmView& vm : world.vms()) digest.Add(OfVm(vm));
  digest.Add(OfDevices(world.devices()));
  return digest.Hex();
}

FingerprintPart::FingerprintPart(const World& side)
    : vm_(OfVm(side.vms().front())), devices_(OfDevices(side.devices())) {
  begin_.Add(Head(side.facts()));
}

std::string FingerprintOf(const FingerprintPart& source, const FingerprintPart* destination) {
  Fnv digest = source.begin_;
  source.vm_.AddTo(digest);
  if (destination != nullptr) destination->vm_.AddTo(digest);
  source.devices_.AddTo(digest);
  if (destination != nullptr) destination->devices_.AddTo(digest);
  return digest.Hex();
}

}  // namespace vuf
