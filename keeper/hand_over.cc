#include "keeper/hand_over.h"

#include <utility>

namespace vuf::keeper {
namespace {

std::string Other(const std::string& in_force, const std::string& named) {
  return "permit " + in_force + " is in force, not " + named;
}

}  // namespace

void HandOver::Clear() {
  phase_ = Phase::kNone;
  permit_ = Permit();
  issued_ = Marker();
  fenced_ = false;
  nominee_ = 0;
}

Result HandOver::Arm(const Permit& permit) {
  if (phase_ == Phase::kNone) {
    if (permit.id == handed_over_) {
      return Result::Refused("permit " + permit.id + " was used: a permit is for one hand-over");
    }
    permit_ = permit;
    phase_ = Phase::kArmed;
    return Result::Ok();
  }
  if (permit.id != permit_.id) return Result::Refused(Other(permit_.id, permit.id));
  if (permit.mode != permit_.mode || permit.direction != permit_.direction ||
      permit.source != permit_.source) {
    return Result::Refused("permit " + permit.id +
                           " is in force with another mode, direction or source");
  }
  if (phase_ == Phase::kLoaded && permit.destination != permit_.destination) {
    return Result::Refused("permit " + permit.id + ": the destination has loaded already");
  }
  permit_ = permit;
  return Result::Ok();
}

Result HandOver::Disarm(const std::string& permit) {
  if (permit == handed_over_) {
    return Result::Refused("permit " + permit + " was used: the new front-end drives");
  }
  if (phase_ == Phase::kNone) return Result::Ok();
  if (permit != permit_.id) return Result::Refused(Other(permit_.id, permit));
  Clear();
  return Result::Ok();
}

Result HandOver::Fence(const std::string& permit) {
  if (permit == handed_over_) return Result::Ok();
  if (phase_ == Phase::kNone) return Result::Refused("no permit is in force");
  if (permit != permit_.id) return Result::Refused(Other(permit_.id, permit));
  const bool stateless = permit_.mode == MarkerMode::kStateless;
  if (stateless && phase_ != Phase::kLoaded) {
    return Result::Refused("no front-end has loaded the marker of permit " + permit);
  }
  if (!stateless && permit_.direction == Permit::Direction::kOutgoing && phase_ != Phase::kSaved) {
    return Result::Refused("nothing was saved under permit " + permit);
  }
  if (!stateless && permit_.direction == Permit::Direction::kIncoming && phase_ != Phase::kLoaded) {
    return Result::Refused("nothing was loaded under permit " + permit);
  }
  fenced_ = true;
  return Result::Ok();
}

std::string HandOver::Expired(Time now) const {
  return now < permit_.expires ? "" : "permit " + permit_.id + " has expired";
}

std::string HandOver::MaySave(Time now, uint64_t who) const {
  if (phase_ == Phase::kNone) return "no permit is armed";
  if (permit_.direction != Permit::Direction::kOutgoing) return "the permit is for a load";
  if (phase_ != Phase::kArmed) return "permit " + permit_.id + " was used for a save already";
  if (who != permit_.source) return "the permit names another front-end as the source";
  return Expired(now);
}

MarkerBytes HandOver::Save(const Id& session) {
  issued_.mode = permit_.mode;
  issued_.instance = instance_;
  issued_.session = session;
  issued_.permit = permit_.id;
  issued_.nonce = RandomId();
  phase_ = Phase::kSaved;
  return Encode(issued_);
}

std::string HandOver::Load(Time now, uint64_t who, const Id& session, const MarkerBytes& bytes) {
  Marker presented;
  if (std::string bad = Decode(bytes, presented); !bad.empty()) return bad;
  // Whose marker it is says more than the phase does.
  if (presented.mode == MarkerMode::kStateless) {
    Marker mine = issued_;
    mine.mode = presented.mode;
    mine.instance = instance_;
    mine.session = session;
    if (phase_ == Phase::kNone || phase_ == Phase::kArmed) {
      mine.permit = presented.permit;
      mine.nonce = presented.nonce;
    }
    if (std::string other = Difference(mine, presented); !other.empty()) return other;
  }
  if (phase_ == Phase::kNone) return "no permit is in force: the marker was used, or taken back";
  if (presented.mode != permit_.mode) return "the permit is for the other mode";
  const bool stateless = permit_.mode == MarkerMode::kStateless;
  if (!stateless && permit_.direction != Permit::Direction::kIncoming) {
    return "the permit is for a save";
  }
  if (phase_ == Phase::kLoaded) return "another front-end has loaded under this permit";
  if (phase_ != (stateless ? Phase::kSaved : Phase::kArmed)) {
    return "no marker was issued under this permit yet";
  }
  if (!stateless && presented.permit != permit_.id) return "the state is of another permit";
  if (permit_.destination != 0 && who != permit_.destination) {
    return "the permit names another front-end as the destination";
  }
  if (std::string expired = Expired(now); !expired.empty()) return expired;
  phase_ = Phase::kLoaded;
  nominee_ = who;
  return "";
}

void HandOver::Complete() {
  std::string done = std::move(permit_.id);
  Clear();
  handed_over_ = std::move(done);
  ++count_;
}

std::string HandOver::TakeBack() {
  if (fenced_) return "it was fenced: the session is promised to another front-end";
  // A permit that was not used yet stays: a guest may be paused and resumed before it migrates.
  if (phase_ > Phase::kArmed) Clear();
  return "";
}

void HandOver::Gone(uint64_t who) {
  if (phase_ != Phase::kLoaded || who != nominee_) return;
  nominee_ = 0;
  phase_ = permit_.mode == MarkerMode::kStateless ? Phase::kSaved : Phase::kArmed;
}

}  // namespace vuf::keeper
