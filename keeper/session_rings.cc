// Starting and stopping the rings at the back-end.
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "keeper/log.h"
#include "keeper/session.h"

namespace vuf::keeper {
namespace {

// A back-end may have lost a kick (vhost-user-backend before 0.22 does).
constexpr std::chrono::milliseconds kKickPeriod{5};

// Wakes whoever waits for the eventfd, without ever waiting itself.
void Signal(const Fd& fd) {
  if (!fd.valid()) return;
  pollfd look = {fd.get(), POLLOUT, 0};
  if (poll(&look, 1, 0) != 1 || (look.revents & POLLOUT) == 0) return;
  const uint64_t one = 1;
  // A descriptor that does not take it is one that nobody waits for.
  if (write(fd.get(), &one, sizeof one) < 0) return;
}

// Signalled, and not taken by whoever waits for it.
bool Pending(const Fd& fd) {
  pollfd look = {fd.get(), POLLIN, 0};
  return fd.valid() && poll(&look, 1, 0) == 1 && (look.revents & POLLIN) != 0;
}

std::string IndexText(const std::optional<uint16_t>& index) {
  return index.has_value() ? std::to_string(*index) : "unreadable";
}

Message WithFd(uint32_t request, uint32_t ring, const Fd& fd) {
  Fd copy = fd.Duplicate();
  Message out = Message::Make(request, uint64_t{ring} | (copy.valid() ? 0 : kVringNoFd));
  if (copy.valid()) out.Add(std::move(copy));
  return out;
}

}  // namespace

bool Session::AllStopped() const {
  return std::all_of(rings_.begin(), rings_.end(),
                     [](RingState state) { return state == RingState::kStopped; });
}

bool Session::AnyStopping() const {
  return std::any_of(rings_.begin(), rings_.end(), [](RingState state) {
    return state == RingState::kDisabling || state == RingState::kSettling ||
           state == RingState::kStopping;
  });
}

bool Session::IsLive(const FrontEnd& front_end) const {
  return Drives(front_end) && std::any_of(rings_.begin(), rings_.end(), [](RingState state) {
           return state == RingState::kStarting || state == RingState::kRunning;
         });
}

// Why this front-end may not start; "" when it may.
std::string Session::MayDrive(const FrontEnd& front_end) {
  if (front_end.fenced) return "the session was handed over to another front-end";
  if (Drives(front_end)) return hand_over_.TakeBack();
  const bool nominee =
      hand_over_.phase() == HandOver::Phase::kLoaded && hand_over_.nominee() == front_end.inode;
  if (!nominee) {
    if (begun_) return "it has not presented the marker of this session";
    if (hand_over_.phase() != HandOver::Phase::kNone) {
      return "the session is armed for a load that it has not done";
    }
    // Rings that were used before belong to a guest with a session, which is not the one here.
    const bool used = std::any_of(front_end.rings.begin(), front_end.rings.end(),
                                  [](const Ring& ring) { return ring.base != 0; });
    return used ? "its guest has used the device before, with a session that is not here" : "";
  }
  if (!begun_) return "";
  if (!AllStopped()) return "the rings of the front-end before it are still served";
  if ((front_end.features & ~kLogAll) != features_) {
    return "its virtio features are not those of the session";
  }
  return "";
}

void Session::BecomeDriver(FrontEnd& front_end) {
  ++revision_;
  if (FrontEnd* const before = Find(driver_); before != nullptr) before->fenced = true;
  if (hand_over_.phase() == HandOver::Phase::kLoaded) {
    Log(Level::kInfo, "front-end " + std::to_string(front_end.id) +
                          " has the session now, by permit " + hand_over_.permit().id);
    hand_over_.Complete();
  }
  driver_ = front_end.id;
  begun_ = true;
}

void Session::Enable(FrontEnd& front_end, uint32_t index) {
  if (Drives(front_end) && rings_[index] == RingState::kRunning) return Acknowledge(front_end, 0);
  if (Drives(front_end) && rings_[index] == RingState::kStarting) {
    start_awaited_ = index;
    return;
  }
  if (std::string why = MayDrive(front_end); !why.empty()) return Refuse(front_end, why);
  if (back_end_->queues() != 0 && index >= back_end_->queues()) {
    return Refuse(front_end, "the back-end has no such ring");
  }
  const Ring& ring = front_end.rings[index];
  const bool complete = ring.size > 0 && ring.has_address && ring.kick.valid() &&
                        AddressForBackEnd(front_end, index).has_value();
  if (!complete) return Refuse(front_end, "the ring was not described, or is not in its memory");
  if (!Drives(front_end)) BecomeDriver(front_end);
  front_end.rings[index].enabled = true;
  // A request of before its stop is still under way: the guest need not wait for it to go on.
  if (AnyStopping()) return Acknowledge(front_end, 0);
  if (AllStopped()) StartDevice(front_end);
  start_awaited_ = index;
  StartRing(front_end, index);
}

std::optional<Message> Session::AddressForBackEnd(const FrontEnd& front_end, uint32_t index) const {
  VringAddr address = front_end.rings[index].address;
  for (uint64_t VringAddr::*area :
       {&VringAddr::descriptors, &VringAddr::used, &VringAddr::available}) {
    const std::optional<uint64_t> there = front_end.memory.ToBackEnd(address.*area);
    if (!there.has_value()) return std::nullopt;
    address.*area = *there;
  }
  return Message::Make(kSetVringAddr, address);
}

// Part of a start. What the back-end refuses is told with the ring that is started.
void Session::Tell(std::optional<Message> message) {
  if (!message.has_value()) {
    start_error_ = 1;
    return;
  }
  back_end_->Ask(*std::move(message), [this](const Message* answer) {
    uint64_t result = 0;
    if (answer != nullptr && answer->header.request != kSetLogBase && answer->Get(result) &&
        result != 0) {
      Log(Level::kError, "the back-end refused a part of the start");
      start_error_ = result;
    }
  });
}

void Session::StartDevice(FrontEnd& front_end) {
  start_error_ = 0;
  stop_deadline_.reset();
  front_end.undrained = false;
  features_ = front_end.features & ~kLogAll;
  Tell(Message::Make(kSetFeatures, front_end.features));
  Tell(front_end.memory.ForBackEnd());
  if ((front_end.features & kLogAll) != 0 && front_end.log_fd.valid()) {
    Message log = Message::Make(kSetLogBase, front_end.log);
    if (Fd fd = front_end.log_fd.Duplicate(); fd.valid()) {
      log.Add(std::move(fd));
      Tell(std::move(log));
    } else {
      start_error_ = 1;
    }
  }
}

void Session::StartRing(FrontEnd& front_end, uint32_t index) {
  DescribeRing(front_end, index);
  EnableRing(index);
}

void Session::DescribeRing(const FrontEnd& front_end, uint32_t index) {
  const Ring& ring = front_end.rings[index];
  Tell(Message::Make(kSetVringNum, VringState{index, ring.size}));
  Tell(Message::Make(kSetVringBase, VringState{index, ring.base}));
  Tell(AddressForBackEnd(front_end, index));
  Tell(WithFd(kSetVringCall, index, ring.call));
  if (ring.error.valid()) Tell(WithFd(kSetVringErr, index, ring.error));
  // Whoever was woken before the last stop and did not get to run since finds a kick, too.
  Signal(ring.kick);
  Tell(WithFd(kSetVringKick, index, ring.kick));
}

void Session::EnableRing(uint32_t index) {
  rings_[index] = RingState::kStarting;
  ++revision_;
  back_end_->Ask(Message::Make(kSetVringEnable, VringState{index, 1}),
                 [this, index](const Message* answer) { Started(index, answer); });
}

void Session::Started(uint32_t index, const Message* answer) {
  uint64_t result = 1;
  if (answer == nullptr || !answer->Get(result)) return;
  if (result == 0) result = start_error_;
  if (result != 0) Log(Level::kError, "the back-end did not start ring " + std::to_string(index));
  if (rings_[index] == RingState::kStarting) rings_[index] = RingState::kRunning;
  FrontEnd* const front_end = Find(driver_);
  if (front_end == nullptr) return;
  const Ring& ring = front_end->rings[index];
  // A kick before the ring was enabled may have been lost, and an interrupt that was signalled to
  // the front-end before was. One too many of either does no harm.
  Signal(ring.kick);
  Signal(ring.call);
  if (start_awaited_ != index) return;
  start_awaited_.reset();
  if (result != 0 && !front_end->need_reply) {
    return Drop(*front_end, "the back-end refused the start, and there is no other way to say so");
  }
  Acknowledge(*front_end, result);
}

// QEMU's vhost-user-fs starts its rings with a notifier that it does not read, and then gives the
// one that it does (seen with 10.0). What was signalled to the first is not lost thereby.
void Session::SignalCall(const FrontEnd& front_end, uint32_t ring) {
  if (ring < kMaxRings) Signal(front_end.rings[ring].call);
}

void Session::StartPending() {
  FrontEnd* const front_end = Find(driver_);
  if (front_end == nullptr || AnyStopping() || replacement_.has_value()) return;
  for (uint32_t index = 0; index < kMaxRings; ++index) {
    if (!front_end->rings[index].enabled || rings_[index] != RingState::kStopped) continue;
    if (AllStopped()) StartDevice(*front_end);
    StartRing(*front_end, index);
  }
}

std::optional<uint16_t> Session::Index(const FrontEnd& front_end, uint64_t VringAddr::*area,
                                       uint32_t index) const {
  // Both areas begin with 16 bits of flags, then comes the index (virtio 1.2, 2.7.6 and 2.7.8).
  return front_end.memory.Read16(front_end.rings[index].address.*area + 2);
}

bool Session::Drained(const FrontEnd& front_end, uint32_t index) const {
  const std::optional<uint16_t> available = Index(front_end, &VringAddr::available, index);
  return available.has_value() && available == Index(front_end, &VringAddr::used, index);
}

// The guest does not run, or has reset the device: nothing new comes, and what is under way is
// waited for, because nobody could answer it after the hand-over.
void Session::Disable(FrontEnd& front_end, uint32_t index, bool wants_base, Time now) {
  Ring& ring = front_end.rings[index];
  ring.enabled = false;
  if (!Drives(front_end) || !IsServed(index)) {
    if (wants_base) return Answer(front_end, Message::Make(0, VringState{index, ring.base}));
    return Acknowledge(front_end, 0);
  }
  if (!stop_deadline_.has_value()) stop_deadline_ = now + options_.drain_limit;
  stop_ = Stop{front_end.id, index, wants_base, false, now, now + kKickPeriod};
  GoOnStopping(now);
}

void Session::GoOnStopping(Time now) {
  FrontEnd* const front_end = Find(stop_->front_end);
  if (front_end == nullptr) return stop_.reset();
  const uint32_t index = stop_->ring;
  if (rings_[index] == RingState::kStopped) return EndStop(*front_end, now);
  // With its last kick taken it can be stopped at once, see AskToStop.
  if (!stop_->asked && Drained(*front_end, index) && !Pending(front_end->rings[index].kick)) {
    AskToStop(index, kSettled);
  }
  if (now < *stop_deadline_) {
    if (!stop_->asked && now >= stop_->next_kick) {
      Signal(front_end->rings[index].kick);
      stop_->next_kick = now + kKickPeriod;
    }
    return;
  }
  ++drain_timeouts_;
  front_end->undrained = true;
  Log(Level::kWarning, "ring " + std::to_string(index) +
                           " has a request under way that outlasts the drain limit: " +
                           "this stop cannot be saved (available " +
                           IndexText(Index(*front_end, &VringAddr::available, index)) + ", used " +
                           IndexText(Index(*front_end, &VringAddr::used, index)) + ")");
  AskToStop(index, kUnsettled);
  // What is used so far. The back-end's own answer takes its place when it comes.
  const std::optional<uint16_t> used = Index(*front_end, &VringAddr::used, index);
  Ring& ring = front_end->rings[index];
  ring.base = ring.base_at_stop = used.value_or(ring.base);
  EndStop(*front_end, now);
}

// virtiofsd's worker ends for good, silently, when it was woken by a kick that it then does not
// find (QEMU takes those that are left when a stop is answered), or when the ring of a kick is no
// longer ready. So a ring whose last kick was not taken has one all the time, and is disabled but
// ready, until whoever was woken is through with it. One that is disabled is not served again
// without a whole start.
void Session::AskToStop(uint32_t index, std::chrono::microseconds settle) {
  if (stop_.has_value() && stop_->ring == index) stop_->asked = true;
  if (!IsServed(index)) return;
  rings_[index] = RingState::kDisabling;
  if (FrontEnd* const driver = Find(driver_); driver != nullptr) {
    Ring& ring = driver->rings[index];
    ring.base_at_stop = ring.base;
    if (settle != kSettled) kept_kicks_[index] = ring.kick.Duplicate();
    kept_since_ = dispatched_at_;
  }
  back_end_->Ask(Message::Make(kSetVringEnable, VringState{index, 0}),
                 [this, index, settle](const Message* answer) {
                   if (answer == nullptr) return;
                   rings_[index] = RingState::kSettling;
                   settled_at_[index] = dispatched_at_ + settle;
                 });
}

void Session::KeepKicks() const {
  for (const Fd& kick : kept_kicks_) {
    if (kick.valid() && !Pending(kick)) Signal(kick);
  }
}

void Session::GoOnSettling(Time now) {
  KeepKicks();
  for (uint32_t index = 0; index < kMaxRings; ++index) {
    if (rings_[index] == RingState::kSettling && now >= settled_at_[index]) AskForBase(index);
  }
}

void Session::AskForBase(uint32_t index) {
  kept_kicks_[index].Close();
  rings_[index] = RingState::kStopping;
  back_end_->Ask(Message::Make(kGetVringBase, VringState{index, 0}),
                 [this, index](const Message* answer) { Stopped(index, answer); });
}

void Session::Stopped(uint32_t index, const Message* answer) {
  VringState state;
  if (answer == nullptr || !answer->Get(state)) return;
  rings_[index] = RingState::kStopped;
  ++revision_;
  FrontEnd* const front_end = Find(driver_);
  if (front_end == nullptr) return;
  Ring& ring = front_end->rings[index];
  const std::optional<uint16_t> used = Index(*front_end, &VringAddr::used, index);
  const bool waited_for = stop_.has_value() && stop_->ring == index;
  // One that was given up at the limit has been told its used index; if it wants to start there,
  // it means here. A guest that has begun anew says another one.
  if (ring.base == ring.base_at_stop) ring.base = state.num;
  if (waited_for && used != static_cast<uint16_t>(state.num)) {
    front_end->undrained = true;
    Log(Level::kWarning, "ring " + std::to_string(index) + " was stopped with a request under way");
  }
  StartPending();
}

void Session::EndStop(FrontEnd& front_end, Time now) {
  const Stop stop = *std::exchange(stop_, std::nullopt);
  last_drain_ = std::chrono::duration_cast<std::chrono::microseconds>(now - stop.begun);
  ++revision_;
  if (!stop.wants_base) return Acknowledge(front_end, 0);
  const uint32_t base = front_end.rings[stop.ring].base;
  Answer(front_end, Message::Make(0, VringState{stop.ring, base}));
}

}  // namespace vuf::keeper
