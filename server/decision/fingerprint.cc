#include "server/decision/fingerprint.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/decision/text.h"
#include "server/decision/world.h"

namespace vuf {
namespace {

__extension__ using Uint128 = unsigned __int128;

// FNV-1a, 128 bits: needs no library and never changes. Not a defence against an attacker; a
// migration is judged again on fresh facts whatever the fingerprint says.
class Digest {
 public:
  // Length first, so that no two lists of fields read the same.
  void Add(absl::string_view field) {
    AddBytes(absl::AlphaNum(field.size()).Piece());
    AddBytes(":");
    AddBytes(field);
  }

  template <typename T>
  void Add(const Evidence<T>& evidence) {
    Add(evidence.known() ? absl::string_view("known") : absl::string_view("unknown"));
    if (evidence.known()) Add(ToText(*evidence.value));
  }

  std::string Hex() const {
    return absl::StrFormat("%016x%016x", static_cast<uint64_t>(state_ >> 64),
                           static_cast<uint64_t>(state_));
  }

 private:
  void AddBytes(absl::string_view bytes) {
    constexpr Uint128 kPrime = (Uint128{1} << 88) + 0x13b;
    for (const char byte : bytes) state_ = (state_ ^ static_cast<unsigned char>(byte)) * kPrime;
  }

  Uint128 state_ = (Uint128{0x6c62272e07bb0142} << 64) + 0x62b821756295c58d;
};

// Nothing that a hand-over changes: no phase, permit or role.
void AddKeeper(const BackEndFacts& back_end, Digest& digest) {
  digest.Add(back_end.keeper.known() ? "keeper" : "keeper unknown");
  if (back_end.keeper.known()) {
    digest.Add(back_end.keeper.value->control_socket);
    digest.Add(back_end.keeper.value->instance);
    digest.Add(back_end.keeper.value->session);
  }
  digest.Add(back_end.kept.known() ? "kept" : "kept unknown");
  if (back_end.kept.known()) digest.Add(ToText(back_end.kept.value->process));
}

void AddDevice(const FsDeviceFacts& device, Digest& digest) {
  digest.Add(device.qom_path);
  digest.Add(device.type);
  digest.Add(device.tag);
  digest.Add(device.request_queues);
  digest.Add(device.queue_size);
  digest.Add(device.pci_address);
  digest.Add(device.chardev_label);
  digest.Add(device.chardev);
  digest.Add(device.back_end.socket);
  digest.Add(device.back_end.process);
  digest.Add(device.back_end.share);
  if (device.back_end.kind.value == BackEndKind::kKeeper) AddKeeper(device.back_end, digest);
}

}  // namespace

std::string Fingerprint(const Facts& facts) { return FingerprintOf(World(facts)); }

std::string FingerprintOf(const World& world) {
  Digest digest;
  digest.Add("vufd fingerprint 1");
  digest.Add(world.facts().boot_id);
  // A verdict about this host is none about another.
  if (const auto& other = world.facts().other_host; other.has_value()) {
    digest.Add("other host");
    digest.Add(other->side == Side::kSource ? "source" : "destination");
    digest.Add(other->agent);
    digest.Add(other->boot_id);
  }
  for (const VmView& vm : world.vms()) {
    digest.Add(vm.side == Side::kSource ? "source" : "destination");
    digest.Add(vm->process);
    digest.Add(vm->uuid);
    digest.Add(vm->machine_type);
    digest.Add(vm->devices.known() ? "devices" : "devices unknown");
  }
  for (const DeviceView& device : world.devices()) {
    digest.Add(device.vm.side == Side::kSource ? "source" : "destination");
    AddDevice(*device.facts, digest);
  }
  return digest.Hex();
}

}  // namespace vuf
