// Who is at the other end of the device's socket, and is it who it should be?
#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "server/decision/keeper.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

void CheckResolvable(const World& world, Report& report) {
  for (const DeviceView& device : world.devices()) {
    report.Need(device, fact::kChardevLabel);
    const auto chardev = report.Need(device, fact::kChardev);
    if (!chardev) continue;
    const bool server = absl::StrContains(chardev->filename, "server=on");
    if (!server && !chardev->socket_path.empty()) continue;
    report.Add(
        device.subject(),
        absl::StrFormat("The chardev \"%s\" %s.", chardev->filename,
                        server ? "listens instead of connecting" : "names no path of a socket"),
        {chardev.Cite()});
  }
}

void CheckRebound(const World& world, Report& report) {
  for (const DeviceView& device : world.devices()) {
    const auto socket = report.Need(device, fact::kSocket);
    if (!socket || socket->bound_file == socket->file_at_path) continue;
    report.Add(
        device.subject(),
        absl::StrFormat("The socket at %s is no longer the one the back-end was bound to "
                        "(then %s, now %s).",
                        socket->path, ToText(socket->bound_file), ToText(socket->file_at_path)),
        {socket.Cite()});
  }
}

void CheckFrontEnds(const World& world, Report& report) {
  for (const DeviceView& device : world.devices()) {
    // A keeper has several by design; KEEPER_HAS_OTHER_FRONT_ENDS looks at who they are.
    if (!report.Need(device, fact::kKind) || IsKeeper(device)) continue;
    const auto front_ends = report.Need(device, fact::kFrontEnds);
    if (!front_ends || *front_ends == 1) continue;
    report.Add(device.subject(),
               absl::StrFormat("%d front-ends are connected to the back-end's socket; it must be "
                               "this QEMU alone.",
                               *front_ends),
               {front_ends.Cite()});
  }
}

// A device and its counterpart may share a keeper: KEEPER_STATEFUL_SAME_KEEPER.
bool ShareKeeper(const DeviceView& a, const DeviceView& b) {
  return IsKeeper(a) && IsKeeper(b) && a.index == b.index && a.vm.side != b.vm.side;
}

// On two machines they cannot have the same.
bool AreComparable(const World& world, const DeviceView& a, const DeviceView& b) {
  return !ShareKeeper(a, b) && (a.vm.side == b.vm.side || world.same_machine());
}

// A device with others that must not have its back-end.
struct Candidate {
  int pid;
  uint64_t peer_inode;
  FileId bound_file;
  const DeviceView* device;
  Read<ProcessId> process;
  Read<SocketFacts> socket;

  bool SharesBackEnd(const Candidate& other) const {
    return pid == other.pid || peer_inode == other.peer_inode || bound_file == other.bound_file;
  }
};

std::vector<Candidate> Candidates(const World& world, Report& report) {
  const std::vector<DeviceView>& devices = world.devices();
  std::vector<Candidate> candidates;
  candidates.reserve(devices.size());
  for (const DeviceView& device : devices) {
    const bool has_others = std::any_of(devices.begin(), devices.end(), [&](const auto& other) {
      return &other != &device && AreComparable(world, device, other);
    });
    if (!has_others) continue;
    const auto process = report.Need(device, fact::kProcess);
    const auto socket = report.Need(device, fact::kSocket);
    if (!process || !socket) continue;
    candidates.push_back(
        {process->pid, socket->peer_inode, socket->bound_file, &device, process, socket});
  }
  return candidates;
}

// Among all devices of both sides, not only counterparts: destinations get crossed over too.
void CheckDistinct(const World& world, Report& report) {
  const std::vector<Candidate> candidates = Candidates(world, report);
  for (auto b = candidates.begin(); b != candidates.end(); ++b) {
    for (auto a = candidates.begin(); a != b; ++a) {
      if (!a->SharesBackEnd(*b) || !AreComparable(world, *a->device, *b->device)) continue;
      report.Add(b->device->subject(),
                 absl::StrFormat("It has the same back-end (pid %d, %s) as %s of the %s.", b->pid,
                                 b->socket->path, a->device->subject().name,
                                 a->device->vm.side == Side::kSource ? "source" : "destination"),
                 {a->process.Cite(), b->process.Cite(), a->socket.Cite(), b->socket.Cite()});
    }
  }
}

}  // namespace

VUFD_RULE(ENDPOINT_UNRESOLVABLE) = {
    .hazards = "63",
    .scope = Scope::kEachSide,
    .cause =
        "QEMU does not say which socket its device is connected to (an abstract or inherited "
        "socket, or one that QEMU listens on), so the back-end cannot be identified.",
    .remedy = "Give the device -chardev socket,id=ID,path=/absolute/path as a client.",
    .check = CheckResolvable,
};

VUFD_RULE(SOCKET_REBOUND) = {
    .hazards = "21",
    .retry_class = RetryClass::kOperator,
    .scope = Scope::kEachSide,
    .cause =
        "Somebody removed the socket's file or bound another one at its path. Who asks for "
        "the path now gets somebody else than QEMU has.",
    .remedy =
        "Stop whoever bound the other socket; restart this QEMU with its back-end if the "
        "file is gone.",
    .check = CheckRebound,
};

VUFD_RULE(BACK_END_NOT_EXCLUSIVE) = {
    .hazards = "24, 26",
    .retry_class = RetryClass::kOperator,
    .scope = Scope::kEachSide,
    .cause =
        "A back-end has one session for one front-end. At the destination it must be a fresh "
        "one, waiting for this migration only.",
    .remedy =
        "Disconnect the other front-end; at the destination, start a new back-end and a new "
        "QEMU.",
    .check = CheckFrontEnds,
};

VUFD_RULE(BACK_END_NOT_DISTINCT) = {
    .hazards = "22",
    .against = Against::kStateful,
    .retry_class = RetryClass::kOperator,
    .cause =
        "Two devices were given the same back-end. A back-end serves one connection; the "
        "destination would wait for it for ever, or end the source's session.",
    .remedy =
        "Start a back-end of its own, on a socket of its own and the same shared directory, "
        "for each device of the destination.",
    .check = CheckDistinct,
};

}  // namespace vuf
