// A host with one VM that may migrate, for tests: fakes all around a real registry.
#ifndef VUFD_SERVER_MIGRATION_MIGRATION_WORLD_H_
#define VUFD_SERVER_MIGRATION_MIGRATION_WORLD_H_

#include <functional>
#include <memory>
#include <string>

#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/decisions/fake_decision_log.h"
#include "server/discovery/fake_discovery.h"
#include "server/hypervisor/fake_hypervisor.h"
#include "server/keeper/fake_keeper.h"
#include "server/migration/gather.h"
#include "server/migration/migrator.h"
#include "server/migration/transition_recorder.h"
#include "server/registry/registry.h"
#include "server/store/fake_store.h"

namespace vuf {

inline constexpr char kSource[] = "/run/a.qmp";
inline constexpr char kDestination[] = "/run/b.qmp";
inline constexpr char kSourceFs[] = "/run/a-fs.sock";
inline constexpr char kDestinationFs[] = "/run/b-fs.sock";
inline constexpr char kVm[] = "vms/guest";

// One vhost-user-fs device behind `fs_socket`; `run_state` as QEMU spells it.
VmFacts TestVm(const std::string& qmp_socket, const std::string& fs_socket, int pid,
               const std::string& run_state);
BackEndFacts TestBackEnd(const std::string& fs_socket, int pid);
// Allows when both monitors answer; the fingerprint is "f1".
Verdict AllowWhatAnswers(const Facts& facts);

// Fakes that belong together are asked together.
class WorldDiscovery : public FakeDiscovery {
 public:
  // Adds what another fake knows; set before Start.
  std::function<void(VmFacts&)> add;

  void ObserveBackEnds(VmFacts& vm, Look look, absl::Time deadline) override {
    FakeDiscovery::ObserveBackEnds(vm, look, deadline);
    if (add) add(vm);
  }
};

class MigrationWorld {
 public:
  MigrationWorld();
  virtual ~MigrationWorld();

  // Also another VM ("vms/other"), whose monitors are /run/c.qmp and /run/d.qmp.
  void AddOther();
  // A VM in the registry.
  void AddVm(const std::string& name, const std::string& qmp_socket);
  // Starts (again) what a start of vufd starts.
  void Start();
  absl::Status TryStart();
  // As kill -9 and a new start would: the threads are ended, then `before` may spoil the store.
  // Every test ends with this, and dies of a change of state that the table does not have.
  void Stop();

  v1::Migration Request() const;
  // With a request id of its own.
  absl::StatusOr<v1::Migration> Create(const v1::Migration& request);
  // Waits for the end.
  v1::Migration Await(const std::string& name);
  // Waits until `condition` holds, looking at every change.
  bool AwaitThat(const std::function<bool()>& condition);
  v1::Migration Migrate() { return Migrate(Request()); }
  v1::Migration Migrate(const v1::Migration& request);
  // As the store has it; empty: not there.
  v1::Migration Stored(const std::string& name);
  v1::Migration::State StoredState(const std::string& name) { return Stored(name).state(); }
  std::string RegisteredMonitor() const;
  bool SourceRuns() const { return Runs(kSource); }
  bool DestinationRuns() const { return Runs(kDestination); }
  bool Runs(const std::string& vm) const;
  bool Did(const std::string& action) const;

  SystemClock clock;
  FakeStore store;
  FakeConnector qemu;
  FakeKeeper keepers;
  FakeDecisionLog decisions;
  WorldDiscovery host;
  TransitionRecorder transitions;
  Migrator::Options options;
  // Whether Start returns only when everything that was left behind is settled.
  bool await_settled = true;
  std::unique_ptr<Registry> registry;
  std::unique_ptr<Gatherer> gatherer;
  std::unique_ptr<Migrator> migrator;

 private:
  int next_request_ = 0;
};

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_MIGRATION_WORLD_H_
