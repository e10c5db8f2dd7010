#include "keeper/testing/fake_back_end.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace vuf::keeper {
bool HasOwnAnswer(uint32_t request) {
  switch (request) {
    case kGetFeatures:
    case kGetProtocolFeatures:
    case kGetQueueNum:
    case kGetVringBase:
    case kSetLogBase:
    case kSetDeviceStateFd:
    case kCheckDeviceState:
      return true;
    default:
      return false;
  }
}
FakeBackEnd::FakeBackEnd(const Options& options) : options_(options) {
  std::pair<Fd, Fd> ends = SocketPair();
  connection_ = Connection(std::move(ends.first));
  peer_ = std::move(ends.second);
}

std::unique_ptr<BackEnd> FakeBackEnd::Connect() {
  auto out = std::make_unique<BackEnd>(std::move(peer_));
  // There is one thread only, so the answers must be there before the questions.
  Reply(Message::Make(kGetFeatures), options_.features);
  Reply(Message::Make(kGetProtocolFeatures), options_.protocol_features);
  if ((options_.protocol_features & kMq) != 0) Reply(Message::Make(kGetQueueNum), options_.queues);
  if (!out->Negotiate(1000).empty()) abort();
  Serve();
  negotiating_ = false;
  return out;
}

size_t FakeBackEnd::Count(uint32_t request) const {
  return static_cast<size_t>(std::count_if(
      seen.begin(), seen.end(), [request](const Seen& one) { return one.request == request; }));
}

bool FakeBackEnd::AnyEnabled() const {
  return std::any_of(rings.begin(), rings.end(), [](const Ring& ring) { return ring.enabled; });
}

void FakeBackEnd::Reply(const Message& message, uint64_t value) {
  Message out = Message::Make(message.header.request, value, kVersion | kReply);
  if (garbles == message.header.request) out.header.size = 5;
  connection_.Send(out);
}

bool FakeBackEnd::Serve() {
  bool served = false;
  size_t left = most_at_once == 0 ? SIZE_MAX : most_at_once;
  Message message;
  while (!stalled && left-- > 0 && connection_.open() &&
         connection_.Receive(message) == Connection::Got::kMessage) {
    const uint32_t request = message.header.request;
    served = true;
    Seen one = {request, message.need_reply(), message.fd_count, {}};
    memcpy(&one.state, message.payload.data(), std::min<size_t>(message.header.size, 8));
    seen.push_back(one);
    if (closes_at == request) Close();
    const uint64_t result = refused.count(request) != 0 ? 1 : Act(message);
    const bool acknowledged = message.need_reply() && (options_.protocol_features & kReplyAck) != 0;
    if (!negotiating_ && (HasOwnAnswer(request) || acknowledged)) Reply(message, result);
    message = Message();
  }
  for (Ring& ring : rings) served = (!stalled && ServeRing(ring)) || served;
  return served;
}

// Returns what is answered.
uint64_t FakeBackEnd::Act(Message& message) {
  switch (message.header.request) {
    case kGetFeatures:
      return options_.features;
    case kSetFeatures:
      message.Get(features);
      return 0;
    case kSetMemTable:
      memory = MemTable();
      memcpy(&memory, message.payload.data(), message.header.size);
      files.clear();
      for (size_t i = 0; i < message.fd_count; ++i) files.push_back(std::move(message.fds[i]));
      return 0;
    case kSetLogBase:
      ++log_bases;
      return 0;
    case kSetDeviceStateFd:
      return Transfer(message);
    case kCheckDeviceState:
      if (load_.valid()) {
        char buffer[4096];
        for (ssize_t n; (n = read(load_.get(), buffer, sizeof buffer)) > 0;) {
          loaded.append(buffer, static_cast<size_t>(n));
        }
        load_.Close();
      }
      return 0;
    default:
      return ActOnRing(message);
  }
}

uint64_t FakeBackEnd::ActOnRing(Message& message) {
  if (message.header.request < kSetVringNum || message.header.size < 8) return 0;
  VringState state;
  memcpy(&state, message.payload.data(), sizeof state);
  const uint32_t index = state.index & kVringIndexMask;
  if (index >= kMaxRings) return 1;
  Ring& ring = rings[index];
  switch (message.header.request) {
    case kSetVringNum:
      ring.size = state.num;
      return 0;
    case kSetVringBase:
      ring.base = state.num;
      return 0;
    case kSetVringAddr:
      message.Get(ring.address);
      return 0;
    case kSetVringKick:
      ring.kick = std::move(message.fds[0]);
      return 0;
    case kSetVringCall:
      ring.call = std::move(message.fds[0]);
      return 0;
    case kSetVringEnable:
      ring.enabled = state.num != 0;
      return 0;
    case kGetVringBase: {
      ring.enabled = false;
      const VringState base = {index, ring.base};
      uint64_t out;
      memcpy(&out, &base, sizeof out);
      return out;
    }
    default:
      return 0;
  }
}

uint64_t FakeBackEnd::Transfer(Message& message) {
  DeviceStateFd what;
  if (!message.Get(what) || message.fd_count != 1) return 1 | kNoFdReturned;
  if (what.direction == DeviceStateFd::kLoad) {
    load_was_blocking = (fcntl(message.fds[0].get(), F_GETFL) & O_NONBLOCK) == 0;
    load_ = std::move(message.fds[0]);
    return kNoFdReturned;
  }
  const ssize_t n = write(message.fds[0].get(), state.data(), state.size());
  return (n == static_cast<ssize_t>(state.size()) ? 0 : 1) | kNoFdReturned;
}

// Takes what is available and answers it, unless it is held.
bool FakeBackEnd::ServeRing(Ring& ring) {
  if (!ring.enabled) return false;
  const uint64_t kicks = ring.held || !ring.kick.valid() ? 0 : Signalled(ring.kick);
  ring.kicks_taken += kicks;
  const std::optional<uint16_t> available = ReadIndex(ring.address.available + 2);
  if (!available.has_value() || *available == static_cast<uint16_t>(ring.base)) return kicks > 0;
  if (ring.held) return false;
  ring.base = *available;
  WriteIndex(ring.address.used + 2, *available);
  const uint64_t one = 1;
  // A front-end may hand over what cannot be written, the read end of a pipe, say. That harms
  // nobody but itself; real back-ends go on.
  if (ring.call.valid() && write(ring.call.get(), &one, sizeof one) < 0) ++failed_calls;
  return true;
}

const Fd* FakeBackEnd::Locate(uint64_t address, off_t& at) const {
  for (uint32_t i = 0; i < memory.count; ++i) {
    const MemRegion& region = memory.regions[i];
    if (address < region.user_address || address - region.user_address >= region.size) continue;
    at = static_cast<off_t>(address - region.user_address + region.mmap_offset);
    return &files[i];
  }
  return nullptr;
}

std::optional<uint16_t> FakeBackEnd::ReadIndex(uint64_t address) const {
  off_t at = 0;
  uint16_t value = 0;
  const Fd* const file = Locate(address, at);
  if (file == nullptr || pread(file->get(), &value, sizeof value, at) != 2) return std::nullopt;
  return value;
}

void FakeBackEnd::WriteIndex(uint64_t address, uint16_t value) const {
  off_t at = 0;
  const Fd* const file = Locate(address, at);
  if (file == nullptr || pwrite(file->get(), &value, sizeof value, at) != 2) abort();
}

}  // namespace vuf::keeper
