#include "server/migration/identity.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

namespace vuf {
namespace {

std::string Text(const std::string& value) { return absl::StrCat("\"", value, "\""); }
std::string Text(const ProcessId& value) {
  return absl::StrCat("pid ", value.pid, " started at tick ", value.start_ticks);
}

// Collects the changes of one side.
class Comparison {
 public:
  Comparison(std::string side, std::vector<std::string>& changes)
      : side_(std::move(side)), changes_(changes) {}

  void Say(absl::string_view what) { changes_.push_back(absl::StrCat(side_, ": ", what)); }

  template <typename T>
  void Same(absl::string_view what, const Evidence<T>& before, const Evidence<T>& now) {
    if (before.value == now.value) return;
    if (!now.known()) {
      Say(absl::StrCat(what, " can no longer be told (", now.detail, ")"));
    } else {
      Say(absl::StrCat(what, " changed since the decision"));
    }
  }

  // The same, with the values in words.
  template <typename T>
  void SameValue(absl::string_view what, const Evidence<T>& before, const Evidence<T>& now) {
    if (before.value == now.value || !before.known() || !now.known()) {
      return Same(what, before, now);
    }
    Say(absl::StrCat(what, " changed since the decision from ", Text(*before.value), " to ",
                     Text(*now.value)));
  }

  void MustBe(absl::string_view what, const std::string& wanted, const Evidence<std::string>& now) {
    if (now.value == wanted) return;
    Say(absl::StrCat(what, " is ", now.known() ? Text(*now.value) : "unknown", " instead of ",
                     Text(wanted)));
  }

 private:
  const std::string side_;
  std::vector<std::string>& changes_;
};

// Which session a keeper keeps. What it does with it changes in every hand-over.
using Session = std::tuple<std::string, std::string, std::string>;
Evidence<Session> SessionOf(const Evidence<KeeperFacts>& keeper) {
  if (!keeper.known()) return Unknown<Session>(keeper.detail, keeper.source);
  return Known(Session(keeper.value->control_socket, keeper.value->instance, keeper.value->session),
               keeper.source, keeper.observed_at, keeper.detail);
}

// Who serves behind it.
using Kept = std::pair<std::string, ProcessId>;
Evidence<Kept> KeptOf(const Evidence<KeptBackEnd>& kept) {
  if (!kept.known()) return Unknown<Kept>(kept.detail, kept.source);
  return Known(Kept(kept.value->executable, kept.value->process), kept.source, kept.observed_at,
               kept.detail);
}

// Running and waiting for the disk come and go; stopped or dead back-ends hang the switch-over.
bool Runs(ProcessState state) {
  return state == ProcessState::kRunning || state == ProcessState::kUninterruptible;
}

void CompareBackEnds(const std::string& device, const BackEndFacts& before, const BackEndFacts& now,
                     Comparison& compare) {
  const auto what = [&](absl::string_view fact) {
    return absl::StrCat("the ", fact, " of device ", device);
  };
  compare.SameValue(what("back-end process"), before.process, now.process);
  compare.Same(what("back-end socket"), before.socket, now.socket);
  compare.SameValue(what("back-end executable"), before.executable, now.executable);
  compare.Same(what("back-end kind"), before.kind, now.kind);
  compare.Same(what("back-end version"), before.version, now.version);
  compare.Same(what("options"), before.options, now.options);
  compare.Same(what("back-end's capabilities"), before.effective_capabilities,
               now.effective_capabilities);
  compare.Same(what("shared directory"), before.share, now.share);
  compare.Same(what("number of front-ends"), before.front_ends, now.front_ends);
  compare.Same(what("back-end profile"), before.profile_modes, now.profile_modes);
  compare.Same(what("session at the keeper"), SessionOf(before.keeper), SessionOf(now.keeper));
  compare.Same(what("back-end behind the keeper"), KeptOf(before.kept), KeptOf(now.kept));
  if (!Runs(now.process_state.value.value_or(ProcessState::kUnknown))) {
    compare.Say(what("back-end process") + " is not running any more");
  }
  if (now.kept.known() && !Runs(now.kept.value->state)) {
    compare.Say(what("back-end behind the keeper") + " is not running any more");
  }
}

void CompareDevice(const FsDeviceFacts& before, const FsDeviceFacts& now, Comparison& compare) {
  const std::string& device = before.subject();
  const auto what = [&](absl::string_view fact) {
    return absl::StrCat("the ", fact, " of device ", device);
  };
  compare.SameValue(what("tag"), before.tag, now.tag);
  compare.Same(what("number of request queues"), before.request_queues, now.request_queues);
  compare.Same(what("queue size"), before.queue_size, now.queue_size);
  compare.SameValue(what("PCI address"), before.pci_address, now.pci_address);
  compare.SameValue(what("character device"), before.chardev_label, now.chardev_label);
  compare.SameValue(what("migration property"), before.migration_property, now.migration_property);
  compare.Same(what("character device's connection"), before.chardev, now.chardev);
  if (!now.chardev.known() || !now.chardev.value->connected) {
    compare.Say(what("character device") + " is not connected to its back-end");
  }
  CompareBackEnds(device, before.back_end, now.back_end, compare);
}

void CompareDevices(const VmFacts& before, const VmFacts& now, Comparison& compare) {
  if (!before.devices.known() || !now.devices.known()) {
    return compare.Say("the vhost-user-fs devices could not be listed");
  }
  const std::vector<FsDeviceFacts>& then = *before.devices.value;
  const auto find = [](const std::vector<FsDeviceFacts>& devices, const std::string& path) {
    return std::find_if(devices.begin(), devices.end(),
                        [&](const FsDeviceFacts& device) { return device.qom_path == path; });
  };
  for (const FsDeviceFacts& device : then) {
    const auto it = find(*now.devices.value, device.qom_path);
    if (it == now.devices.value->end()) {
      compare.Say(absl::StrCat("device ", device.subject(), " was unplugged since the decision"));
    } else {
      CompareDevice(device, *it, compare);
    }
  }
  for (const FsDeviceFacts& device : *now.devices.value) {
    if (find(then, device.qom_path) == then.end()) {
      compare.Say(absl::StrCat("device ", device.subject(), " was plugged since the decision"));
    }
  }
}

void CompareVms(const VmFacts& before, const VmFacts& now, Comparison& compare) {
  if (!now.monitor.known()) {
    return compare.Say(absl::StrCat("the monitor does not answer: ", now.monitor.detail));
  }
  compare.SameValue("the QEMU process", before.process, now.process);
  compare.SameValue("the UUID", before.uuid, now.uuid);
  compare.SameValue("the machine type", before.machine_type, now.machine_type);
  compare.Same("the QEMU version", before.qemu_version, now.qemu_version);
  compare.Same("-S on the command line", before.started_paused, now.started_paused);
  compare.Same("the memory", before.memory_backends, now.memory_backends);
  CompareDevices(before, now, compare);
}

// While memory is copied the guest does what it did; QEMU stops it just before pre-switchover.
void CompareProgress(const VmFacts& before, const VmFacts& now, Comparison& compare) {
  const std::string status = now.migration_status.value.value_or("");
  const bool copying = status == "setup" || status == "active";
  if (!copying) compare.MustBe("the migration status", "pre-switchover", now.migration_status);
  if (copying && now.run_state.value == before.run_state.value) return;
  compare.MustBe("the run state", "finish-migrate", now.run_state);
}

// Who serves the endpoint now, when that is no longer who was judged.
std::string NowServed(const RegisteredEndpoint& before, const RegisteredEndpoint& now) {
  if (before.process == now.process || !before.process.has_value()) return "";
  return absl::StrCat(" (its back-end, ", Text(*before.process), ", has ended or left; ",
                      now.process.has_value() ? Text(*now.process) : "nobody", " serves it now)");
}

void CompareDestinations(const VmFacts& before, const VmFacts& now,
                         std::vector<std::string>& changes) {
  Comparison destination("destination", changes);
  CompareVms(before, now, destination);
  if (now.monitor.known()) destination.MustBe("the run state", "inmigrate", now.run_state);
}

std::set<std::string> SocketsOf(const Facts& facts) {
  std::set<std::string> sockets;
  std::vector<const VmFacts*> vms = {&facts.source};
  if (facts.destination.has_value()) vms.push_back(&*facts.destination);
  for (const VmFacts* vm : vms) {
    if (!vm->devices.known()) continue;
    for (const FsDeviceFacts& device : *vm->devices.value) {
      if (device.back_end.socket.known()) sockets.insert(device.back_end.socket.value->path);
    }
  }
  return sockets;
}

}  // namespace

std::vector<std::string> EndpointChangesSince(const Facts& decided,
                                              const std::vector<RegisteredEndpoint>& now) {
  std::vector<std::string> changes;
  const std::set<std::string> used = SocketsOf(decided);
  for (const RegisteredEndpoint& before : decided.endpoints) {
    if (used.count(before.socket_path) == 0) continue;
    const auto it = std::find_if(now.begin(), now.end(),
                                 [&](const auto& other) { return other.name == before.name; });
    if (it == now.end()) {
      changes.push_back(absl::StrCat("registry: ", before.name, " was deleted since the decision"));
    } else if (it->generation != before.generation || it->process != before.process) {
      changes.push_back(absl::StrCat("registry: ", before.name, " changed since the decision",
                                     NowServed(before, *it)));
    }
  }
  return changes;
}

std::vector<std::string> ChangesSince(const Facts& decided, const Facts& now) {
  std::vector<std::string> changes;
  const bool sequential = decided.request.sequential;
  if (!sequential && (!decided.destination.has_value() || !now.destination.has_value())) {
    return {"destination: it is not known"};
  }
  Comparison host("host", changes);
  host.SameValue("the boot id", decided.boot_id, now.boot_id);
  Comparison source("source", changes);
  // Its own agent looks at it.
  const bool elsewhere =
      decided.other_host.has_value() && decided.other_host->side == Side::kSource;
  if (!elsewhere) CompareVms(decided.source, now.source, source);
  if (!elsewhere && now.source.monitor.known()) {
    CompareProgress(decided.source, now.source, source);
  }
  if (!sequential) CompareDestinations(*decided.destination, *now.destination, changes);
  const std::vector<std::string> registered = EndpointChangesSince(decided, now.endpoints);
  changes.insert(changes.end(), registered.begin(), registered.end());
  return changes;
}

}  // namespace vuf
