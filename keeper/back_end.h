// The keeper as the one front-end of the back-end: requests in order, each with its answer.
#ifndef VUFD_KEEPER_BACK_END_H_
#define VUFD_KEEPER_BACK_END_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "keeper/wire.h"

namespace vuf::keeper {

class BackEnd {
 public:
  // `answer` is null when the connection was lost before it came.
  using Done = std::function<void(const Message* answer)>;

  explicit BackEnd(Fd socket);

  // Asks for the features, acknowledges what a keeper uses, and claims the back-end; waits up to
  // `limit_ms`. Returns what failed, or "". What must be there: PROTOCOL_FEATURES of virtio, and
  // nothing else; `features()` and `protocol_features()` tell what is.
  std::string Negotiate(int limit_ms);

  // Sends a request and calls `done` with the answer from within OnReadable, never from here. A
  // request that has no answer of its own is sent so that there is one: success is a payload of
  // u64 0.
  void Ask(Message request, Done done);
  void OnReadable();

  bool lost() const { return lost_; }
  const std::string& problem() const { return problem_; }
  int fd() const { return connection_.fd(); }
  uint64_t inode() const { return inode_; }
  uint64_t features() const { return features_; }
  uint64_t protocol_features() const { return protocol_features_; }
  uint32_t queues() const { return queues_; }
  size_t unanswered() const { return count_; }

 private:
  struct Pending {
    uint32_t request = 0;
    // What was not sent yet.
    std::unique_ptr<Message> unsent;
    Done done;
    // The answer is the barrier's that was sent behind it, for a back-end without REPLY_ACK.
    bool barrier = false;
  };
  // Twice what starting and stopping every ring at once needs.
  static constexpr size_t kMaxPending = size_t{2} * 16 * kMaxRings;
  // What is sent unanswered: a back-end that does not read just now is not lost for that, as it
  // would be if its socket filled up (some 270 small messages, and a request may need two).
  static constexpr size_t kWindow = 64;

  void Push(Pending pending);
  Pending Pop();
  void SendMore();
  void Answered(const Message& answer);
  void Lose(std::string problem);
  bool GetU64(uint32_t request, int limit_ms, uint64_t& out);
  bool AwaitAnswer(uint32_t request, int limit_ms, Message& answer);

  Connection connection_;
  const uint64_t inode_;
  uint64_t features_ = 0;
  uint64_t protocol_features_ = 0;
  uint64_t acknowledged_ = 0;
  uint32_t queues_ = 0;
  std::array<Pending, kMaxPending> pending_;
  size_t first_ = 0;
  size_t count_ = 0;
  size_t sent_ = 0;
  bool lost_ = false;
  std::string problem_;
};

// Did a request about the device state go well? What SET_DEVICE_STATE_FD says of descriptors is no
// error.
bool StateMoved(const Message* answer);

// Inode of a socket.
uint64_t InodeOf(int fd);

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_BACK_END_H_
