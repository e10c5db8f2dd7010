// VMs in memory behind the port, for tests of what drives migrations.
//
//   FakeConnector fake;
//   fake.AddVm(source_facts);            // facts.qmp_socket is its address
//   fake.AddVm(destination_facts);       // run_state "inmigrate"
//   fake.Link("/run/a.qmp", "/run/b.qmp");
//   fake.SetOutcome("/run/a.qmp", FakeOutcome::kDestinationLoadFails);
//   ... run the code under test with &fake ...
//   EXPECT_THAT(fake.Actions(), ElementsAre("/run/b.qmp PrepareIncoming", ...));
//   EXPECT_FALSE(fake.SplitBrain());
#ifndef VUFD_SERVER_HYPERVISOR_FAKE_HYPERVISOR_H_
#define VUFD_SERVER_HYPERVISOR_FAKE_HYPERVISOR_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/fake_calls.h"
#include "server/base/mutex.h"
#include "server/hypervisor/fake_vm.h"
#include "server/hypervisor/hypervisor.h"
#include "server/model/vm.h"

namespace vuf {

enum class FakeCall {
  kConnect,
  kObserve,
  kObserveAgain,
  kQueryMigration,
  kQueryRunState,
  kQueryStanding,
  kQuerySettings,
  kConfigure,
  kPrepareIncoming,
  kStartOutgoing,
  kAwait,
  kMigrateContinue,
  kMigrateCancel,
  kCont,
  kQuit,
};

// Thread-safe. Must outlive its connections. Deadlines are real time.
class FakeConnector : public HypervisorConnector {
 public:
  // A null `clock`: facts are stamped with the real time.
  explicit FakeConnector(const Clock* clock = nullptr) : clock_(clock) {}

  using Failure = FakeFailure;

  // A second VM at the same address is a new QEMU: connections to the old one are lost.
  void AddVm(VmFacts facts);
  void Link(const std::string& source, const std::string& destination);
  void SetOutcome(const std::string& source, FakeOutcome outcome);
  // For every VM, also those added before.
  void SetBackEnds(FakeBackEnds back_ends);
  // Lets a migration that never converges reach pre-switchover.
  void Converge(const std::string& source);
  // The QEMU process is gone: UNAVAILABLE on open connections, nobody listens for new ones.
  void Die(const std::string& vm);
  // DEADLINE_EXCEEDED and UNAVAILABLE make the connection fail for good, as the port says.
  void Fail(const std::string& vm, FakeCall call, const Failure& failure);
  // Runs before the call takes effect, without a lock; replaces an earlier one.
  void Before(const std::string& vm, FakeCall call, const std::function<void()>& hook);
  // Changes what Observe tells from now on.
  void ChangeFacts(const std::string& vm, const std::function<void(VmFacts&)>& change);
  // The operator, or libvirt, does it behind vufd's back.
  absl::Status ContByOther(const std::string& vm);
  void StopByOther(const std::string& vm);

  // Calls that change something, in order: "/run/a.qmp StartOutgoing".
  std::vector<std::string> Actions() const;
  void ForgetActions();
  int CallCount(const std::string& vm, FakeCall call) const;
  bool Alive(const std::string& vm) const;
  std::string RunState(const std::string& vm) const;
  std::string MigrationStatus(const std::string& vm) const;
  MigrationSettings Settings(const std::string& vm) const;
  // The guest ran at the source after it had run at the destination, or at both at once.
  bool SplitBrain() const;

  absl::StatusOr<std::unique_ptr<Hypervisor>> Connect(const std::string& qmp_socket,
                                                      absl::Time deadline) override;

 private:
  friend class FakeHypervisor;

  absl::Time Now() const { return clock_ == nullptr ? absl::Now() : clock_->Now(); }
  FakeVm& At(const std::string& vm) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  const FakeVm& At(const std::string& vm) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  FakeVm* DestinationOf(const FakeVm& source) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RunHook(const std::string& vm, FakeCall call) ABSL_LOCKS_EXCLUDED(mu_);
  void Record(const std::string& vm, FakeCall call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // After every change: wakes Await, looks for a split brain.
  void Changed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Clock* const clock_;
  mutable Mutex mu_;
  CondVar changed_;
  FakeBackEnds back_ends_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, FakeVm> vms_ ABSL_GUARDED_BY(mu_);
  FakeCalls<FakeCall> calls_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> actions_ ABSL_GUARDED_BY(mu_);
  bool split_brain_ ABSL_GUARDED_BY(mu_) = false;
};

// One connection; for one thread.
class FakeHypervisor : public Hypervisor {
 public:
  FakeHypervisor(FakeConnector* world, std::string vm, uint64_t generation, size_t next_event)
      : world_(world), vm_(std::move(vm)), generation_(generation), next_event_(next_event) {}

  absl::StatusOr<VmFacts> Observe(absl::Time deadline) override;
  absl::StatusOr<VmFacts> ObserveAgain(const VmFacts& before, absl::Time deadline) override;
  absl::StatusOr<MigrationInfo> QueryMigration(absl::Time deadline) override;
  absl::StatusOr<std::string> QueryRunState(absl::Time deadline) override;
  absl::StatusOr<Standing> QueryStanding(absl::Time deadline) override;
  absl::StatusOr<MigrationSettings> QuerySettings(absl::Time deadline) override;
  absl::StatusOr<MigrationSettings> Configure(const MigrationSettings& settings,
                                              absl::Time deadline) override;
  absl::Status PrepareIncoming(int stream_fd, absl::Time deadline) override;
  absl::Status StartOutgoing(int stream_fd, absl::Time deadline) override;
  absl::StatusOr<MonitorEvent> Await(absl::Time deadline) override;
  absl::Status Do(Act act, absl::Time deadline) override;

 private:
  absl::StatusOr<VmFacts> Snapshot(FakeCall call, absl::Time deadline);
  // Everything that a call has in common; `effect` runs under the world's lock.
  absl::Status Call(FakeCall call, absl::Time deadline,
                    const std::function<absl::Status(FakeVm&)>& effect);
  // OK, or why this connection is of no use any more.
  absl::Status Usable() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(world_->mu_);
  absl::Status Keep(absl::Status status);
  absl::Status Perform(Act act, FakeVm& vm) ABSL_EXCLUSIVE_LOCKS_REQUIRED(world_->mu_);

  FakeConnector* const world_;
  const std::string vm_;
  const uint64_t generation_;
  size_t next_event_;
  absl::Status failed_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_HYPERVISOR_FAKE_HYPERVISOR_H_
