#include "server/migration/destination.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/migration/explain.h"

namespace vuf {
namespace {

// As long as QEMU may wait for a back-end with its monitor locked.
constexpr absl::Duration kPatience = absl::Seconds(30);
// An event ends it early.
constexpr absl::Duration kSlice = absl::Milliseconds(10);

absl::Status CheckDevices(const Evidence<std::vector<FsDeviceFacts>>& devices,
                          const Standing& standing) {
  if (!devices.known()) {
    return absl::FailedPreconditionError("the destination's devices are not known");
  }
  for (const FsDeviceFacts& device : *devices.value) {
    const auto found = standing.chardevs.find(device.chardev_label.value.value_or(""));
    if (found != standing.chardevs.end() && found->second.connected) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("the destination's device ", device.subject(), " has lost its back-end"));
  }
  return absl::OkStatus();
}

absl::Status CheckStanding(Monitor& destination, const Standing& standing, const VmFacts* judged) {
  if (standing.run_state != "paused") {
    return absl::FailedPreconditionError(absl::StrCat(
        "the destination's run state is \"", standing.run_state, "\" instead of \"paused\""));
  }
  if (judged != nullptr) return CheckDevices(judged->devices, standing);
  const absl::StatusOr<VmFacts> facts = destination.Observe();
  if (!facts.ok()) return Explain("looking at the destination QEMU", facts.status());
  return CheckDevices(facts->devices, standing);
}

}  // namespace

absl::Status AwaitLoaded(Monitor& destination, const VmFacts* judged, const Clock& clock,
                         absl::Time limit, const std::function<absl::Status()>& check_stop) {
  while (true) {
    if (absl::Status stop = check_stop(); !stop.ok()) return stop;
    absl::StatusOr<Standing> standing = destination.QueryStanding(kPatience);
    if (!standing.ok()) {
      return Explain("asking the destination QEMU whether it is done", standing.status());
    }
    const MigrationInfo& info = standing->migration;
    if (info.status == "completed") return CheckStanding(destination, *standing, judged);
    if (info.status == "failed" || clock.Now() >= limit) {
      return absl::FailedPreconditionError(
          absl::StrCat("the source has sent everything, but the destination's migration is \"",
                       info.status, "\": ", info.error_desc));
    }
    absl::StatusOr<MonitorEvent> event = destination.Await(kSlice);
    if (!event.ok()) return Explain("waiting for the destination QEMU", event.status());
  }
}

void AwaitItsEnd(Monitor& destination, const std::function<bool()>& go_on) {
  while (go_on()) {
    const absl::StatusOr<MonitorEvent> event = destination.Await(kSlice);
    if (!event.ok() || event->status == "completed" || event->status == "failed") return;
  }
}

absl::Status QuitDestination(Monitor& destination) {
  absl::Status quit = destination.Do(Hypervisor::Act::kQuit);
  if (quit.ok()) return quit;
  const absl::Status connected = destination.Reconnect();
  // The socket file is gone, or nobody listens on it.
  if (absl::IsNotFound(connected) || absl::IsFailedPrecondition(connected)) {
    return absl::OkStatus();
  }
  if (!connected.ok()) return connected;
  return destination.Do(Hypervisor::Act::kQuit);
}

std::string QuitOrTrap(Monitor& destination) {
  const absl::Status quit = QuitDestination(destination);
  if (quit.ok()) return "";
  return absl::StrCat(" The destination QEMU (", destination.socket(),
                      ") did not confirm that it quits (", quit.message(),
                      "): kill it before anything else; with `cont` it would be a second running "
                      "copy.");
}

std::string RunStateThatRan(Monitor& destination) {
  absl::StatusOr<std::string> state = destination.QueryRunState();
  if (!state.ok() && destination.Reconnect().ok()) state = destination.QueryRunState();
  if (!state.ok() || *state == "paused" || *state == "inmigrate") return "";
  return *state;
}

}  // namespace vuf
