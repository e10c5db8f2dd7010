// What describes a front-end's device. It is remembered; while the device is served, the back-end
// hears of it at once.
#include <utility>

#include "keeper/session.h"

namespace vuf::keeper {

// The keeper reads the rings, and must find them: split ones, at addresses of the guest's memory.
uint64_t Session::OfferedFeatures() const {
  return back_end_->features() & ~(kRingPacked | kAccessPlatform);
}

std::string Session::SetFeatures(FrontEnd& front_end, const Message& message) {
  uint64_t features;
  if (!message.Get(features) || (features & ~OfferedFeatures()) != 0) {
    return "it wants features that were not offered";
  }
  if (message.fd_count != 0) return "a descriptor came with features";
  front_end.features = features;
  return "";
}

std::string Session::SetLogBase(FrontEnd& front_end, const Message& message) {
  if (!message.Get(front_end.log) || message.fd_count != 1) {
    return "the log needs a size, an offset and one descriptor";
  }
  front_end.log_fd = message.fds[0].Duplicate();
  return front_end.log_fd.valid() ? "" : "out of descriptors";
}

std::string Session::SetVringState(FrontEnd& front_end, const Message& message) {
  VringState state;
  if (!message.Get(state) || state.index >= kMaxRings) return "no such ring";
  Ring& ring = front_end.rings[state.index];
  (message.header.request == kSetVringNum ? ring.size : ring.base) = state.num;
  return "";
}

std::string Session::SetVringAddress(FrontEnd& front_end, const Message& message) {
  VringAddr address;
  if (!message.Get(address) || address.index >= kMaxRings) return "no such ring";
  front_end.rings[address.index].address = address;
  front_end.rings[address.index].has_address = true;
  return "";
}

// Kick, call and error of a ring: an index, and a descriptor unless its absence is announced.
std::string Session::SetVringFd(FrontEnd& front_end, const Message& message) {
  uint64_t value;
  if (!message.Get(value) || (value & kVringIndexMask) >= kMaxRings) return "no such ring";
  const bool has_fd = (value & kVringNoFd) == 0;
  if (message.fd_count != (has_fd ? 1 : 0)) return "a ring needs exactly one descriptor";
  Ring& ring = front_end.rings[value & kVringIndexMask];
  Fd& place = message.header.request == kSetVringKick   ? ring.kick
              : message.header.request == kSetVringCall ? ring.call
                                                        : ring.error;
  place = message.fds[0].Duplicate();
  return has_fd && !place.valid() ? "out of descriptors" : "";
}

bool Session::HandleSetting(FrontEnd& front_end, Message& message) {
  std::string wrong;
  // Of a message about a ring; its lowest byte comes first.
  const uint8_t ring = message.payload[0];
  bool live = IsLive(front_end);
  switch (message.header.request) {
    case kSetFeatures:
      wrong = SetFeatures(front_end, message);
      break;
    case kSetMemTable:
      wrong = front_end.memory.Take(message);
      break;
    case kSetLogBase:
      wrong = SetLogBase(front_end, message);
      break;
    case kSetVringNum:
    case kSetVringBase:
      wrong = SetVringState(front_end, message);
      // QEMU sends these for stopped rings only, whose start repeats them.
      live = false;
      break;
    case kSetVringAddr:
      wrong = SetVringAddress(front_end, message);
      live = live && ring < kMaxRings && IsServed(ring);
      break;
    case kSetVringKick:
    case kSetVringCall:
    case kSetVringErr:
      wrong = SetVringFd(front_end, message);
      live = live && ring < kMaxRings && IsServed(ring);
      break;
    default:
      return false;
  }
  if (!wrong.empty()) {
    Drop(front_end, wrong);
  } else if (live) {
    ForwardSetting(front_end, std::move(message));
  } else if (message.header.request == kSetLogBase) {
    AnswerU64(front_end, 0);
  } else {
    Acknowledge(front_end, 0);
  }
  return true;
}

void Session::ForwardSetting(FrontEnd& front_end, Message message) {
  std::optional<Message> translated;
  switch (message.header.request) {
    case kSetMemTable:
      translated = front_end.memory.ForBackEnd();
      break;
    case kSetVringAddr:
      translated = AddressForBackEnd(front_end, message.payload[0]);
      break;
    default:
      return Forward(front_end, std::move(message));
  }
  if (!translated.has_value()) return Drop(front_end, "its rings are not in its memory");
  Forward(front_end, *std::move(translated));
}

}  // namespace vuf::keeper
