#include "server/migration/hand_over.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/convert/convert.h"
#include "server/migration/explain.h"
#include "server/migration/state_file.h"

namespace vuf {
namespace {

constexpr absl::Duration kSlice = absl::Milliseconds(20);
constexpr absl::Duration kRegistryTimeout = absl::Seconds(10);

// After a `cont` that was accepted. Its event comes before its answer; a guest that has just been
// started lets its QEMU answer further questions late.
bool SaidResume(Monitor& destination) {
  while (true) {
    const absl::StatusOr<MonitorEvent> event = destination.Await(absl::ZeroDuration());
    if (!event.ok() || event->name.empty()) return false;
    if (event->name == "RESUME") return true;
  }
}

}  // namespace

absl::Status StartDestination(Monitor& destination, const Clock& clock, absl::Time limit,
                              bool seen_paused) {
  absl::Status last;
  if (seen_paused) {
    last = destination.Do(Hypervisor::Act::kCont);
    if (last.ok() && SaidResume(destination)) return last;
  }
  while (true) {
    // Never a blind `cont`: it is repeated after an answer that was lost.
    absl::StatusOr<Standing> standing = destination.WhereItStands(limit);
    if (!standing.ok()) return standing.status();
    if (standing->run_state == "running") return absl::OkStatus();
    if (standing->run_state != "paused") {
      return absl::FailedPreconditionError(
          absl::StrCat("the destination's run state is ", standing->run_state));
    }
    if (!last.ok() && clock.Now() >= limit) return last;
    if (!last.ok()) absl::SleepFor(kSlice);
    const absl::Status cont = destination.Do(Hypervisor::Act::kCont);
    last =
        cont.ok() ? absl::DeadlineExceededError("`cont` was accepted but it does not run") : cont;
  }
}

std::string NotStarted(const std::string& destination_socket, const absl::Status& why) {
  return absl::StrCat(
      "Committed: the VM belongs to the destination, which holds the whole state, but it could not "
      "be seen running: ",
      why.message(), ". Look at ", destination_socket,
      " and resume the guest there. Do not resume the source unless the destination QEMU is gone "
      "and never ran the guest.");
}

void ShowOutcome(Ledger& ledger, const std::string& migration, Monitor& source) {
  const absl::StatusOr<MigrationInfo> info = source.QueryMigration();
  if (info.ok()) ShowProgress(ledger, migration, *info);
}

std::string RecordNewMonitor(Registry& registry, const Clock& clock,
                             const v1::Migration& migration) {
  const std::string& socket = MonitorOf(migration.destination());
  const absl::Status status = registry
                                  .UpdateVm(
                                      migration.vm(),
                                      [&](v1::Vm& vm) {
                                        vm.set_qmp_socket(socket);
                                        return absl::OkStatus();
                                      },
                                      clock.Now() + kRegistryTimeout)
                                  .status();
  if (status.ok()) return "";
  return absl::StrCat(" The registry still names the source's monitor for ", migration.vm(), " (",
                      status.message(), "): remove the VM and register it with ", socket, ".");
}

std::string QuitSource(Monitor& source) {
  absl::Status quit = source.Do(Hypervisor::Act::kQuit);
  if (quit.ok()) return "";
  const absl::Status connected = source.Reconnect();
  // The socket file is gone, or nobody listens on it.
  if (absl::IsNotFound(connected) || absl::IsFailedPrecondition(connected)) return "";
  if (connected.ok()) quit = source.Do(Hypervisor::Act::kQuit);
  if (quit.ok()) return "";
  return absl::StrCat(" The source QEMU (", source.socket(), ") did not quit: ", quit.message(),
                      ". It is stopped and must never be resumed.");
}

std::string ForgetSaved(SavedGuests& saved, const std::string& vm, const std::string& state_file) {
  absl::Status gone = saved.Erase(vm);
  if (gone.ok()) gone = StateFile::Remove(state_file);
  return gone.ok() ? "" : absl::StrCat(" Of no use any more, but left: ", gone.message(), ".");
}

}  // namespace vuf
