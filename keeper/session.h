// The session of one back-end, and the front-ends that have it one after the other.
//
// To a front-end (QEMU) it is a complete vhost-user back-end: it remembers the device as that
// front-end describes it. To the back-end it is the one front-end that never leaves: it applies the
// device of the front-end that drives, when that one starts its rings. Control plane only: guest
// memory and eventfds pass through, no request of the guest does.
#ifndef VUFD_KEEPER_SESSION_H_
#define VUFD_KEEPER_SESSION_H_

#include <poll.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "keeper/back_end.h"
#include "keeper/front_end.h"
#include "keeper/hand_over.h"
#include "keeper/id.h"
#include "vuf/v1/keeper.pb.h"

namespace vuf::keeper {

inline constexpr size_t kMaxFrontEnds = 8;

// Why a session is over. The codes are vuf-keeper's exit codes.
struct End {
  static constexpr int kDriverLeft = 0;
  static constexpr int kBackEndGone = 3;
  int code = 0;
  std::string why;
};

struct SessionOptions {
  // How long a stop waits for the guest's requests under way.
  std::chrono::milliseconds drain_limit{500};
  // When the keeper started the back-end itself.
  int supervised_pid = 0;
};

// One thread. Everything that waits is driven by Dispatch.
class Session {
 public:
  // The back-end must have been negotiated with.
  Session(const SessionOptions& options, std::unique_ptr<BackEnd> back_end);

  // A connection to the endpoint's socket. Refused (closed) when there are too many.
  void Add(Fd socket, int pid);

  // What to poll for: fills up to kMaxPolled entries and returns how many.
  static constexpr size_t kMaxPolled = 2 + 2 * kMaxFrontEnds;  // two back-ends
  size_t Watch(std::array<pollfd, kMaxPolled>& out) const;
  // How long to poll at most; absent: no limit.
  std::optional<std::chrono::microseconds> Patience(Time now) const;
  // Does everything that can be done now without waiting.
  void Dispatch(Time now);
  // Set once, when the session is over.
  const std::optional<End>& end() const { return end_; }

  // The control service.
  Result Arm(const Permit& permit);
  Result Disarm(const std::string& permit);
  Result Fence(const std::string& permit);
  // Moves the session to `fresh`, which was negotiated with, by the device state. An error is at
  // once; otherwise the outcome is in replacement_result() when replacing() is over. Until it has
  // all of the state, any failure leaves the present back-end serving.
  Result BeginReplacement(std::unique_ptr<BackEnd> fresh, Time now);
  bool replacing() const { return replacement_.has_value(); }
  const Result& replacement_result() const { return replacement_result_; }
  // The back-end is the one that the session began with.
  bool has_first_back_end() const { return replacements_ == 0; }
  void Describe(Time now, v1::KeeperSession& out) const;
  // Rises with every change.
  uint64_t revision() const { return revision_; }

 private:
  // How long a disabled ring stays ready for whoever was woken by a kick before: only to get
  // through with the ring when the last kick was taken, else as long as a busy host may keep a
  // thread from running.
  static constexpr std::chrono::microseconds kSettled{250};
  static constexpr std::chrono::microseconds kUnsettled{50000};
  // kDisabling and kSettling lead to kStopping, the three together are a stop under way.
  enum class RingState { kStopped, kStarting, kRunning, kDisabling, kSettling, kStopping };
  // A stop that a front-end waits for.
  struct Stop {
    uint32_t front_end = 0;
    uint32_t ring = 0;
    // GET_VRING_BASE and not SET_VRING_ENABLE.
    bool wants_base = false;
    // The back-end was told.
    bool asked = false;
    Time begun;
    Time next_kick;
  };

  // A back-end that is being replaced, by `fresh`. From kDescribing on `fresh` is the one before.
  struct Replacement {
    enum class Step { kStopping, kMoving, kDescribing, kStarting };
    std::unique_ptr<BackEnd> fresh;
    Step step = Step::kStopping;
    Time begun;
    Time deadline;
  };

  // session.cc: connections and messages.
  FrontEnd* Find(uint32_t id);
  void HearBackEnd(Time now);
  void Read(FrontEnd& front_end, Time now);
  void Handle(FrontEnd& front_end, Message& message, Time now);
  bool HandleQuestion(FrontEnd& front_end, const Message& message);
  void Answer(FrontEnd& front_end, const Message& answer);
  void AnswerU64(FrontEnd& front_end, uint64_t value);
  // Answers with a u64 when the message asked for it.
  void Acknowledge(FrontEnd& front_end, uint64_t result);
  // Passes `message` on and the answer back.
  void Forward(FrontEnd& front_end, Message message);
  void Refuse(FrontEnd& front_end, const std::string& why);
  void Drop(FrontEnd& front_end, const std::string& why);
  void Finish(int code, const std::string& why);

  // session_settings.cc: the description of a device. Each returns what is wrong, or "".
  bool HandleSetting(FrontEnd& front_end, Message& message);
  uint64_t OfferedFeatures() const;
  std::string SetFeatures(FrontEnd& front_end, const Message& message);
  std::string SetLogBase(FrontEnd& front_end, const Message& message);
  std::string SetVringState(FrontEnd& front_end, const Message& message);
  std::string SetVringAddress(FrontEnd& front_end, const Message& message);
  std::string SetVringFd(FrontEnd& front_end, const Message& message);
  void ForwardSetting(FrontEnd& front_end, Message message);

  // session_rings.cc: starting and stopping.
  bool Drives(const FrontEnd& front_end) const { return driver_ == front_end.id; }
  // Some ring of this front-end's is served now.
  bool IsLive(const FrontEnd& front_end) const;
  bool AllStopped() const;
  bool AnyStopping() const;
  // The back-end was told to serve it, and not to stop.
  bool IsServed(uint32_t ring) const {
    return rings_[ring] == RingState::kStarting || rings_[ring] == RingState::kRunning;
  }
  void Enable(FrontEnd& front_end, uint32_t ring);
  std::string MayDrive(const FrontEnd& front_end);
  void BecomeDriver(FrontEnd& front_end);
  void StartDevice(FrontEnd& front_end);
  void StartRing(FrontEnd& front_end, uint32_t ring);
  void DescribeRing(const FrontEnd& front_end, uint32_t ring);
  void EnableRing(uint32_t ring);
  void Started(uint32_t ring, const Message* answer);
  void SignalCall(const FrontEnd& front_end, uint32_t ring);
  // Starts what was asked for while rings were being stopped.
  void StartPending();
  void Disable(FrontEnd& front_end, uint32_t ring, bool wants_base, Time now);
  std::optional<uint16_t> Index(const FrontEnd& front_end, uint64_t VringAddr::*area,
                                uint32_t ring) const;
  bool Drained(const FrontEnd& front_end, uint32_t ring) const;
  void GoOnStopping(Time now);
  // In two steps, `settle` apart.
  void AskToStop(uint32_t ring, std::chrono::microseconds settle);
  void KeepKicks() const;
  void AskForBase(uint32_t ring);
  void GoOnSettling(Time now);
  void Stopped(uint32_t ring, const Message* answer);
  void EndStop(FrontEnd& front_end, Time now);
  // What the back-end is told of a ring, with its addresses.
  std::optional<Message> AddressForBackEnd(const FrontEnd& front_end, uint32_t ring) const;
  void Tell(std::optional<Message> message);

  // session_state.cc: saving and loading.
  void SetDeviceState(FrontEnd& front_end, Message& message, Time now);
  void CheckDeviceState(FrontEnd& front_end, Time now);
  void CheckForwardedLoad(FrontEnd& front_end);
  void Save(FrontEnd& front_end, Fd pipe, Time now);
  void BeginLoad(FrontEnd& front_end, Fd pipe);
  void GoOnLoading(FrontEnd& front_end, Time now);
  void MarkerComplete(FrontEnd& front_end, Time now);
  void RefuseLoad(FrontEnd& front_end, const std::string& why);
  void NoteRefusal(const std::string& why);

  // session_replace.cc: another back-end under the running guest.
  std::string MayReplace(const BackEnd& fresh);
  void GoOnReplacing(Time now);
  void MoveState();
  void StartFresh();
  void EndReplacement(Result result);
  // The present back-end goes on.
  void GiveUpReplacement(const std::string& why);

  const SessionOptions options_;
  const Id instance_ = RandomId();
  const Id session_ = RandomId();
  std::unique_ptr<BackEnd> back_end_;
  std::array<FrontEnd, kMaxFrontEnds> front_ends_;
  uint32_t last_id_ = 0;
  // FrontEnd::id; 0: none (any more).
  uint32_t driver_ = 0;
  // There was a driver.
  bool begun_ = false;
  // Virtio features the session runs with, without LOG_ALL.
  uint64_t features_ = 0;
  std::array<RingState, kMaxRings> rings_ = {};
  // Of rings that are kDisabling or kSettling: what is kept signalled, if anything, since and until
  // when.
  std::array<Fd, kMaxRings> kept_kicks_;
  Time kept_since_;
  std::array<Time, kMaxRings> settled_at_ = {};
  // The `now` of the Dispatch that answers arrive in.
  Time dispatched_at_;
  // Something in the present start was refused by the back-end.
  uint64_t start_error_ = 0;
  // The ring whose start the driver waits for.
  std::optional<uint32_t> start_awaited_;
  std::optional<Stop> stop_;
  // All stops since the last start share it.
  std::optional<Time> stop_deadline_;
  HandOver hand_over_;
  std::optional<Replacement> replacement_;
  Result replacement_result_;
  uint64_t replacements_ = 0;
  std::chrono::microseconds last_replacement_{0};
  // Its connection is closed with the next Dispatch: an answer of its may be on the stack.
  std::unique_ptr<BackEnd> retired_;
  std::optional<End> end_;

  uint64_t revision_ = 1;
  std::string last_refusal_;
  std::chrono::microseconds last_drain_{0};
  uint64_t drain_timeouts_ = 0;
};

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_SESSION_H_
