// Whether the keeper's session can be handed over: who drives it, and who may take it.
#include <set>

#include "absl/strings/str_format.h"
#include "server/decision/keeper.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

using Phase = KeeperFacts::Phase;
using Role = KeeperFacts::Role;

std::string RoleOf(const KeeperFacts::FrontEnd* front_end) {
  return front_end == nullptr ? "not among its front-ends" : ToText(front_end->role);
}

void CheckUnknown(const World& world, Report& report) {
  for (const DeviceView& device : world.devices()) {
    if (!IsKeeper(device)) continue;
    const Evidence<KeeperFacts>& evidence = device->back_end.keeper;
    if (!evidence.known()) {
      const std::string why = evidence.detail.empty() ? "nobody asked" : evidence.detail;
      report.Add(
          device.subject(),
          absl::StrFormat("The keeper did not say which session it keeps: %s.", why),
          {CitedFact{fact::kKeeper.name, "", true, Source::kNobody, absl::InfinitePast(), why}});
      continue;
    }
    const auto keeper = NeedKeeper(device, report);
    if (!keeper) continue;
    if (!(*keeper)->instance.empty() && !(*keeper)->session.empty() &&
        (*keeper)->phase != Phase::kUnknown) {
      continue;
    }
    report.Add(device.subject(), "The keeper's answer lacks its instance, session or phase.",
               {keeper->Cite()});
  }
}

void CheckOtherInstance(const World& world, Report& report) {
  for (const KeeperPair& pair : NeedKeeperPairs(world, report)) {
    const auto from = report.Need(pair.devices.source, fact::kProcess);
    const auto to = report.Need(pair.devices.destination, fact::kProcess);
    if (!from || !to) continue;
    if (*from == *to && pair.from->instance == pair.to->instance &&
        pair.from->session == pair.to->session) {
      continue;
    }
    report.Add(pair.devices.destination.subject(),
               absl::StrFormat("The source's session is %s of keeper %s (pid %d), and the "
                               "destination is connected to session %s of keeper %s (pid %d).",
                               pair.from->session, pair.from->instance, from->pid, pair.to->session,
                               pair.to->instance, to->pid),
               {pair.from.Cite(), pair.to.Cite(), from.Cite(), to.Cite()});
  }
}

void CheckDriver(const World& world, Report& report) {
  if (world.source_is_record()) return;
  for (const DeviceView& device : world.source_devices()) {
    const auto keeper = NeedKeeper(device, report);
    const auto socket = report.Need(device, fact::kSocket);
    if (!keeper || !socket) continue;
    const KeeperFacts::FrontEnd* const front_end = FrontEndOf(device, **keeper);
    if (front_end != nullptr && front_end->role == Role::kDriver) continue;
    report.Add(device.subject(),
               absl::StrFormat("To the keeper, this QEMU's connection (inode %u) is %s.",
                               socket->peer_inode, RoleOf(front_end)),
               {keeper->Cite(), socket.Cite()});
  }
}

void CheckIdle(const World& world, Report& report) {
  for (const DeviceView& device : world.destination_devices()) {
    const auto keeper = NeedKeeper(device, report);
    const auto socket = report.Need(device, fact::kSocket);
    if (!keeper || !socket) continue;
    const KeeperFacts::FrontEnd* const front_end = FrontEndOf(device, **keeper);
    if (front_end != nullptr && front_end->role == Role::kIdle) continue;
    report.Add(device.subject(),
               absl::StrFormat("To the keeper, the destination's connection (inode %u) is %s.",
                               socket->peer_inode, RoleOf(front_end)),
               {keeper->Cite(), socket.Cite()});
  }
}

// In the second stage of a sequential migration KEEPER_PERMIT_LOST says what must be in force.
void CheckBusy(const World& world, Report& report) {
  if (world.source_is_record()) return;
  for (const DeviceView& device : world.devices()) {
    const auto keeper = NeedKeeper(device, report);
    if (!keeper || (*keeper)->phase == Phase::kUnknown) continue;
    if ((*keeper)->phase == Phase::kNone && (*keeper)->permit.empty()) continue;
    report.Add(device.subject(),
               absl::StrFormat("The keeper is in phase %s of another hand-over, under permit "
                               "\"%s\".",
                               ToText((*keeper)->phase), (*keeper)->permit),
               {keeper->Cite()});
  }
}

// Inodes of all connections of both sides: with several devices a keeper may have been crossed
// over.
std::set<uint64_t> OwnConnections(const World& world) {
  std::set<uint64_t> own;
  for (const DeviceView& device : world.devices()) {
    if (device->back_end.socket.known()) own.insert(device->back_end.socket.value->peer_inode);
  }
  return own;
}

void CheckOthers(const World& world, Report& report) {
  // The destination may well be connected already, if nobody said which it is.
  if (!world.destination() && !world.facts().request.sequential) return;
  std::set<uint64_t> own;
  for (const DeviceView& device : LiveDevices(world)) {
    const auto keeper = NeedKeeper(device, report);
    if (!keeper) continue;
    if (own.empty()) own = OwnConnections(world);
    int others = 0;
    for (const KeeperFacts::FrontEnd& front_end : (*keeper)->front_ends) {
      if (own.count(front_end.socket_inode) == 0) ++others;
    }
    if (others == 0) continue;
    report.Add(device.subject(),
               absl::StrFormat("%d more front-end%s connected to the keeper.", others,
                               others == 1 ? " is" : "s are"),
               {keeper->Cite()});
  }
}

}  // namespace

VUFD_RULE(KEEPER_UNKNOWN) = {
    .hazards = "4",
    .retry_class = RetryClass::kOperator,
    .scope = Scope::kEachSide,
    .cause =
        "The device is served by vuf-keeper, and what it says of its session could not be had. "
        "Whether it can hand the session over, and to whom, is unknown.",
    .remedy =
        "Check that the keeper runs, that its control socket is where vufd expects it, and that "
        "the keeper serves vufd's user.",
    .check = CheckUnknown,
};

VUFD_RULE(KEEPER_OTHER_INSTANCE) = {
    .hazards = "6, 20, 25",
    .against = Against::kStateless,
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kPair,
    .cause =
        "The guest's session is in one keeper only, and the destination is connected to another "
        "one, or to another session: a second keeper, a restarted one, one of another host. The "
        "marker would be refused there.",
    .remedy =
        "Start the destination QEMU with the chardev path of the source's endpoint, in the same "
        "mount namespace.",
    .check = CheckOtherInstance,
};

VUFD_RULE(KEEPER_SOURCE_NOT_DRIVER) = {
    .hazards = "60",
    .side = "source",
    .scope = Scope::kSource,
    .cause =
        "The back-end does not serve this QEMU's rings: its session was handed over and it is "
        "fenced, or it never had it. The guest may be running in the QEMU that drives.",
    .remedy =
        "Find the QEMU that drives the session, and migrate that one. Do not resume this one.",
    .check = CheckDriver,
};

VUFD_RULE(KEEPER_DESTINATION_NOT_IDLE) = {
    .hazards = "22, 24",
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kDestination,
    .cause =
        "Only a connection that has driven nothing yet can take a session over. One that is "
        "fenced never can again.",
    .remedy = "Start a new destination QEMU with -S -incoming defer.",
    .check = CheckIdle,
};

VUFD_RULE(KEEPER_BUSY) = {
    .hazards = "26, 60",
    .retry_class = RetryClass::kWait,
    .scope = Scope::kEachSide,
    .cause = "A keeper does one hand-over at a time, and one is permitted or under way.",
    .remedy =
        "Wait until it is over. A permit that nobody used ends by itself; look for the migration "
        "that it names.",
    .check = CheckBusy,
};

VUFD_RULE(KEEPER_HAS_OTHER_FRONT_ENDS) = {
    .hazards = "26",
    .severity = Severity::kWarning,
    .cause =
        "Somebody else is connected to the endpoint. The keeper lets nobody but the two QEMUs of "
        "the hand-over near the rings; but it may be a leftover that was meant to be gone.",
    .remedy = "Quit QEMUs of earlier migrations that are no longer needed (vufctl endpoints).",
    .check = CheckOthers,
};

}  // namespace vuf
