// Another back-end under the running guest: the present one's rings are stopped, its device state
// goes to the fresh one through a pipe, and the rings are started there. The guest sees requests
// that take a little longer. docs/adr/0011 has what it rests on.
#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "keeper/log.h"
#include "keeper/session.h"

namespace vuf::keeper {
namespace {

// The guest's requests wait for so long at most before the present back-end serves them again.
constexpr std::chrono::seconds kMovingLimit{10};

}  // namespace

std::string Session::MayReplace(const BackEnd& fresh) {
  if (replacing()) return "another replacement is under way";
  if (hand_over_.phase() != HandOver::Phase::kNone) {
    return "permit " + hand_over_.permit().id + " is in force";
  }
  const FrontEnd* const driver = Find(driver_);
  if (driver == nullptr) return "there is no session to move";
  if (stop_.has_value()) return "rings are being stopped";
  for (const RingState state : rings_) {
    if (state != RingState::kStopped && state != RingState::kRunning) {
      return "rings are being started or stopped";
    }
  }
  if ((back_end_->protocol_features() & kDeviceState) == 0) {
    return "the present back-end lacks DEVICE_STATE";
  }
  if ((fresh.protocol_features() & kDeviceState) == 0) {
    return "the fresh back-end lacks DEVICE_STATE";
  }
  const uint64_t used = driver->features & ~kProtocolFeatures;
  if ((used & ~fresh.features()) != 0) return "the fresh back-end lacks virtio features in use";
  const uint64_t protocol = kMq | kLogShmfd;
  if ((back_end_->protocol_features() & ~fresh.protocol_features() & protocol) != 0 ||
      fresh.queues() < back_end_->queues()) {
    return "the fresh back-end lacks protocol features or queues of the present one";
  }
  return "";
}

Result Session::BeginReplacement(std::unique_ptr<BackEnd> fresh, Time now) {
  if (std::string why = MayReplace(*fresh); !why.empty()) return Result::Refused(why);
  Log(Level::kInfo, "the back-end is being replaced");
  replacement_ =
      Replacement{std::move(fresh), Replacement::Step::kStopping, now, now + options_.drain_limit};
  for (uint32_t ring = 0; ring < kMaxRings; ++ring) AskToStop(ring, kUnsettled);
  return Result::Ok();
}

void Session::GoOnReplacing(Time now) {
  using Step = Replacement::Step;
  replacement_->fresh->OnReadable();
  if (!replacing()) return;
  const Step step = replacement_->step;
  if ((step == Step::kStopping || step == Step::kMoving) && replacement_->fresh->lost()) {
    return GiveUpReplacement("the fresh back-end is gone: " + replacement_->fresh->problem());
  }
  if (step == Step::kStarting) {
    last_replacement_ =
        std::chrono::duration_cast<std::chrono::microseconds>(now - replacement_->begun);
    for (const RingState state : rings_) {
      if (state == RingState::kStarting) return;
    }
    return EndReplacement(Result::Ok());
  }
  if (now >= replacement_->deadline) {
    return GiveUpReplacement(step == Step::kStopping ? "a request outlasts the drain limit"
                                                     : "the state did not arrive in time");
  }
  if (step != Step::kStopping || !AllStopped()) return;
  // A back-end with threads may have taken requests that it has not answered when it stops.
  const FrontEnd* const driver = Find(driver_);
  for (uint32_t ring = 0; driver != nullptr && ring < kMaxRings; ++ring) {
    if (!driver->rings[ring].enabled) continue;
    const std::optional<uint16_t> used = Index(*driver, &VringAddr::used, ring);
    if (used != static_cast<uint16_t>(driver->rings[ring].base)) return;
  }
  replacement_->deadline = now + kMovingLimit;
  MoveState();
}

// From one to the other without a stop here. Each tells at its check how it went.
void Session::MoveState() {
  replacement_->step = Replacement::Step::kMoving;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return GiveUpReplacement("there is no pipe to be had");
  Message save = Message::Make(kSetDeviceStateFd, DeviceStateFd{DeviceStateFd::kSave, 0});
  Message load = Message::Make(kSetDeviceStateFd, DeviceStateFd{DeviceStateFd::kLoad, 0});
  load.Add(Fd(ends[0]));
  save.Add(Fd(ends[1]));
  replacement_->fresh->Ask(std::move(load), nullptr);
  back_end_->Ask(std::move(save), nullptr);
  back_end_->Ask(Message::Make(kCheckDeviceState), [this](const Message* answer) {
    if (!replacing() || replacement_->step != Replacement::Step::kMoving) return;
    if (!StateMoved(answer)) return GiveUpReplacement("the present back-end could not save");
    replacement_->fresh->Ask(Message::Make(kCheckDeviceState), [this](const Message* loaded) {
      if (!replacing() || replacement_->step != Replacement::Step::kMoving) return;
      if (!StateMoved(loaded)) return GiveUpReplacement("the fresh back-end could not load");
      StartFresh();
    });
  });
}

// Everything but the enabling of the rings can still be refused; with the first ring enabled there
// is no way back, for the fresh back-end may have served a request.
void Session::StartFresh() {
  FrontEnd* const driver = Find(driver_);
  if (driver == nullptr) return GiveUpReplacement("the front-end has left");
  replacement_->step = Replacement::Step::kDescribing;
  std::swap(back_end_, replacement_->fresh);
  StartDevice(*driver);
  for (uint32_t ring = 0; ring < kMaxRings; ++ring) {
    if (driver->rings[ring].enabled) DescribeRing(*driver, ring);
  }
  back_end_->Ask(Message::Make(kGetFeatures), [this](const Message* answer) {
    if (!replacing()) return;
    FrontEnd* const driver = Find(driver_);
    if (answer == nullptr || start_error_ != 0 || driver == nullptr) {
      return GiveUpReplacement("the fresh back-end refused the device");
    }
    replacement_->step = Replacement::Step::kStarting;
    ++replacements_;
    for (uint32_t ring = 0; ring < kMaxRings; ++ring) {
      if (driver->rings[ring].enabled) EnableRing(ring);
    }
  });
}

void Session::EndReplacement(Result result) {
  replacement_result_ = std::move(result);
  retired_ = std::move(replacement_->fresh);
  replacement_.reset();
  ++revision_;
}

void Session::GiveUpReplacement(const std::string& why) {
  Log(Level::kWarning, "the back-end was not replaced: " + why);
  if (replacement_->step == Replacement::Step::kDescribing) {
    std::swap(back_end_, replacement_->fresh);
  }
  EndReplacement(Result::Failed(why + "; the present back-end goes on"));
  StartPending();
}

}  // namespace vuf::keeper
