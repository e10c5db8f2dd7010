#include "server/keeper/fake_keeper.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"

namespace vuf {
namespace {

using Direction = KeeperPermit::Direction;
using Phase = KeeperFacts::Phase;
using Role = KeeperFacts::Role;

absl::Status Refused(const std::string& why) { return absl::FailedPreconditionError(why); }

// 0: no front-end has it.
uint64_t WithRole(const KeeperFacts& facts, Role role) {
  for (const KeeperFacts::FrontEnd& front_end : facts.front_ends) {
    if (front_end.role == role) return front_end.socket_inode;
  }
  return 0;
}

void SetRole(uint64_t inode, Role role, KeeperFacts& facts) {
  for (KeeperFacts::FrontEnd& front_end : facts.front_ends) {
    if (front_end.socket_inode == inode) front_end.role = role;
  }
}

// No permit is in force any more.
void Clear(KeeperFacts& facts) {
  if (const uint64_t nominee = WithRole(facts, Role::kNominee); nominee != 0) {
    SetRole(nominee, Role::kIdle, facts);
  }
  facts.phase = Phase::kNone;
  facts.permit.clear();
  facts.fenced = false;
}

absl::Status InForce(const KeeperFacts& facts, const std::string& permit) {
  if (facts.phase == Phase::kNone) return Refused("no permit is in force");
  if (facts.permit != permit) {
    return Refused(absl::StrCat("permit ", facts.permit, " is in force, not ", permit));
  }
  return absl::OkStatus();
}

absl::Status DoDisarm(const std::string& permit, KeeperFacts& facts) {
  if (!permit.empty() && permit == facts.handed_over_permit) {
    return Refused(absl::StrCat("permit ", permit, " was used: the new front-end drives"));
  }
  if (facts.phase == Phase::kNone) return absl::OkStatus();
  if (absl::Status status = InForce(facts, permit); !status.ok()) return status;
  Clear(facts);
  return absl::OkStatus();
}

absl::Status DoFence(const std::string& permit, const KeeperPermit& armed, KeeperFacts& facts) {
  if (!permit.empty() && permit == facts.handed_over_permit) return absl::OkStatus();
  if (absl::Status status = InForce(facts, permit); !status.ok()) return status;
  const bool saves = armed.mode == Mode::kStateful && armed.direction == Direction::kOutgoing;
  if (facts.phase != (saves ? Phase::kSaved : Phase::kLoaded)) {
    return Refused(absl::StrCat("nothing was ", saves ? "saved" : "loaded", " under ", permit));
  }
  facts.fenced = true;
  return absl::OkStatus();
}

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

// A test's mistake: it speaks of a keeper that it did not add.
template <typename Map>
auto& Find(Map& keepers, const std::string& control_socket) {
  const auto it = keepers.find(control_socket);
  if (it == keepers.end()) abort();
  return it->second;
}

const char* NameOf(KeeperCall call) {
  switch (call) {
    case KeeperCall::kLook:
      return "Look";
    case KeeperCall::kArm:
      return "Arm";
    case KeeperCall::kDisarm:
      return "Disarm";
    case KeeperCall::kFence:
      return "Fence";
    case KeeperCall::kReplaceBackEnd:
      return "ReplaceBackEnd";
  }
  return "";
}

}  // namespace

FakeKeeper::Keeper& FakeKeeper::At(const std::string& control_socket) {
  return Find(keepers_, control_socket);
}

const FakeKeeper::Keeper& FakeKeeper::At(const std::string& control_socket) const {
  return Find(keepers_, control_socket);
}

void FakeKeeper::Add(const KeeperAddress& address) {
  MutexLock lock(&mu_);
  Keeper keeper;
  keeper.address = address;
  keeper.facts.control_socket = address.control_socket;
  keeper.facts.instance = address.instance;
  keeper.facts.session = absl::StrCat("session of ", address.instance);
  keeper.facts.version = "0.1.0";
  keeper.facts.phase = Phase::kNone;
  keepers_[address.control_socket] = std::move(keeper);
}

void FakeKeeper::Die(const std::string& control_socket) {
  MutexLock lock(&mu_);
  At(control_socket).alive = false;
}

void FakeKeeper::Fail(const std::string& control_socket, KeeperCall call, Failure failure) {
  MutexLock lock(&mu_);
  failures_[{control_socket, call}] = std::move(failure);
}

void FakeKeeper::Before(const std::string& control_socket, KeeperCall call,
                        std::function<void()> hook) {
  MutexLock lock(&mu_);
  hooks_[{control_socket, call}] = std::move(hook);
}

void FakeKeeper::Change(const std::string& control_socket,
                        const std::function<void(KeeperFacts&)>& change) {
  MutexLock lock(&mu_);
  change(At(control_socket).facts);
}

KeeperFacts FakeKeeper::Facts(const std::string& control_socket) const {
  MutexLock lock(&mu_);
  return At(control_socket).facts;
}

bool FakeKeeper::Alive(const std::string& control_socket) const {
  MutexLock lock(&mu_);
  return At(control_socket).alive;
}

std::vector<std::string> FakeKeeper::Actions() const {
  MutexLock lock(&mu_);
  return actions_;
}

int FakeKeeper::CallCount(const std::string& control_socket, KeeperCall call) const {
  MutexLock lock(&mu_);
  const auto it = counts_.find({control_socket, call});
  return it == counts_.end() ? 0 : it->second;
}

KeeperPermit FakeKeeper::LastPermit(const std::string& control_socket) const {
  MutexLock lock(&mu_);
  return At(control_socket).permit;
}

absl::Status FakeKeeper::Injected(const Key& key, bool after_effect) {
  const auto it = failures_.find(key);
  if (it == failures_.end() || it->second.after_effect != after_effect) return absl::OkStatus();
  Failure& failure = it->second;
  if (failure.skip > 0) {
    --failure.skip;
    return absl::OkStatus();
  }
  if (failure.times <= 0) return absl::OkStatus();
  --failure.times;
  return failure.status;
}

absl::StatusOr<KeeperFacts> FakeKeeper::Call(const KeeperAddress& address, KeeperCall call,
                                             const std::string& argument, absl::Time deadline,
                                             const Effect& effect) {
  const Key key = {address.control_socket, call};
  std::function<void()> hook;
  {
    MutexLock lock(&mu_);
    ++counts_[key];
    if (call != KeeperCall::kLook) {
      actions_.push_back(absl::StrCat(address.control_socket, " ", NameOf(call), " ", argument));
    }
    if (const auto it = hooks_.find(key); it != hooks_.end()) hook = it->second;
  }
  if (hook) hook();
  MutexLock lock(&mu_);
  if (absl::Now() >= deadline) return absl::DeadlineExceededError("the keeper did not answer");
  if (absl::Status status = Injected(key, false); !status.ok()) return status;
  const auto it = keepers_.find(address.control_socket);
  if (it == keepers_.end() || !it->second.alive) {
    return absl::UnavailableError(absl::StrCat("nobody listens at ", address.control_socket));
  }
  Keeper& keeper = it->second;
  if (!(keeper.address.process == address.process)) {
    return Refused(absl::StrCat(address.control_socket, " is served by another process"));
  }
  if (!address.instance.empty() && address.instance != keeper.facts.instance) {
    return Refused(absl::StrCat("the keeper is another instance: ", keeper.facts.instance));
  }
  if (absl::Status status = effect(keeper); !status.ok()) return status;
  if (absl::Status status = Injected(key, true); !status.ok()) return status;
  return keeper.facts;
}

absl::StatusOr<KeeperFacts> FakeKeeper::Look(const KeeperAddress& address, absl::Time deadline) {
  return Call(address, KeeperCall::kLook, "", deadline, [](Keeper&) { return absl::OkStatus(); });
}

absl::StatusOr<KeeperFacts> FakeKeeper::Arm(const KeeperAddress& address,
                                            const KeeperPermit& permit, absl::Time deadline) {
  return Call(address, KeeperCall::kArm, permit.permit, deadline,
              [&](Keeper& keeper) { return DoArm(permit, keeper); });
}

absl::Status FakeKeeper::DoArm(const KeeperPermit& permit, Keeper& keeper) const {
  if (absl::Status status = CheckPermit(permit); !status.ok()) return status;
  KeeperFacts& facts = keeper.facts;
  const uint64_t driver = WithRole(facts, Role::kDriver);
  if (facts.phase == Phase::kNone) {
    if (permit.permit == facts.handed_over_permit) {
      return Refused(absl::StrCat("permit ", permit.permit, " was used already"));
    }
    if (permit.direction == Direction::kOutgoing && driver == 0) return Refused("nobody drives");
    if (permit.direction == Direction::kOutgoing && permit.source_inode != driver) {
      return Refused(absl::StrCat("front-end ", driver, " drives, not ", permit.source_inode));
    }
    if (permit.direction == Direction::kIncoming && driver != 0) return Refused("it is not fresh");
    facts.phase = Phase::kArmed;
    facts.permit = permit.permit;
  } else {
    if (absl::Status status = InForce(facts, permit.permit); !status.ok()) return status;
    if (permit.mode != keeper.permit.mode || permit.direction != keeper.permit.direction ||
        permit.source_inode != keeper.permit.source_inode ||
        (facts.phase == Phase::kLoaded &&
         permit.destination_inode != keeper.permit.destination_inode)) {
      return Refused(absl::StrCat("permit ", permit.permit, " is in force with other terms"));
    }
  }
  keeper.permit = permit;
  keeper.expires = Now() + permit.ttl;
  return absl::OkStatus();
}

absl::StatusOr<KeeperFacts> FakeKeeper::Disarm(const KeeperAddress& address,
                                               const std::string& permit, absl::Time deadline) {
  return Call(address, KeeperCall::kDisarm, permit, deadline,
              [&](Keeper& keeper) { return DoDisarm(permit, keeper.facts); });
}

absl::StatusOr<KeeperFacts> FakeKeeper::Fence(const KeeperAddress& address,
                                              const std::string& permit, absl::Time deadline) {
  return Call(address, KeeperCall::kFence, permit, deadline,
              [&](Keeper& keeper) { return DoFence(permit, keeper.permit, keeper.facts); });
}

absl::StatusOr<KeeperFacts> FakeKeeper::ReplaceBackEnd(const KeeperAddress& address,
                                                       const std::string& socket_path,
                                                       absl::Time deadline) {
  return Call(address, KeeperCall::kReplaceBackEnd, socket_path, deadline, [](Keeper& keeper) {
    if (keeper.facts.phase != Phase::kNone) {
      return Refused(absl::StrCat("permit ", keeper.facts.permit, " is in force"));
    }
    // A connection to another back-end is another socket.
    ++keeper.facts.back_end_socket_inode;
    keeper.facts.last_replace_us = 1;
    return absl::OkStatus();
  });
}

// --- What a QEMU does ---

absl::Status FakeKeeper::Act(const std::string& control_socket, const Effect& effect) {
  MutexLock lock(&mu_);
  Keeper& keeper = At(control_socket);
  if (!keeper.alive) return absl::UnavailableError("the keeper is gone");
  absl::Status status = effect(keeper);
  if (!status.ok()) keeper.facts.last_refusal = std::string(status.message());
  return status;
}

void FakeKeeper::ConnectFrontEnd(const std::string& control_socket, uint64_t inode) {
  MutexLock lock(&mu_);
  At(control_socket).facts.front_ends.push_back({inode, Role::kIdle, false});
}

void FakeKeeper::Disconnect(const std::string& control_socket, uint64_t inode) {
  MutexLock lock(&mu_);
  Keeper& keeper = At(control_socket);
  KeeperFacts& facts = keeper.facts;
  const bool saved = facts.phase == Phase::kSaved || facts.phase == Phase::kLoaded;
  if (inode == WithRole(facts, Role::kDriver) && !saved) keeper.alive = false;
  if (facts.phase == Phase::kLoaded && inode == WithRole(facts, Role::kNominee)) {
    // What it had loaded can be presented again.
    facts.phase = keeper.permit.direction == Direction::kIncoming ? Phase::kArmed : Phase::kSaved;
  }
  auto& all = facts.front_ends;
  all.erase(std::remove_if(all.begin(), all.end(),
                           [inode](const auto& one) { return one.socket_inode == inode; }),
            all.end());
}

absl::Status FakeKeeper::Save(const std::string& control_socket, uint64_t inode) {
  return Act(control_socket, [&](Keeper& keeper) {
    if (keeper.facts.phase != Phase::kArmed) return Refused("no permit is armed");
    if (keeper.permit.direction != Direction::kOutgoing) return Refused("it is for a load");
    if (inode != keeper.permit.source_inode) return Refused("it names another source");
    if (Now() >= keeper.expires) return Refused("the permit has expired");
    keeper.facts.phase = Phase::kSaved;
    return absl::OkStatus();
  });
}

absl::Status FakeKeeper::Load(const std::string& control_socket, uint64_t inode) {
  return Act(control_socket, [&](Keeper& keeper) {
    const KeeperPermit& permit = keeper.permit;
    const bool incoming = permit.direction == Direction::kIncoming;
    if (keeper.facts.phase == Phase::kNone) return Refused("no permit is in force");
    if (permit.mode == Mode::kStateful && !incoming) return Refused("it is for a save");
    if (keeper.facts.phase != (incoming ? Phase::kArmed : Phase::kSaved)) {
      return Refused("there is no marker to present");
    }
    if (inode == permit.source_inode) return Refused("the source cannot be the destination");
    if (permit.destination_inode != 0 && permit.destination_inode != inode) {
      return Refused("it names another destination");
    }
    if (Now() >= keeper.expires) return Refused("the permit has expired");
    keeper.facts.phase = Phase::kLoaded;
    SetRole(inode, Role::kNominee, keeper.facts);
    return absl::OkStatus();
  });
}

absl::Status FakeKeeper::Start(const std::string& control_socket, uint64_t inode) {
  return Act(control_socket, [&](Keeper& keeper) {
    KeeperFacts& facts = keeper.facts;
    const uint64_t driver = WithRole(facts, Role::kDriver);
    if (inode == driver) {
      if (facts.fenced) return Refused("it was fenced");
      // A permit that was not used yet stays.
      if (facts.phase != Phase::kArmed) Clear(facts);
      return absl::OkStatus();
    }
    if (facts.phase == Phase::kLoaded && inode == WithRole(facts, Role::kNominee)) {
      const std::string permit = facts.permit;
      SetRole(inode, Role::kDriver, facts);
      for (KeeperFacts::FrontEnd& other : facts.front_ends) {
        if (other.socket_inode != inode) other.role = Role::kFenced;
      }
      Clear(facts);
      facts.handed_over_permit = permit;
      return absl::OkStatus();
    }
    // The first to start a fresh session drives it.
    if (driver != 0 || facts.phase != Phase::kNone) return Refused("another front-end drives");
    SetRole(inode, Role::kDriver, facts);
    return absl::OkStatus();
  });
}

}  // namespace vuf
