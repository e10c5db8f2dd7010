#include "keeper/session.h"

#include <algorithm>
#include <utility>

#include "keeper/log.h"

namespace vuf::keeper {
namespace {

// What front-ends are offered. REPLY_ACK and DEVICE_STATE are the keeper's own.
uint64_t Offered(const BackEnd& back_end) {
  return (back_end.protocol_features() & (kMq | kLogShmfd)) | kReplyAck | kDeviceState;
}

std::string Name(const FrontEnd& front_end) {
  return "front-end " + std::to_string(front_end.id) + " (pid " + std::to_string(front_end.pid) +
         ")";
}

}  // namespace

Session::Session(const SessionOptions& options, std::unique_ptr<BackEnd> back_end)
    : options_(options), back_end_(std::move(back_end)), hand_over_(instance_) {}

void Session::Add(Fd socket, int pid) {
  for (FrontEnd& slot : front_ends_) {
    if (slot.connection.open()) continue;
    slot = FrontEnd();
    slot.id = ++last_id_;
    slot.pid = pid;
    slot.inode = InodeOf(socket.get());
    slot.connection = Connection(std::move(socket));
    ++revision_;
    return Log(Level::kInfo, Name(slot) + " has connected");
  }
  Log(Level::kWarning, "a connection of pid " + std::to_string(pid) + " was refused: " +
                           std::to_string(kMaxFrontEnds) + " front-ends are connected");
}

FrontEnd* Session::Find(uint32_t id) {
  for (FrontEnd& front_end : front_ends_) {
    if (front_end.id == id && front_end.connection.open()) return &front_end;
  }
  return nullptr;
}

size_t Session::Watch(std::array<pollfd, kMaxPolled>& out) const {
  size_t count = 0;
  out[count++] = {back_end_->fd(), POLLIN, 0};
  if (replacement_.has_value()) out[count++] = {replacement_->fresh->fd(), POLLIN, 0};
  for (const FrontEnd& front_end : front_ends_) {
    if (!front_end.connection.open()) continue;
    // One that waits for an answer is watched for its end all the same.
    const short events = front_end.busy || replacing() ? POLLRDHUP : POLLIN;
    out[count++] = {front_end.connection.fd(), events, 0};
    if (front_end.load.pipe.valid()) out[count++] = {front_end.load.pipe.get(), POLLIN, 0};
  }
  return count;
}

std::optional<std::chrono::microseconds> Session::Patience(Time now) const {
  if (replacement_.has_value()) return std::chrono::milliseconds(1);
  const bool settling =
      std::find(rings_.begin(), rings_.end(), RingState::kSettling) != rings_.end() ||
      std::any_of(kept_kicks_.begin(), kept_kicks_.end(),
                  [](const Fd& kick) { return kick.valid(); });
  // A front-end takes what is left of kicks soon after its stop, if at all.
  if (settling) {
    return std::clamp(
        std::chrono::duration_cast<std::chrono::microseconds>(now - kept_since_) / 256,
        std::chrono::microseconds(50), std::chrono::microseconds(5000));
  }
  if (!stop_.has_value()) return std::nullopt;
  // Rings are looked at, for nobody tells when the last answer is in them.
  if (!stop_->asked) return std::chrono::microseconds(100);
  return std::chrono::duration_cast<std::chrono::microseconds>(
      std::max(*stop_deadline_ - now, Clock::duration::zero()));
}

void Session::HearBackEnd(Time now) {
  back_end_->OnReadable();
  if (!back_end_->lost()) return GoOnSettling(now);
  if (replacing() && replacement_->step == Replacement::Step::kDescribing) {
    return GiveUpReplacement("the fresh back-end is gone: " + back_end_->problem());
  }
  Finish(End::kBackEndGone, "the back-end is gone: " + back_end_->problem());
}

void Session::Dispatch(Time now) {
  retired_.reset();
  dispatched_at_ = now;
  HearBackEnd(now);
  if (end_.has_value()) return;
  if (replacement_.has_value()) GoOnReplacing(now);
  if (stop_.has_value()) GoOnStopping(now);
  for (FrontEnd& front_end : front_ends_) {
    if (front_end.connection.open()) GoOnLoading(front_end, now);
    if (front_end.connection.open()) Read(front_end, now);
  }
  // What was asked just now may be answered, or could not be sent. An answer that a stop waits for
  // is dealt with here: with it read, nothing else would end the next poll before the deadline.
  HearBackEnd(now);
  if (stop_.has_value()) GoOnStopping(now);
}

// A busy front-end has one message under way; the next waits in its socket. So do all while the
// back-end is replaced.
void Session::Read(FrontEnd& front_end, Time now) {
  if (front_end.busy || replacing()) {
    pollfd look = {front_end.connection.fd(), POLLRDHUP, 0};
    if (poll(&look, 1, 0) == 1 && (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) {
      Drop(front_end, "it has left");
    }
    return;
  }
  while (front_end.connection.open() && !front_end.busy && !end_.has_value()) {
    Message message;
    switch (front_end.connection.Receive(message)) {
      case Connection::Got::kMessage:
        // One that comes after the answer to a stop comes after the taking of kicks, and messages
        // may follow one another without an end to this loop.
        KeepKicks();
        Handle(front_end, message, now);
        break;
      case Connection::Got::kNothing:
        return;
      case Connection::Got::kClosed:
        return Drop(front_end, "it has left");
      case Connection::Got::kBroken:
        return Drop(front_end, front_end.connection.problem());
    }
  }
}

void Session::Answer(FrontEnd& front_end, const Message& answer) {
  front_end.busy = false;
  Message out;
  out.header = {front_end.request, kVersion | kReply, answer.header.size};
  out.payload = answer.payload;
  if (!front_end.connection.Send(out)) Drop(front_end, "it does not take answers");
}

void Session::AnswerU64(FrontEnd& front_end, uint64_t value) {
  Answer(front_end, Message::Make(front_end.request, value));
}

void Session::Acknowledge(FrontEnd& front_end, uint64_t result) {
  front_end.busy = false;
  if (front_end.need_reply) AnswerU64(front_end, result);
}

void Session::Forward(FrontEnd& front_end, Message message) {
  front_end.busy = true;
  const uint32_t id = front_end.id;
  // Of a message about a ring.
  const uint8_t ring = message.payload[0];
  back_end_->Ask(std::move(message), [this, id, ring](const Message* answer) {
    FrontEnd* const waiting = Find(id);
    if (waiting == nullptr || answer == nullptr) return;
    if (waiting->request == kSetVringCall) SignalCall(*waiting, ring);
    const bool has_own = waiting->request == kSetLogBase || waiting->request == kSetDeviceStateFd ||
                         waiting->request == kCheckDeviceState;
    uint64_t result = 1;
    if (has_own) return Answer(*waiting, *answer);
    if (!answer->Get(result)) result = 1;
    Acknowledge(*waiting, result);
  });
}

void Session::Refuse(FrontEnd& front_end, const std::string& why) {
  NoteRefusal(Name(front_end) + " was refused: " + why);
  if (front_end.need_reply) AnswerU64(front_end, 1);
  if (front_end.connection.open()) Drop(front_end, "it was refused");
}

void Session::Drop(FrontEnd& front_end, const std::string& why) {
  Log(Level::kInfo, Name(front_end) + " is disconnected: " + why);
  ++revision_;
  hand_over_.Gone(front_end.inode);
  if (stop_.has_value() && stop_->front_end == front_end.id) stop_.reset();
  if (Drives(front_end)) {
    for (uint32_t ring = 0; ring < kMaxRings; ++ring) AskToStop(ring, kUnsettled);
    start_awaited_.reset();
    driver_ = 0;
    // The session waits for whoever brings the marker. The memory of the one that left is let go.
    if (hand_over_.saved_stateless()) {
      if (!front_end.memory.empty()) Tell(front_end.memory.Placeholder());
    } else {
      Finish(End::kDriverLeft, "the front-end that had the session has left");
    }
  }
  front_end = FrontEnd();
}

void Session::Finish(int code, const std::string& why) {
  if (end_.has_value()) return;
  end_ = End{code, why};
  ++revision_;
}

// Everything that is asked without being changed.
bool Session::HandleQuestion(FrontEnd& front_end, const Message& message) {
  switch (message.header.request) {
    case kGetFeatures:
      AnswerU64(front_end, OfferedFeatures());
      return true;
    case kGetProtocolFeatures:
      AnswerU64(front_end, Offered(*back_end_));
      return true;
    case kGetQueueNum:
      AnswerU64(front_end, std::min<uint64_t>(back_end_->queues(), kMaxRings));
      return true;
    default:
      return false;
  }
}

void Session::Handle(FrontEnd& front_end, Message& message, Time now) {
  front_end.busy = true;
  front_end.request = message.header.request;
  front_end.need_reply = message.need_reply();
  if (HandleQuestion(front_end, message) || HandleSetting(front_end, message)) return;
  VringState state;
  switch (message.header.request) {
    case kSetProtocolFeatures: {
      uint64_t wanted = 0;
      if (!message.Get(wanted) || (wanted & ~Offered(*back_end_)) != 0) {
        return Drop(front_end, "it wants protocol features that were not offered");
      }
      return Acknowledge(front_end, 0);
    }
    case kSetOwner:
      return Acknowledge(front_end, 0);
    case kSetVringEnable:
    case kGetVringBase:
      if (!message.Get(state) || state.index >= kMaxRings) return Drop(front_end, "no such ring");
      if (message.header.request == kSetVringEnable && state.num != 0) {
        return Enable(front_end, state.index);
      }
      return Disable(front_end, state.index, message.header.request == kGetVringBase, now);
    case kSetDeviceStateFd:
      return SetDeviceState(front_end, message, now);
    case kCheckDeviceState:
      return CheckDeviceState(front_end, now);
    default:
      Log(Level::kWarning, Name(front_end) + " sent request " +
                               std::to_string(message.header.request) + ", which was not offered");
      // Without an answer it cannot know that what it wanted was not done.
      if (front_end.need_reply) return AnswerU64(front_end, 1);
      return Drop(front_end, "it sent what cannot be refused otherwise");
  }
}

Result Session::Arm(const Permit& permit) {
  if (replacing()) return Result::Refused("the back-end is being replaced");
  if (hand_over_.phase() == HandOver::Phase::kNone) {
    const bool outgoing = permit.direction == Permit::Direction::kOutgoing;
    const FrontEnd* const driver = Find(driver_);
    if (outgoing && (driver == nullptr || driver->inode != permit.source)) {
      return Result::Refused("the connection with inode " + std::to_string(permit.source) +
                             " does not have the session");
    }
    if (!outgoing && begun_) return Result::Refused("the session has begun: it cannot be loaded");
    if (permit.mode == MarkerMode::kStateful &&
        (back_end_->protocol_features() & kDeviceState) == 0) {
      return Result::Refused("the back-end lacks DEVICE_STATE");
    }
  }
  Result result = hand_over_.Arm(permit);
  if (result.ok()) Log(Level::kInfo, "permit " + permit.id + " is armed");
  ++revision_;
  return result;
}

Result Session::Disarm(const std::string& permit) {
  const bool was_in_force = hand_over_.phase() != HandOver::Phase::kNone;
  Result result = hand_over_.Disarm(permit);
  ++revision_;
  if (!result.ok() || !was_in_force) return result;
  Log(Level::kInfo, "permit " + permit + " was taken back");
  if (begun_ && driver_ == 0) {
    Finish(End::kDriverLeft, "the permit was taken back and the front-end that saved has left");
  }
  return result;
}

Result Session::Fence(const std::string& permit) {
  Result result = hand_over_.Fence(permit);
  ++revision_;
  return result;
}

}  // namespace vuf::keeper
