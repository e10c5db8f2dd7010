#include "keeper/testing/fake_front_end.h"

#include <cstdlib>
#include <utility>

namespace vuf::keeper {
namespace {

constexpr uint64_t kRingSpace = 0x400;
constexpr uint64_t kBackEndBase = 0x100000000000ull;

}  // namespace

FakeFrontEnd::FakeFrontEnd(const Options& options, Fd socket, Fd guest_memory,
                           std::function<void()> run)
    : memory(std::move(guest_memory)),
      options_(options),
      connection_(std::move(socket)),
      run_(std::move(run)) {
  for (uint32_t i = 0; i < options_.queues; ++i) {
    bases.push_back(0);
    kicks.push_back(EventFd());
    calls.push_back(EventFd());
  }
}

bool FakeFrontEnd::Read() {
  bool got = false;
  Message message;
  while (connection_.open()) {
    const Connection::Got what = connection_.Receive(message);
    if (what == Connection::Got::kNothing) break;
    got = true;
    if (what == Connection::Got::kMessage) {
      answers_.push_back(std::move(message));
      message = Message();
      continue;
    }
    closed_ = true;
    connection_.Close();
  }
  return got;
}

std::optional<Message> FakeFrontEnd::TakeAnswer() {
  if (answers_.empty()) return std::nullopt;
  Message out = std::move(answers_.front());
  answers_.pop_front();
  return out;
}

std::optional<Message> FakeFrontEnd::Ask(Message message) {
  if (!connection_.Send(message)) return std::nullopt;
  run_();
  std::optional<Message> answer = TakeAnswer();
  if (answer.has_value() && answer->header.request != message.header.request) abort();
  return answer;
}

bool FakeFrontEnd::Tell(Message message) {
  if (options_.need_reply) message.header.flags |= kNeedReply;
  const bool answered = options_.need_reply || message.header.request == kSetLogBase;
  const std::optional<Message> answer = Ask(std::move(message));
  uint64_t result = 1;
  if (!answered) return !answer.has_value() && !closed_;
  return answer.has_value() && answer->Get(result) && result == 0;
}

VringAddr FakeFrontEnd::Address(uint32_t ring, uint64_t origin) const {
  const uint64_t at = origin + ring * kRingSpace;
  return {ring, 0, at, at + 0x200, at + 0x100, 0};
}

VringAddr FakeFrontEnd::AddressAtBackEnd(uint32_t ring) const {
  return Address(ring, kBackEndBase);
}

uint16_t FakeFrontEnd::Index(uint32_t ring, uint64_t offset) const {
  uint16_t out = 0;
  const auto at = static_cast<off_t>(ring * kRingSpace + offset);
  if (pread(memory.get(), &out, sizeof out, at) != sizeof out) abort();
  return out;
}

void FakeFrontEnd::SetIndex(uint32_t ring, uint64_t offset, uint16_t value) {
  const auto at = static_cast<off_t>(ring * kRingSpace + offset);
  if (pwrite(memory.get(), &value, sizeof value, at) != sizeof value) abort();
}

void FakeFrontEnd::Submit(uint32_t ring, uint16_t count) {
  SetIndex(ring, 0x102, static_cast<uint16_t>(Available(ring) + count));
}

void FakeFrontEnd::ResetGuest() {
  for (uint32_t i = 0; i < options_.queues; ++i) {
    SetIndex(i, 0x102, 0);
    SetIndex(i, 0x202, 0);
    bases[i] = 0;
  }
}

bool FakeFrontEnd::Realize() {
  for (const uint32_t request : {kGetFeatures, kGetProtocolFeatures, kGetQueueNum}) {
    if (!Ask(Message::Make(request)).has_value()) return false;
  }
  bool ok = Tell(Message::Make(kSetProtocolFeatures, kMq | kLogShmfd | kReplyAck | kDeviceState)) &&
            Tell(Message::Make(kSetOwner));
  for (uint32_t i = 0; i < options_.queues; ++i) ok = ok && SetFd(kSetVringCall, i, calls[i]);
  return ok;
}

bool FakeFrontEnd::SetFd(uint32_t request, uint32_t ring, const Fd& fd) {
  Message message = Message::Make(request, uint64_t{ring} | (fd.valid() ? 0 : kVringNoFd));
  if (fd.valid()) message.Add(fd.Duplicate());
  return Tell(std::move(message));
}

// Two regions, as a PC has below and above 4 GiB.
bool FakeFrontEnd::SetMemory() {
  MemTable table;
  table.count = 2;
  table.regions[0] = {0, kGuestMemory / 2, options_.user_address, 0};
  table.regions[1] = {1ull << 32, kGuestMemory / 2, options_.user_address + (1ull << 32),
                      kGuestMemory / 2};
  Message message = Message::Make(kSetMemTable, table);
  message.header.size = 8 + 2 * sizeof(MemRegion);
  message.Add(memory.Duplicate());
  message.Add(memory.Duplicate());
  return Tell(std::move(message));
}

bool FakeFrontEnd::SetLog(bool on) {
  features = on ? features | kLogAll : features & ~kLogAll;
  if (on) {
    Message log = Message::Make(kSetLogBase, LogBase{4096, 0});
    log.Add(log_.Duplicate());
    if (!Tell(std::move(log))) return false;
  }
  return Tell(Message::Make(kSetFeatures, features));
}

bool FakeFrontEnd::DescribeRing(uint32_t ring) {
  return Tell(Message::Make(kSetVringNum, VringState{ring, 128})) &&
         Tell(Message::Make(kSetVringBase, VringState{ring, bases[ring]})) &&
         Tell(Message::Make(kSetVringAddr, Address(ring, options_.user_address))) &&
         SetFd(kSetVringKick, ring, kicks[ring]) && SetFd(kSetVringCall, ring, calls[ring]);
}

bool FakeFrontEnd::Describe() {
  bool ok = Tell(Message::Make(kSetFeatures, features)) && SetMemory();
  for (uint32_t i = 0; i < options_.queues; ++i) ok = ok && DescribeRing(i);
  return ok;
}

bool FakeFrontEnd::Enable(uint32_t ring, bool on) {
  return Tell(Message::Make(kSetVringEnable, VringState{ring, on ? 1u : 0u}));
}

bool FakeFrontEnd::Start() {
  bool ok = Describe();
  for (uint32_t i = 0; i < options_.queues; ++i) ok = ok && Enable(i, true);
  return ok;
}

std::optional<uint32_t> FakeFrontEnd::GetBase(uint32_t ring) {
  const std::optional<Message> answer = Ask(Message::Make(kGetVringBase, VringState{ring, 0}));
  VringState state;
  if (!answer.has_value() || !answer->Get(state) || state.index != ring) return std::nullopt;
  return state.num;
}

bool FakeFrontEnd::Stop() {
  bool ok = true;
  for (uint32_t i = 0; i < options_.queues; ++i) ok = Enable(i, false) && ok;
  for (uint32_t i = 0; i < options_.queues; ++i) {
    const std::optional<uint32_t> base = GetBase(i);
    ok = ok && base.has_value();
    bases[i] = base.value_or(bases[i]);
  }
  return ok;
}

bool FakeFrontEnd::TransferState(uint32_t direction, Fd pipe) {
  Message message = Message::Make(kSetDeviceStateFd, DeviceStateFd{direction, 0});
  message.Add(std::move(pipe));
  const std::optional<Message> answer = Ask(std::move(message));
  uint64_t result = 1;
  return answer.has_value() && answer->Get(result) && result == kNoFdReturned;
}

bool FakeFrontEnd::Check() {
  const std::optional<Message> answer = Ask(Message::Make(kCheckDeviceState));
  uint64_t result = 1;
  return answer.has_value() && answer->Get(result) && result == 0;
}

std::optional<std::string> FakeFrontEnd::Save() {
  Pipe pipe = MakePipe();
  if (!TransferState(DeviceStateFd::kSave, std::move(pipe.write))) return std::nullopt;
  std::string out;
  char buffer[4096];
  for (ssize_t n; (n = read(pipe.read.get(), buffer, sizeof buffer)) > 0;) {
    out.append(buffer, static_cast<size_t>(n));
  }
  if (!Check()) return std::nullopt;
  return out;
}

bool FakeFrontEnd::Load(const std::string& state) {
  Pipe pipe = MakePipe();
  if (!TransferState(DeviceStateFd::kLoad, std::move(pipe.read))) return false;
  const ssize_t n = write(pipe.write.get(), state.data(), state.size());
  if (n != static_cast<ssize_t>(state.size())) return false;
  run_();
  pipe.write.Close();
  return Check();
}

}  // namespace vuf::keeper
