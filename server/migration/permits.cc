#include "server/migration/permits.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"

namespace vuf {
namespace {

using Phase = KeeperFacts::Phase;

// Between two attempts to reach a keeper.
constexpr absl::Duration kPause = absl::Milliseconds(20);
// What a keeper accepts.
constexpr absl::Duration kShortest = absl::Milliseconds(1);
constexpr absl::Duration kLongest = absl::Hours(24);

bool MayPass(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

std::string KeeperOf(const PermitAt& at) {
  return absl::StrCat("the keeper of device ", at.device, " (", at.keeper.control_socket, ")");
}

absl::Status AtKeeper(const PermitAt& at, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(KeeperOf(at), ": ", status.message()));
}

// What it says instead of what is expected.
std::string Stands(const KeeperFacts& facts) {
  return absl::StrCat("its hand-over is in phase \"", PhaseName(facts.phase, "unknown"), "\"",
                      facts.permit.empty() ? "" : absl::StrCat(" under permit ", facts.permit),
                      facts.last_refusal.empty()
                          ? ""
                          : absl::StrCat("; the last it refused: ", facts.last_refusal));
}

const FsDeviceFacts* Find(const VmFacts& vm, const std::string& device) {
  if (!vm.devices.known()) return nullptr;
  for (const FsDeviceFacts& one : *vm.devices.value) {
    if (one.subject() == device) return &one;
  }
  return nullptr;
}

// Whoever has the session of this keeper is who had it before the migration began.
bool SessionIsWhereItWas(const PermitAt& at, const KeeperFacts& facts) {
  uint64_t driver = 0;
  for (const KeeperFacts::FrontEnd& front_end : facts.front_ends) {
    if (front_end.role == KeeperFacts::Role::kDriver) driver = front_end.socket_inode;
  }
  return driver == (at.outgoing() ? at.permit.source_inode : 0);
}

std::vector<PermitAt*> Pointers(std::vector<PermitAt>& permits,
                                const std::function<bool(const PermitAt&)>& wanted) {
  std::vector<PermitAt*> out;
  for (PermitAt& at : permits) {
    if (wanted(at)) out.push_back(&at);
  }
  return out;
}

}  // namespace

absl::Status Permits::Use(std::vector<PermitAt> permits) {
  if (keepers_ == nullptr && !permits.empty()) {
    return absl::InternalError("there is no way to ask a keeper");
  }
  permits_ = std::move(permits);
  return absl::OkStatus();
}

std::vector<absl::Status> Permits::Insist(
    std::vector<PermitAt*> waiting, absl::Time limit,
    const std::function<absl::Status(PermitAt&, absl::Time)>& act) {
  std::vector<absl::Status> failed;
  while (!waiting.empty()) {
    std::vector<PermitAt*> again;
    std::vector<absl::Status> why;
    for (PermitAt* at : waiting) {
      const absl::Status status = act(*at, clock_->Now() + call_timeout_);
      if (status.ok()) continue;
      (MayPass(status) ? why : failed).push_back(AtKeeper(*at, status));
      if (MayPass(status)) again.push_back(at);
    }
    waiting = std::move(again);
    if (clock_->Now() >= limit) {
      failed.insert(failed.end(), why.begin(), why.end());
      break;
    }
    if (!waiting.empty()) absl::SleepFor(kPause);
  }
  return failed;
}

absl::Status Permits::ArmOne(PermitAt& at, absl::Duration ttl) {
  at.permit.ttl = std::clamp(ttl, kShortest, kLongest);
  const absl::Status status =
      keepers_->Arm(at.keeper, at.permit, clock_->Now() + call_timeout_).status();
  // An answer that was lost leaves it open.
  at.armed = status.ok() || MayPass(status) || absl::IsInternal(status);
  return AtKeeper(at, status);
}

absl::Status Permits::ArmAll(absl::Duration ttl) {
  for (PermitAt& at : permits_) {
    const absl::Status armed = ArmOne(at, ttl);
    if (armed.ok()) continue;
    return absl::Status(armed.code(),
                        absl::StrCat("asking for a permit to hand over: ", armed.message()));
  }
  return absl::OkStatus();
}

std::vector<std::string> PermitsNotArmed(const std::vector<PermitAt>& permits, const Facts& now) {
  std::vector<std::string> changes;
  for (const PermitAt& at : permits) {
    const VmFacts* vm = &now.source;
    if (!at.outgoing()) vm = now.destination.has_value() ? &*now.destination : nullptr;
    const FsDeviceFacts* device = vm == nullptr ? nullptr : Find(*vm, at.device);
    if (device == nullptr || !device->back_end.keeper.known()) {
      changes.push_back(absl::StrCat(KeeperOf(at), " cannot be asked any more"));
      continue;
    }
    const KeeperFacts& keeper = *device->back_end.keeper.value;
    if (keeper.phase == Phase::kArmed && keeper.permit == at.permit.permit) continue;
    changes.push_back(absl::StrCat(KeeperOf(at), " does not have permit ", at.permit.permit,
                                   " armed any more: ", Stands(keeper)));
  }
  return changes;
}

absl::Status Permits::CheckEach(
    const std::function<absl::Status(const PermitAt&, const KeeperFacts&)>& check) {
  for (const PermitAt& at : permits_) {
    const absl::StatusOr<KeeperFacts> facts =
        keepers_->Look(at.keeper, clock_->Now() + call_timeout_);
    if (!facts.ok()) return AtKeeper(at, facts.status());
    if (absl::Status good = check(at, *facts); !good.ok()) return good;
  }
  return absl::OkStatus();
}

absl::Status Permits::CheckPhases(const std::function<Phase(const PermitAt&)>& wanted) {
  return CheckEach([&](const PermitAt& at, const KeeperFacts& facts) {
    if (facts.phase == wanted(at) && facts.permit == at.permit.permit) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(
        "QEMU reports success, but ", KeeperOf(at), " does not: ", Stands(facts), "; expected \"",
        PhaseName(wanted(at), "unknown"), "\" under permit ", at.permit.permit));
  });
}

absl::Status Permits::CheckLoaded() {
  return CheckPhases(
      [](const PermitAt& at) { return at.takes_over() ? Phase::kLoaded : Phase::kSaved; });
}

absl::Status Permits::CheckSaved() {
  return CheckPhases([](const PermitAt&) { return Phase::kSaved; });
}

absl::Status Permits::CheckNeverUsed() {
  return CheckEach([](const PermitAt& at, const KeeperFacts& facts) {
    const bool in_force = facts.phase != Phase::kNone && facts.permit == at.permit.permit;
    const bool taken_back = facts.phase == Phase::kNone && SessionIsWhereItWas(at, facts);
    const bool used = facts.handed_over_permit == at.permit.permit;
    if (!used && (in_force || taken_back)) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(
        "permit ", at.permit.permit, " may have been used at ", KeeperOf(at), ": ", Stands(facts)));
  });
}

absl::Status Permits::NameDestination(const VmFacts& vm) {
  for (PermitAt& at : permits_) {
    const FsDeviceFacts* const device = Find(vm, at.device);
    if (device == nullptr || !device->back_end.socket.known()) {
      return absl::FailedPreconditionError(
          absl::StrCat("the destination's connection to ", KeeperOf(at), " is not known"));
    }
    at.permit.destination_inode = device->back_end.socket.value->peer_inode;
  }
  return absl::OkStatus();
}

absl::Status Permits::CheckSourcesGone() {
  if (permits_.empty()) return absl::FailedPreconditionError("no keeper can tell");
  return CheckEach([](const PermitAt& at, const KeeperFacts& facts) {
    const bool connected = absl::c_any_of(facts.front_ends, [&](const auto& front_end) {
      return front_end.socket_inode == at.permit.source_inode;
    });
    if (!at.outgoing() || !connected) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat("the source is still connected to ", KeeperOf(at)));
  });
}

absl::Status Permits::FenceOne(const PermitAt& at, absl::Time deadline) {
  const absl::Status fenced = keepers_->Fence(at.keeper, at.permit.permit, deadline).status();
  if (!absl::IsFailedPrecondition(fenced)) return fenced;
  // More than fenced: the destination's front-end drives.
  const absl::StatusOr<KeeperFacts> facts = keepers_->Look(at.keeper, deadline);
  return facts.ok() && facts->handed_over_permit == at.permit.permit ? absl::OkStatus() : fenced;
}

absl::Status Permits::FenceAll(absl::Time limit) {
  const std::vector<PermitAt*> drivers =
      Pointers(permits_, [](const PermitAt& at) { return at.outgoing(); });
  // Before the first call: its answer may be lost.
  fenced_ = !drivers.empty();
  const std::vector<absl::Status> failed = Insist(
      drivers, limit, [this](PermitAt& at, absl::Time deadline) { return FenceOne(at, deadline); });
  if (failed.empty()) return absl::OkStatus();
  return absl::Status(
      failed.front().code(),
      absl::StrCat("shutting the source out of its sessions: ", failed.front().message()));
}

absl::Status Permits::DisarmOne(PermitAt& at, absl::Time deadline) {
  const absl::Status disarmed = keepers_->Disarm(at.keeper, at.permit.permit, deadline).status();
  if (MayPass(disarmed)) return disarmed;
  if (disarmed.ok()) {
    at.armed = false;
    return disarmed;
  }
  const absl::StatusOr<KeeperFacts> facts = keepers_->Look(at.keeper, deadline);
  if (!facts.ok()) return MayPass(facts.status()) ? facts.status() : disarmed;
  if (facts->handed_over_permit == at.permit.permit) {
    at.armed = false;
    return absl::AbortedError(
        absl::StrCat("permit ", at.permit.permit,
                     " was used: the destination's front-end has the session, and the source's has "
                     "lost it for good. If the guest runs at the source, restart it"));
  }
  // Somebody else's is in force: ours is not.
  if (facts->permit == at.permit.permit) return disarmed;
  at.armed = false;
  return absl::OkStatus();
}

std::string Permits::DisarmAll(absl::Time limit) {
  const std::vector<absl::Status> failed =
      Insist(Pointers(permits_, [](const PermitAt& at) { return at.armed; }), limit,
             [this](PermitAt& at, absl::Time deadline) { return DisarmOne(at, deadline); });
  if (failed.empty()) {
    fenced_ = false;
    return "";
  }
  std::string words = " Not every permit could be taken back:";
  for (const absl::Status& status : failed) {
    absl::StrAppend(&words, " ", status.message(), ".");
  }
  const std::string left = InForce();
  if (left.empty()) return words;
  return absl::StrCat(words, " In force until their time is up, or `vuf-keeperctl disarm` takes ",
                      "them back: ", left, ".");
}

std::string Permits::InForce() const {
  std::vector<std::string> left;
  for (const PermitAt& at : permits_) {
    if (at.armed) left.push_back(absl::StrCat(at.permit.permit, " at ", KeeperOf(at)));
  }
  return absl::StrJoin(left, ", ");
}

absl::Status Permits::CheckHandedOver(const PermitAt& at, absl::Time deadline) {
  const absl::StatusOr<KeeperFacts> facts = keepers_->Look(at.keeper, deadline);
  if (!facts.ok()) return facts.status();
  if (facts->handed_over_permit == at.permit.permit) return absl::OkStatus();
  // It may be on its way.
  return absl::UnavailableError(Stands(*facts));
}

std::string Permits::NotHandedOver(absl::Time limit) {
  const std::vector<absl::Status> failed =
      Insist(Pointers(permits_, [](const PermitAt& at) { return at.takes_over(); }), limit,
             [this](PermitAt& at, absl::Time deadline) { return CheckHandedOver(at, deadline); });
  std::string words;
  for (const absl::Status& status : failed) {
    absl::StrAppend(&words, " The destination runs, but not with its file system, as far as ",
                    status.message(), ".");
  }
  if (!words.empty()) {
    absl::StrAppend(&words,
                    " `stop` and `cont` the destination, which makes it take the session again; if "
                    "that does not help, restart the guest there. Never resume the source.");
  }
  return words;
}

std::string Permits::LeftInForce() const {
  const std::string left = InForce();
  if (left.empty()) return "";
  return absl::StrCat(
      " Permits may be in force: ", left,
      ". Take them back with `vuf-keeperctl disarm` before the source is resumed, and not at all "
      "if the destination is.");
}

}  // namespace vuf
