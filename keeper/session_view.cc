// The session as the control service shows it.
#include <algorithm>

#include "keeper/session.h"

namespace vuf::keeper {
namespace {

v1::KeeperSession::Phase PhaseOf(HandOver::Phase phase) {
  switch (phase) {
    case HandOver::Phase::kNone:
      return v1::KeeperSession::PHASE_NONE;
    case HandOver::Phase::kArmed:
      return v1::KeeperSession::PHASE_ARMED;
    case HandOver::Phase::kSaved:
      return v1::KeeperSession::PHASE_SAVED;
    case HandOver::Phase::kLoaded:
      return v1::KeeperSession::PHASE_LOADED;
  }
  return v1::KeeperSession::PHASE_UNSPECIFIED;
}

uint32_t MillisecondsLeft(const Permit& permit, Time now) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(permit.expires - now).count();
  return static_cast<uint32_t>(std::max<int64_t>(left, 0));
}

}  // namespace

void Session::Describe(Time now, v1::KeeperSession& out) const {
  out.set_instance(ToHex(instance_));
  out.set_session(ToHex(session_));
  out.set_revision(revision_);
  v1::KeeperBackEnd& back_end = *out.mutable_back_end();
  back_end.set_socket_inode(back_end_->inode());
  back_end.set_features(back_end_->features());
  back_end.set_protocol_features(back_end_->protocol_features());
  back_end.set_queues(back_end_->queues());
  if (has_first_back_end()) back_end.set_supervised_pid(options_.supervised_pid);
  back_end.set_unanswered(static_cast<uint32_t>(back_end_->unanswered()));
  const auto running = std::count(rings_.begin(), rings_.end(), RingState::kRunning);
  for (const FrontEnd& front_end : front_ends_) {
    if (!front_end.connection.open()) continue;
    v1::KeeperFrontEnd& one = *out.add_front_ends();
    one.set_socket_inode(front_end.inode);
    one.set_pid(front_end.pid);
    one.set_undrained(front_end.undrained);
    one.set_role(v1::KeeperFrontEnd::ROLE_IDLE);
    if (front_end.fenced) one.set_role(v1::KeeperFrontEnd::ROLE_FENCED);
    if (Drives(front_end)) {
      one.set_role(v1::KeeperFrontEnd::ROLE_DRIVER);
      one.set_running_rings(static_cast<uint32_t>(running));
    } else if (hand_over_.phase() == HandOver::Phase::kLoaded &&
               hand_over_.nominee() == front_end.inode) {
      one.set_role(v1::KeeperFrontEnd::ROLE_NOMINEE);
    }
  }
  out.set_phase(PhaseOf(hand_over_.phase()));
  out.set_permit(hand_over_.permit().id);
  out.set_fenced(hand_over_.fenced());
  if (hand_over_.phase() != HandOver::Phase::kNone) {
    out.set_ttl_ms(MillisecondsLeft(hand_over_.permit(), now));
  }
  out.set_handed_over_permit(hand_over_.handed_over());
  out.set_hand_overs(hand_over_.count());
  out.set_last_refusal(last_refusal_);
  out.set_last_drain_us(static_cast<uint64_t>(last_drain_.count()));
  out.set_last_replace_us(static_cast<uint64_t>(last_replacement_.count()));
  out.set_drain_timeouts(drain_timeouts_);
  out.set_drain_limit_ms(static_cast<uint32_t>(options_.drain_limit.count()));
}

}  // namespace vuf::keeper
