#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/hypervisor/fake_hypervisor.h"

namespace vuf {
namespace {

const char* Name(FakeCall call) {
  switch (call) {
    case FakeCall::kConnect:
      return "Connect";
    case FakeCall::kObserve:
      return "Observe";
    case FakeCall::kQueryMigration:
      return "QueryMigration";
    case FakeCall::kQueryRunState:
      return "QueryRunState";
    case FakeCall::kObserveAgain:
      return "ObserveAgain";
    case FakeCall::kQueryStanding:
      return "QueryStanding";
    case FakeCall::kQuerySettings:
      return "QuerySettings";
    case FakeCall::kConfigure:
      return "Configure";
    case FakeCall::kPrepareIncoming:
      return "PrepareIncoming";
    case FakeCall::kStartOutgoing:
      return "StartOutgoing";
    case FakeCall::kAwait:
      return "Await";
    case FakeCall::kMigrateContinue:
      return "MigrateContinue";
    case FakeCall::kMigrateCancel:
      return "MigrateCancel";
    case FakeCall::kCont:
      return "Cont";
    case FakeCall::kQuit:
      return "Quit";
  }
  return "?";
}

bool Changes(FakeCall call) {
  return call == FakeCall::kConfigure || call == FakeCall::kPrepareIncoming ||
         call == FakeCall::kStartOutgoing || call >= FakeCall::kMigrateContinue;
}

[[noreturn]] void NoSuchVm(const std::string& vm) {
  std::fprintf(stderr, "the test has no VM at %s\n", vm.c_str());
  std::abort();
}

}  // namespace

void FakeConnector::AddVm(VmFacts facts) {
  MutexLock lock(&mu_);
  const std::string address = facts.qmp_socket;
  FakeVm vm(std::move(facts));
  vm.back_ends = &back_ends_;
  const auto old = vms_.find(address);
  if (old != vms_.end()) {
    vm.generation = old->second.generation + 1;
    vms_.erase(old);
  }
  vms_.emplace(address, std::move(vm));
  Changed();
}

void FakeConnector::Link(const std::string& source, const std::string& destination) {
  MutexLock lock(&mu_);
  At(source).destination = destination;
}

void FakeConnector::SetOutcome(const std::string& source, FakeOutcome outcome) {
  MutexLock lock(&mu_);
  At(source).outcome = outcome;
}

void FakeConnector::SetBackEnds(FakeBackEnds back_ends) {
  MutexLock lock(&mu_);
  back_ends_ = std::move(back_ends);
}

void FakeConnector::Converge(const std::string& source) {
  MutexLock lock(&mu_);
  FakeVm& vm = At(source);
  FakeConverge(vm, DestinationOf(vm));
  Changed();
}

void FakeConnector::Die(const std::string& vm) {
  MutexLock lock(&mu_);
  At(vm).End();
  Changed();
}

void FakeConnector::Fail(const std::string& vm, FakeCall call, const Failure& failure) {
  MutexLock lock(&mu_);
  calls_.Fail(vm, call, failure);
}

void FakeConnector::Before(const std::string& vm, FakeCall call,
                           const std::function<void()>& hook) {
  MutexLock lock(&mu_);
  calls_.Before(vm, call, hook);
}

void FakeConnector::ChangeFacts(const std::string& vm,
                                const std::function<void(VmFacts&)>& change) {
  MutexLock lock(&mu_);
  change(At(vm).facts);
  Changed();
}

absl::Status FakeConnector::ContByOther(const std::string& vm) {
  MutexLock lock(&mu_);
  const absl::Status status = FakeCont(At(vm));
  Changed();
  return status;
}

void FakeConnector::StopByOther(const std::string& vm) {
  MutexLock lock(&mu_);
  At(vm).Stop("paused");
  // A migration under way comes back to this.
  At(vm).run_state_before = "paused";
  Changed();
}

std::vector<std::string> FakeConnector::Actions() const {
  MutexLock lock(&mu_);
  return actions_;
}

void FakeConnector::ForgetActions() {
  MutexLock lock(&mu_);
  actions_.clear();
}

int FakeConnector::CallCount(const std::string& vm, FakeCall call) const {
  MutexLock lock(&mu_);
  return calls_.CountOf(vm, call);
}

bool FakeConnector::Alive(const std::string& vm) const {
  MutexLock lock(&mu_);
  return At(vm).gone.ok();
}

std::string FakeConnector::RunState(const std::string& vm) const {
  MutexLock lock(&mu_);
  return At(vm).run_state();
}

std::string FakeConnector::MigrationStatus(const std::string& vm) const {
  MutexLock lock(&mu_);
  return At(vm).migration.status;
}

MigrationSettings FakeConnector::Settings(const std::string& vm) const {
  MutexLock lock(&mu_);
  return At(vm).settings;
}

bool FakeConnector::SplitBrain() const {
  MutexLock lock(&mu_);
  return split_brain_;
}

absl::StatusOr<std::unique_ptr<Hypervisor>> FakeConnector::Connect(const std::string& qmp_socket,
                                                                   absl::Time deadline) {
  RunHook(qmp_socket, FakeCall::kConnect);
  MutexLock lock(&mu_);
  Record(qmp_socket, FakeCall::kConnect);
  if (absl::Status injected = calls_.Injected(qmp_socket, FakeCall::kConnect, false);
      !injected.ok()) {
    return injected;
  }
  const auto it = vms_.find(qmp_socket);
  if (it == vms_.end()) {
    return absl::NotFoundError(absl::StrCat("no monitor at ", qmp_socket));
  }
  if (!it->second.gone.ok()) {
    return absl::FailedPreconditionError(absl::StrCat("nobody listens at ", qmp_socket));
  }
  if (absl::Now() >= deadline) {
    return absl::DeadlineExceededError("the deadline was over before the call");
  }
  return std::unique_ptr<Hypervisor>(std::make_unique<FakeHypervisor>(
      this, qmp_socket, it->second.generation, it->second.events.size()));
}

FakeVm& FakeConnector::At(const std::string& vm) {
  const auto it = vms_.find(vm);
  if (it == vms_.end()) NoSuchVm(vm);
  return it->second;
}

const FakeVm& FakeConnector::At(const std::string& vm) const {
  const auto it = vms_.find(vm);
  if (it == vms_.end()) NoSuchVm(vm);
  return it->second;
}

FakeVm* FakeConnector::DestinationOf(const FakeVm& source) {
  const auto it = vms_.find(source.destination);
  const bool there = it != vms_.end() && it->second.gone.ok() && !source.to_file;
  return there ? &it->second : nullptr;
}

void FakeConnector::RunHook(const std::string& vm, FakeCall call) {
  std::function<void()> hook;
  {
    MutexLock lock(&mu_);
    hook = calls_.Hook(vm, call);
  }
  if (hook) hook();
}

void FakeConnector::Record(const std::string& vm, FakeCall call) {
  calls_.Count(vm, call);
  if (Changes(call)) actions_.push_back(absl::StrCat(vm, " ", Name(call)));
}

void FakeConnector::Changed() {
  for (const auto& [address, source] : vms_) {
    const auto it = vms_.find(source.destination);
    if (it == vms_.end() || !it->second.ever_ran) continue;
    if (source.gone.ok() && source.run_state() == "running") split_brain_ = true;
  }
  changed_.NotifyAll();
}

}  // namespace vuf
