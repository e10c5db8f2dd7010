// One VM of the fake: what QEMU would hold in memory, and how a migration moves it.
#ifndef VUFD_SERVER_HYPERVISOR_FAKE_VM_H_
#define VUFD_SERVER_HYPERVISOR_FAKE_VM_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/hypervisor/hypervisor.h"
#include "server/model/vm.h"

namespace vuf {

// How the next migration of a source goes.
enum class FakeOutcome {
  kCompletes,
  // The source stays `active` until it is cancelled, or FakeConnector::Converge.
  kNeverConverges,
  // `failed` instead of pre-switchover; the guest never stopped.
  kFailsWhileActive,
  // `failed` after migrate-continue (the DEVICE_STATE case of QEMU 8.2 and later); the guest goes
  // on at the source.
  kFailsAtSwitchover,
  // The destination cannot load the state. The source hears of it only with return-path.
  kDestinationLoadFails,
  // The destination's QEMU is gone after migrate-continue.
  kDestinationDies,
  // The source's QEMU is gone after migrate-continue; the destination has the whole state.
  kSourceDiesAfterSwitchover,
  // `device` for ever.
  kStuckAtSwitchover,
  // The source completes, the destination says `active` for ever.
  kDestinationNeverReports,
};

// What the devices of a VM do with their back-ends, all at once; each is told the VM's monitor.
// Unset: nothing, and well. Called with the fake's lock held, so they must not call the fake.
struct FakeBackEnds {
  // The source writes their state into the stream, the destination reads it.
  std::function<absl::Status(const std::string& vm)> save;
  std::function<absl::Status(const std::string& vm)> load;
  // The guest runs.
  std::function<void(const std::string& vm)> start;
  // The QEMU is gone.
  std::function<void(const std::string& vm)> gone;
};

struct FakeVm {
  explicit FakeVm(VmFacts vm_facts);

  VmFacts facts;
  MigrationInfo migration;
  MigrationSettings settings;
  FakeOutcome outcome = FakeOutcome::kCompletes;
  // Monitor path of the VM that StartOutgoing reaches.
  std::string destination;
  bool incoming_prepared = false;
  // The stream goes to a file, so nobody is at its other end.
  bool to_file = false;
  // Where `failed` and `cancelled` return to.
  std::string run_state_before;
  std::vector<MonitorEvent> events;
  // The guest ran here at some time.
  bool ever_ran = false;
  // OK: alive.
  absl::Status gone;
  uint64_t generation = 0;
  const FakeBackEnds* back_ends = nullptr;

  const std::string& run_state() const { return *facts.run_state.value; }
  bool has(const std::string& capability) const;
  void Emit(const std::string& event);
  void SetStatus(const std::string& status, const std::string& error = "");
  void SetRunState(const std::string& run_state);
  void Stop(const std::string& run_state);
  void Run();
  void End();
  absl::Status Save() const;
  absl::Status Load() const;
  // What the monitor would tell now.
  VmFacts Snapshot(absl::Time now) const;
  absl::StatusOr<MigrationSettings> Configure(const MigrationSettings& wanted);
  absl::Status PrepareIncoming();
};

bool FakeInProgress(const FakeVm& vm);
// `destination` may be null: nobody is at the other end of the stream.
absl::Status FakeStart(FakeVm& source, FakeVm* destination);
// What PrepareIncoming leads to when the stream is a file; the VM's own outcome says how it goes.
void FakeLoadFile(FakeVm& vm);
void FakeConverge(FakeVm& source, FakeVm* destination);
absl::Status FakeContinue(FakeVm& source, FakeVm* destination);
void FakeCancel(FakeVm& source, FakeVm* destination);
absl::Status FakeCont(FakeVm& vm);

}  // namespace vuf

#endif  // VUFD_SERVER_HYPERVISOR_FAKE_VM_H_
