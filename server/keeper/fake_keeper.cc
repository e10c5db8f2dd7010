#include "server/keeper/fake_keeper.h"

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"

namespace vuf {
namespace {

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
  keeper.session.facts.control_socket = address.control_socket;
  keeper.session.facts.instance = address.instance;
  keeper.session.facts.session = absl::StrCat("session of ", address.instance);
  keeper.session.facts.version = "0.1.0";
  keeper.session.facts.phase = KeeperFacts::Phase::kNone;
  keepers_[address.control_socket] = std::move(keeper);
}

void FakeKeeper::Die(const std::string& control_socket) {
  MutexLock lock(&mu_);
  At(control_socket).alive = false;
}

void FakeKeeper::Fail(const std::string& control_socket, KeeperCall call, const Failure& failure) {
  MutexLock lock(&mu_);
  calls_.Fail(control_socket, call, failure);
}

void FakeKeeper::Before(const std::string& control_socket, KeeperCall call,
                        const std::function<void()>& hook) {
  MutexLock lock(&mu_);
  calls_.Before(control_socket, call, hook);
}

void FakeKeeper::Change(const std::string& control_socket,
                        const std::function<void(KeeperFacts&)>& change) {
  MutexLock lock(&mu_);
  change(At(control_socket).session.facts);
}

KeeperFacts FakeKeeper::Facts(const std::string& control_socket) const {
  MutexLock lock(&mu_);
  return At(control_socket).session.facts;
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
  return calls_.CountOf(control_socket, call);
}

KeeperPermit FakeKeeper::LastPermit(const std::string& control_socket) const {
  MutexLock lock(&mu_);
  return At(control_socket).session.permit;
}

absl::StatusOr<KeeperFacts> FakeKeeper::Call(const KeeperAddress& address, KeeperCall call,
                                             const std::string& argument, absl::Time deadline,
                                             const Effect& effect) {
  const std::string& at = address.control_socket;
  std::function<void()> hook;
  {
    MutexLock lock(&mu_);
    calls_.Count(at, call);
    if (call != KeeperCall::kLook) {
      actions_.push_back(absl::StrCat(at, " ", NameOf(call), " ", argument));
    }
    hook = calls_.Hook(at, call);
  }
  if (hook) hook();
  MutexLock lock(&mu_);
  if (absl::Now() >= deadline) return absl::DeadlineExceededError("the keeper did not answer");
  if (absl::Status status = calls_.Injected(at, call, false); !status.ok()) return status;
  const auto it = keepers_.find(at);
  if (it == keepers_.end() || !it->second.alive) {
    return absl::UnavailableError(absl::StrCat("nobody listens at ", at));
  }
  Keeper& keeper = it->second;
  if (!(keeper.address.process == address.process)) {
    return absl::FailedPreconditionError(absl::StrCat(at, " is served by another process"));
  }
  if (!address.instance.empty() && address.instance != keeper.session.facts.instance) {
    return absl::FailedPreconditionError(
        absl::StrCat("the keeper is another instance: ", keeper.session.facts.instance));
  }
  if (absl::Status status = effect(keeper.session); !status.ok()) return status;
  if (absl::Status status = calls_.Injected(at, call, true); !status.ok()) return status;
  return keeper.session.facts;
}

absl::StatusOr<KeeperFacts> FakeKeeper::Look(const KeeperAddress& address, absl::Time deadline) {
  return Call(address, KeeperCall::kLook, "", deadline,
              [](FakeKeeperSession&) { return absl::OkStatus(); });
}

absl::StatusOr<KeeperFacts> FakeKeeper::Arm(const KeeperAddress& address,
                                            const KeeperPermit& permit, absl::Time deadline) {
  return Call(address, KeeperCall::kArm, permit.permit, deadline,
              [&](FakeKeeperSession& session) { return session.Arm(permit, Now()); });
}

absl::StatusOr<KeeperFacts> FakeKeeper::Disarm(const KeeperAddress& address,
                                               const std::string& permit, absl::Time deadline) {
  return Call(address, KeeperCall::kDisarm, permit, deadline,
              [&](FakeKeeperSession& session) { return session.Disarm(permit); });
}

absl::StatusOr<KeeperFacts> FakeKeeper::Fence(const KeeperAddress& address,
                                              const std::string& permit, absl::Time deadline) {
  return Call(address, KeeperCall::kFence, permit, deadline,
              [&](FakeKeeperSession& session) { return session.Fence(permit); });
}

absl::StatusOr<KeeperFacts> FakeKeeper::ReplaceBackEnd(const KeeperAddress& address,
                                                       const std::string& socket_path,
                                                       absl::Time deadline) {
  return Call(address, KeeperCall::kReplaceBackEnd, socket_path, deadline,
              [](FakeKeeperSession& session) { return session.ReplaceBackEnd(); });
}

absl::Status FakeKeeper::Act(const std::string& control_socket, const Effect& effect) {
  MutexLock lock(&mu_);
  Keeper& keeper = At(control_socket);
  if (!keeper.alive) return absl::UnavailableError("the keeper is gone");
  absl::Status status = effect(keeper.session);
  if (!status.ok()) keeper.session.facts.last_refusal = std::string(status.message());
  return status;
}

void FakeKeeper::ConnectFrontEnd(const std::string& control_socket, uint64_t inode) {
  MutexLock lock(&mu_);
  At(control_socket).session.facts.front_ends.push_back({inode, KeeperFacts::Role::kIdle, false});
}

void FakeKeeper::Disconnect(const std::string& control_socket, uint64_t inode) {
  MutexLock lock(&mu_);
  Keeper& keeper = At(control_socket);
  if (!keeper.session.Disconnect(inode)) keeper.alive = false;
}

absl::Status FakeKeeper::Save(const std::string& control_socket, uint64_t inode) {
  return Act(control_socket,
             [&](FakeKeeperSession& session) { return session.Save(inode, Now()); });
}

absl::Status FakeKeeper::Load(const std::string& control_socket, uint64_t inode) {
  return Act(control_socket,
             [&](FakeKeeperSession& session) { return session.Load(inode, Now()); });
}

absl::Status FakeKeeper::Start(const std::string& control_socket, uint64_t inode) {
  return Act(control_socket, [&](FakeKeeperSession& session) { return session.Start(inode); });
}

}  // namespace vuf
