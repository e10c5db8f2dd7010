// A QEMU as a back-end sees it: sends what QEMU sends, in its order. Lock-step: each call runs the
// session (`run`) until nothing more happens.
#ifndef VUFD_KEEPER_TESTING_FAKE_FRONT_END_H_
#define VUFD_KEEPER_TESTING_FAKE_FRONT_END_H_

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "keeper/testing/descriptors.h"
#include "keeper/wire.h"

namespace vuf::keeper {

// The guest's memory, which a destination on one host may share or have a copy of.
inline constexpr uint64_t kGuestMemory = uint64_t{256} * 1024;

class FakeFrontEnd {
 public:
  struct Options {
    uint64_t user_address = 0x7f0000000000;
    uint32_t queues = 2;
    bool need_reply = true;
  };

  // `socket` is its end of a connection. `memory` may be another one's.
  FakeFrontEnd(const Options& options, Fd socket, Fd memory, std::function<void()> run);

  // What QEMU does when the device is made; when its guest's driver starts it, the source runs or
  // the destination is continued; when it is stopped. False: an answer was an error, or none came.
  bool Realize();
  bool Start();
  bool Stop();
  bool Restart() { return Stop() && Start(); }
  // The parts of them.
  bool Describe();
  bool DescribeRing(uint32_t ring);
  bool Enable(uint32_t ring, bool on);
  std::optional<uint32_t> GetBase(uint32_t ring);
  bool SetMemory();
  bool SetLog(bool on);
  bool SetFd(uint32_t request, uint32_t ring, const Fd& fd);
  // The state as it came through the pipe. Absent: refused.
  std::optional<std::string> Save();
  bool Load(const std::string& state);
  bool Check();
  // SET_DEVICE_STATE_FD; takes the descriptor.
  bool TransferState(uint32_t direction, Fd pipe);

  // Sends it and returns the answer. Absent: none came.
  std::optional<Message> Ask(Message message);
  // Sends a request and wants u64 0, or no answer unless need_reply.
  bool Tell(Message message);
  void SendOnly(const Message& message) { connection_.Send(message); }
  bool Read();
  bool closed() const { return closed_; }
  void Close() { connection_.Close(); }
  std::optional<Message> TakeAnswer();
  size_t unread_answers() const { return answers_.size(); }

  // The guest makes a request available, or looks whether all are answered.
  void Submit(uint32_t ring, uint16_t count = 1);
  uint16_t Available(uint32_t ring) const { return Index(ring, 0x102); }
  uint16_t Used(uint32_t ring) const { return Index(ring, 0x202); }
  // The guest resets the device: its rings are as new.
  void ResetGuest();
  // What its user address is, as the back-end is shown it.
  VringAddr AddressAtBackEnd(uint32_t ring) const;

  uint64_t features = kProtocolFeatures | (1ull << 32) | (1ull << 29);
  std::vector<uint32_t> bases;
  std::vector<Fd> kicks;
  std::vector<Fd> calls;
  Fd memory;

 private:
  uint16_t Index(uint32_t ring, uint64_t offset) const;
  void SetIndex(uint32_t ring, uint64_t offset, uint16_t value);
  VringAddr Address(uint32_t ring, uint64_t origin) const;

  const Options options_;
  Connection connection_;
  std::function<void()> run_;
  std::deque<Message> answers_;
  bool closed_ = false;
  Fd log_ = Memory(4096);
};

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_TESTING_FAKE_FRONT_END_H_
