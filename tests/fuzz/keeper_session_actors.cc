#include "tests/fuzz/keeper_session_actors.h"

#include <poll.h>

#include <cstring>
#include <iterator>
#include <utility>

#include "keeper/testing/fake_back_end.h"

namespace vuf::keeper {
namespace {

Fd AnyFd(Input& input) {
  switch (input.Byte() % 5) {
    case 0:
      return Memory(input.Byte() * 256);
    case 1:
      return MakePipe().read;
    case 2:
      return MakePipe().write;
    case 3:
      return std::move(SocketPair().first);
    default:
      return EventFd();
  }
}

}  // namespace

uint32_t AnyRequest(Input& input) {
  static constexpr uint32_t kRequests[] = {kGetFeatures,
                                           kSetFeatures,
                                           kSetOwner,
                                           kSetMemTable,
                                           kSetLogBase,
                                           kSetVringNum,
                                           kSetVringAddr,
                                           kSetVringBase,
                                           kGetVringBase,
                                           kSetVringKick,
                                           kSetVringCall,
                                           kSetVringErr,
                                           kGetQueueNum,
                                           kGetProtocolFeatures,
                                           kSetProtocolFeatures,
                                           kSetVringEnable,
                                           kSetDeviceStateFd,
                                           kCheckDeviceState,
                                           kSetLogFd,
                                           0,
                                           37};
  return kRequests[input.Byte() % std::size(kRequests)];
}

uint8_t Input::Byte() {
  if (size_ == 0) return 0;
  --size_;
  return *data_++;
}

// Mostly small ones and powers of two, which is where things happen.
uint64_t Input::Number() {
  const uint8_t kind = Byte();
  if (kind < 128) return kind;
  if (kind < 192) return 1ull << (kind & 63);
  uint64_t out = 0;
  Fill(reinterpret_cast<uint8_t*>(&out), sizeof out);
  return out;
}

void Input::Fill(uint8_t* to, size_t count) {
  for (size_t i = 0; i < count; ++i) to[i] = Byte();
}

bool Anyone::Send(Message message, bool need_reply) {
  if (need_reply) message.header.flags |= kNeedReply;
  if (!connection.Send(message)) return false;
  owed += need_reply || HasOwnAnswer(message.header.request) ? 1 : 0;
  return true;
}

bool Anyone::SetMemory() {
  MemTable table;
  table.count = 1;
  table.regions[0] = {0, 64 * 1024, user_address, 0};
  Message message = Message::Make(kSetMemTable, table);
  message.header.size = 8 + sizeof(MemRegion);
  message.Add(memory.Duplicate());
  return Send(std::move(message), false);
}

void Anyone::Describe(uint64_t features, uint32_t rings, uint32_t base) {
  Send(Message::Make(kSetFeatures, features), false);
  SetMemory();
  for (uint32_t ring = 0; ring < rings; ++ring) {
    const uint64_t at = user_address + ring * 0x400;
    Send(Message::Make(kSetVringNum, VringState{ring, 128}), false);
    Send(Message::Make(kSetVringBase, VringState{ring, base}), false);
    Send(Message::Make(kSetVringAddr, VringAddr{ring, 0, at, at + 0x200, at + 0x100, 0}), false);
    for (const uint32_t request : {kSetVringKick, kSetVringCall}) {
      Message fd = Message::Make(request, uint64_t{ring});
      fd.Add(EventFd());
      Send(std::move(fd), false);
    }
  }
}

void Anyone::SubmitOn(uint32_t ring, uint16_t available) {
  (void)pwrite(memory.get(), &available, sizeof available, ring * 0x400 + 0x102);
}

bool Anyone::SendAnything(Input& input) {
  Message message = Message::Make(AnyRequest(input));
  const bool table = message.header.request == kSetMemTable;
  const uint8_t shape = input.Byte();
  constexpr uint32_t kSizes[] = {8, 8, 8, 40, 40, 16, 0, 72};
  message.header.size = kSizes[shape & 7];
  message.payload.fill(0);
  for (size_t i = 0; i < message.header.size; i += 8) {
    const uint64_t number = input.Number();
    memcpy(&message.payload[i], &number, sizeof number);
  }
  constexpr size_t kFds[] = {0, 0, 1, 1, 1, 2, 0, kMaxFds};
  for (size_t i = 0; i < kFds[(shape >> 3) & 7]; ++i) message.Add(AnyFd(input));
  Send(std::move(message), (shape & 64) != 0);
  return table;
}

void Anyone::SendRing(Input& input, uint32_t request, uint32_t value) {
  const uint8_t how = input.Byte();
  Send(Message::Make(request, VringState{how & 1u, value}), (how & 2) != 0);
}

void Anyone::Save() {
  saving = MakePipe();
  Message message = Message::Make(kSetDeviceStateFd, DeviceStateFd{DeviceStateFd::kSave, 0});
  message.Add(std::move(saving.write));
  Send(std::move(message), false);
}

void Anyone::TakeSaved(std::string& out) {
  char buffer[512];
  pollfd look = {saving.read.get(), POLLIN, 0};
  if (poll(&look, 1, 0) != 1 || (look.revents & POLLIN) == 0) return;
  const ssize_t n = read(saving.read.get(), buffer, sizeof buffer);
  if (n > 0) out.assign(buffer, static_cast<size_t>(n));
}

void Anyone::Load(Input& input, std::string state) {
  const uint8_t spoil = input.Byte();
  if (spoil > 128 && !state.empty()) state[spoil % state.size()] ^= input.Byte();
  if (spoil == 128) state.resize(input.Byte());
  Pipe pipe = MakePipe();
  (void)!write(pipe.write.get(), state.data(), state.size());
  Message message = Message::Make(kSetDeviceStateFd, DeviceStateFd{DeviceStateFd::kLoad, 0});
  message.Add(std::move(pipe.read));
  Send(std::move(message), false);
}

void Anyone::ReadAnswers() {
  Message message;
  Connection::Got got = Connection::Got::kMessage;
  while (connection.open() && got == Connection::Got::kMessage) {
    got = connection.Receive(message);
    if (got == Connection::Got::kMessage) --owed;
  }
  if (got == Connection::Got::kClosed || got == Connection::Got::kBroken) connection.Close();
}

}  // namespace vuf::keeper
