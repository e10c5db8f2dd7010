#include "keeper/back_end.h"

#include <poll.h>
#include <sys/stat.h>

#include <utility>

namespace vuf::keeper {
namespace {

// What passes through a keeper.
constexpr uint64_t kCarried = kMq | kLogShmfd | kReplyAck | kDeviceState;

bool HasAnswer(uint32_t request, uint64_t acknowledged) {
  switch (request) {
    case kGetFeatures:
    case kGetProtocolFeatures:
    case kGetQueueNum:
    case kGetVringBase:
    case kSetDeviceStateFd:
    case kCheckDeviceState:
      return true;
    case kSetLogBase:
      return (acknowledged & kLogShmfd) != 0;
    default:
      return false;
  }
}

}  // namespace

bool StateMoved(const Message* answer) {
  uint64_t result = 1;
  return answer != nullptr && answer->Get(result) && (result & ~kNoFdReturned) == 0;
}

uint64_t InodeOf(int fd) {
  struct stat about;
  return fstat(fd, &about) == 0 ? about.st_ino : 0;
}

BackEnd::BackEnd(Fd socket) : connection_(std::move(socket)), inode_(InodeOf(connection_.fd())) {}

void BackEnd::Lose(std::string problem) {
  if (lost_) return;
  lost_ = true;
  problem_ = std::move(problem);
  while (count_ > 0) {
    const Pending pending = Pop();
    if (pending.done) pending.done(nullptr);
  }
}

void BackEnd::Push(Pending pending) {
  pending_[(first_ + count_) % kMaxPending] = std::move(pending);
  ++count_;
}

BackEnd::Pending BackEnd::Pop() {
  Pending out = std::exchange(pending_[first_], Pending());
  first_ = (first_ + 1) % kMaxPending;
  --count_;
  if (!out.unsent) --sent_;
  return out;
}

void BackEnd::SendMore() {
  while (problem_.empty() && sent_ < count_ && sent_ < kWindow) {
    Pending& next = pending_[(first_ + sent_) % kMaxPending];
    const bool sent = connection_.Send(*next.unsent) &&
                      (!next.barrier || connection_.Send(Message::Make(kGetFeatures)));
    // One that cannot be sent is answered, with nothing, when the loss is noticed.
    if (!sent) problem_ = "it does not take requests";
    next.unsent.reset();
    ++sent_;
  }
}

void BackEnd::Ask(Message request, Done done) {
  const uint32_t number = request.header.request;
  const bool answered = HasAnswer(number, acknowledged_);
  const bool barrier = !answered && (acknowledged_ & kReplyAck) == 0;
  request.header.flags = kVersion | (answered || barrier ? 0 : kNeedReply);
  if (count_ == kMaxPending) {
    problem_ = "it has more to answer than any front-end asks";
    return;
  }
  Pending pending;
  pending.request = barrier ? uint32_t{kGetFeatures} : number;
  pending.unsent = std::make_unique<Message>(std::move(request));
  pending.done = std::move(done);
  pending.barrier = barrier;
  Push(std::move(pending));
  SendMore();
}

void BackEnd::Answered(const Message& answer) {
  const uint32_t request = answer.header.request;
  if (sent_ == 0 || pending_[first_].request != request || (answer.header.flags & kReply) == 0) {
    return Lose("it answered request " + std::to_string(request) + ", which was not asked");
  }
  // All are a u64 or a VringState, but this one's payload means nothing and differs.
  if (request != kSetLogBase && answer.header.size != sizeof(uint64_t)) {
    return Lose("its answer to request " + std::to_string(request) + " has " +
                std::to_string(answer.header.size) + " bytes");
  }
  const Pending pending = Pop();
  SendMore();
  if (!pending.done) return;
  if (!pending.barrier) return pending.done(&answer);
  const Message success = Message::Make(kGetFeatures, uint64_t{0});
  pending.done(&success);
}

void BackEnd::OnReadable() {
  while (!lost_) {
    Message answer;
    switch (connection_.Receive(answer)) {
      case Connection::Got::kMessage:
        Answered(answer);
        break;
      case Connection::Got::kNothing:
        // A request that could not be sent will never be answered.
        if (!problem_.empty()) Lose(problem_);
        return;
      case Connection::Got::kClosed:
        return Lose("it closed the connection");
      case Connection::Got::kBroken:
        return Lose(connection_.problem());
    }
  }
}

bool BackEnd::AwaitAnswer(uint32_t request, int limit_ms, Message& answer) {
  while (true) {
    const Connection::Got got = connection_.Receive(answer);
    if (got == Connection::Got::kMessage) {
      return answer.header.request == request && (answer.header.flags & kReply) != 0;
    }
    if (got != Connection::Got::kNothing) return false;
    pollfd wait = {connection_.fd(), POLLIN, 0};
    if (poll(&wait, 1, limit_ms) <= 0) return false;
  }
}

bool BackEnd::GetU64(uint32_t request, int limit_ms, uint64_t& out) {
  Message answer;
  return connection_.Send(Message::Make(request)) && AwaitAnswer(request, limit_ms, answer) &&
         answer.Get(out);
}

std::string BackEnd::Negotiate(int limit_ms) {
  if (!GetU64(kGetFeatures, limit_ms, features_)) return "it does not answer GET_FEATURES";
  if ((features_ & kProtocolFeatures) == 0) return "it has no protocol features";
  if (!GetU64(kGetProtocolFeatures, limit_ms, protocol_features_)) {
    return "it does not answer GET_PROTOCOL_FEATURES";
  }
  const uint64_t wanted = protocol_features_ & kCarried;
  if (!connection_.Send(Message::Make(kSetProtocolFeatures, wanted))) return "it has gone";
  acknowledged_ = wanted;
  uint64_t queues = 0;
  if ((wanted & kMq) != 0 && !GetU64(kGetQueueNum, limit_ms, queues)) {
    return "it does not answer GET_QUEUE_NUM";
  }
  queues_ = static_cast<uint32_t>(queues);
  if (!connection_.Send(Message::Make(kSetOwner))) return "it has gone";
  return "";
}

}  // namespace vuf::keeper
