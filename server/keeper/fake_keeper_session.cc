#include "server/keeper/fake_keeper_session.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace vuf {
namespace {

using Direction = KeeperPermit::Direction;
using Phase = KeeperFacts::Phase;
using Role = KeeperFacts::Role;

absl::Status Refused(const std::string& why) { return absl::FailedPreconditionError(why); }

absl::Status CheckPermit(const KeeperPermit& permit) {
  if (permit.permit.empty() || permit.permit.size() > 39) {
    return absl::InvalidArgumentError("permit has not 1 to 39 characters");
  }
  if (permit.mode == Mode::kNone) return absl::InvalidArgumentError("mode is not set");
  if (permit.ttl < absl::Milliseconds(1) || permit.ttl > absl::Hours(24)) {
    return absl::InvalidArgumentError("ttl_ms is not 1 to 86400000");
  }
  if (permit.direction == Direction::kIncoming && permit.mode != Mode::kStateful) {
    return absl::InvalidArgumentError("direction INCOMING is for STATEFUL only");
  }
  if (permit.direction == Direction::kOutgoing && permit.source_inode == 0) {
    return absl::InvalidArgumentError("source_inode is required");
  }
  return absl::OkStatus();
}

}  // namespace

uint64_t FakeKeeperSession::WithRole(Role role) const {
  for (const KeeperFacts::FrontEnd& front_end : facts.front_ends) {
    if (front_end.role == role) return front_end.socket_inode;
  }
  return 0;
}

void FakeKeeperSession::SetRole(uint64_t inode, Role role) {
  for (KeeperFacts::FrontEnd& front_end : facts.front_ends) {
    if (front_end.socket_inode == inode) front_end.role = role;
  }
}

void FakeKeeperSession::Clear() {
  if (const uint64_t nominee = WithRole(Role::kNominee); nominee != 0) {
    SetRole(nominee, Role::kIdle);
  }
  facts.phase = Phase::kNone;
  facts.permit.clear();
  facts.fenced = false;
}

absl::Status FakeKeeperSession::InForce(const std::string& asked) const {
  if (facts.phase == Phase::kNone) return Refused("no permit is in force");
  if (facts.permit == asked) return absl::OkStatus();
  return Refused(absl::StrCat("permit ", facts.permit, " is in force, not ", asked));
}

absl::Status FakeKeeperSession::Renew(const KeeperPermit& asked) const {
  if (absl::Status status = InForce(asked.permit); !status.ok()) return status;
  const bool same_destination = asked.destination_inode == permit.destination_inode;
  if (asked.mode != permit.mode || asked.direction != permit.direction ||
      asked.source_inode != permit.source_inode ||
      (facts.phase == Phase::kLoaded && !same_destination)) {
    return Refused(absl::StrCat("permit ", asked.permit, " is in force with other terms"));
  }
  return absl::OkStatus();
}

absl::Status FakeKeeperSession::Arm(const KeeperPermit& asked, absl::Time now) {
  if (absl::Status status = CheckPermit(asked); !status.ok()) return status;
  const uint64_t driver = WithRole(Role::kDriver);
  if (facts.phase != Phase::kNone) {
    if (absl::Status status = Renew(asked); !status.ok()) return status;
  } else if (asked.permit == facts.handed_over_permit) {
    return Refused(absl::StrCat("permit ", asked.permit, " was used already"));
  } else if (asked.direction == Direction::kIncoming) {
    if (driver != 0) return Refused("a driver has begun the session already");
  } else if (driver == 0) {
    return Refused("there is no driver to save from");
  } else if (asked.source_inode != driver) {
    return Refused(absl::StrCat("front-end ", driver, " drives, not ", asked.source_inode));
  }
  if (facts.phase == Phase::kNone) facts.phase = Phase::kArmed;
  facts.permit = asked.permit;
  permit = asked;
  expires = now + asked.ttl;
  return absl::OkStatus();
}

absl::Status FakeKeeperSession::Disarm(const std::string& asked) {
  if (!asked.empty() && asked == facts.handed_over_permit) {
    return Refused(absl::StrCat("permit ", asked, " was used: the new front-end drives"));
  }
  if (facts.phase == Phase::kNone) return absl::OkStatus();
  if (absl::Status status = InForce(asked); !status.ok()) return status;
  Clear();
  return absl::OkStatus();
}

absl::Status FakeKeeperSession::Fence(const std::string& asked) {
  if (!asked.empty() && asked == facts.handed_over_permit) return absl::OkStatus();
  if (absl::Status status = InForce(asked); !status.ok()) return status;
  const bool saves = permit.mode == Mode::kStateful && permit.direction == Direction::kOutgoing;
  if (facts.phase != (saves ? Phase::kSaved : Phase::kLoaded)) {
    return Refused(absl::StrCat("nothing was ", saves ? "saved" : "loaded", " under ", asked));
  }
  facts.fenced = true;
  return absl::OkStatus();
}

absl::Status FakeKeeperSession::ReplaceBackEnd() {
  if (facts.phase != Phase::kNone) {
    return Refused(absl::StrCat("permit ", facts.permit, " is in force"));
  }
  // A connection to another back-end is another socket.
  ++facts.back_end_socket_inode;
  facts.last_replace_us = 1;
  return absl::OkStatus();
}

absl::Status FakeKeeperSession::Save(uint64_t inode, absl::Time now) {
  if (facts.phase != Phase::kArmed) return Refused("no permit is armed");
  if (permit.direction != Direction::kOutgoing) return Refused("the permit is for a load");
  if (inode != permit.source_inode) return Refused("the permit names another source");
  if (now >= expires) return Refused("the permit has expired");
  facts.phase = Phase::kSaved;
  return absl::OkStatus();
}

absl::Status FakeKeeperSession::Load(uint64_t inode, absl::Time now) {
  const bool incoming = permit.direction == Direction::kIncoming;
  if (facts.phase == Phase::kNone) return Refused("no permit is in force");
  if (permit.mode == Mode::kStateful && !incoming) return Refused("the permit is for a save");
  if (facts.phase != (incoming ? Phase::kArmed : Phase::kSaved)) {
    return Refused("there is no marker to present");
  }
  if (inode == permit.source_inode) return Refused("the source cannot be the destination");
  if (permit.destination_inode != 0 && permit.destination_inode != inode) {
    return Refused("the permit names another destination");
  }
  if (now >= expires) return Refused("the permit has expired");
  facts.phase = Phase::kLoaded;
  SetRole(inode, Role::kNominee);
  return absl::OkStatus();
}

absl::Status FakeKeeperSession::Start(uint64_t inode) {
  const uint64_t driver = WithRole(Role::kDriver);
  if (driver != 0 && inode == driver) {
    if (facts.fenced) return Refused("it was fenced");
    // A permit that was not used yet stays.
    if (facts.phase != Phase::kArmed) Clear();
    return absl::OkStatus();
  }
  if (facts.phase == Phase::kLoaded && inode == WithRole(Role::kNominee)) {
    for (KeeperFacts::FrontEnd& one : facts.front_ends) {
      one.role = one.socket_inode == inode ? Role::kDriver : Role::kFenced;
    }
    facts.handed_over_permit = facts.permit;
    Clear();
    return absl::OkStatus();
  }
  // The first to start a fresh session drives it.
  if (driver != 0 || facts.phase != Phase::kNone) return Refused("another front-end drives");
  SetRole(inode, Role::kDriver);
  return absl::OkStatus();
}

bool FakeKeeperSession::Disconnect(uint64_t inode) {
  const bool saved = facts.phase == Phase::kSaved || facts.phase == Phase::kLoaded;
  const bool over = inode == WithRole(Role::kDriver) && !saved;
  if (facts.phase == Phase::kLoaded && inode == WithRole(Role::kNominee)) {
    // What it had loaded can be presented again.
    facts.phase = permit.direction == Direction::kIncoming ? Phase::kArmed : Phase::kSaved;
  }
  auto& all = facts.front_ends;
  const auto is_it = [inode](const auto& one) { return one.socket_inode == inode; };
  all.erase(std::remove_if(all.begin(), all.end(), is_it), all.end());
  return !over;
}

}  // namespace vuf
