// Between two different back-ends of which at least one is behind a keeper.
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "server/decision/keeper.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

void CheckPlain(const World& world, Report& report) {
  for (const DevicePair& pair : world.pairs()) {
    const auto from = report.Need(pair.source, fact::kKind);
    const auto to = report.Need(pair.destination, fact::kKind);
    if (!from || !to || IsKeeper(pair.source) == IsKeeper(pair.destination)) continue;
    report.Add(pair.destination.subject(),
               absl::StrFormat("The back-end is %s at the source and %s at the destination.",
                               ToText(*from), ToText(*to)),
               {from.Cite(), to.Cite()});
  }
}

void CheckSameKeeper(const World& world, Report& report) {
  for (const KeeperPair& pair : NeedKeeperPairs(world, report)) {
    if (pair.from->instance != pair.to->instance) continue;
    report.Add(pair.devices.destination.subject(),
               absl::StrFormat("Source and destination are connected to the same keeper, %s.",
                               pair.to->instance),
               {pair.from.Cite(), pair.to.Cite()});
  }
}

void CheckDeviceState(const World& world, Report& report) {
  for (const DeviceView& device : world.devices()) {
    const auto keeper = NeedKeeper(device, report);
    if (!keeper || ((*keeper)->back_end_protocol_features & kProtocolDeviceState) != 0) continue;
    report.Add(
        device.subject(),
        "The back-end behind the keeper lacks VHOST_USER_PROTOCOL_F_DEVICE_STATE.",
        {keeper->CiteAs("protocol features", ToText((*keeper)->back_end_protocol_features))});
  }
}

void CheckShare(const World& world, Report& report) {
  for (const KeeperPair& pair : NeedKeeperPairs(world, report)) {
    if (pair.from->instance == pair.to->instance) continue;
    std::vector<CitedFact> unknown;
    for (const DeviceView& device : {pair.devices.source, pair.devices.destination}) {
      const BackEndFacts& back_end = device->back_end;
      const auto cite = [&unknown](const char* name, const std::string& why) {
        unknown.push_back({name, "", true, Source::kNobody, absl::InfinitePast(), why});
      };
      if (!back_end.share.known()) cite(fact::kShare.name, back_end.share.detail);
      if (!back_end.options.known()) cite(fact::kOptions.name, back_end.options.detail);
    }
    if (unknown.empty()) continue;
    report.Add(pair.devices.destination.subject(),
               "Which directories the back-ends behind the two keepers share, and with which "
               "options, could not be compared.",
               std::move(unknown));
  }
}

}  // namespace

VUFD_RULE(KEEPER_TO_PLAIN_BACK_END) = {
    .hazards = "5, 14",
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kPair,
    .cause =
        "A keeper sends a marker, with the back-end's state behind it or without. Only another "
        "connection to a keeper understands it, and a keeper understands nothing else.",
    .remedy =
        "Serve the device through a keeper on both sides: for the stateless mode the source's "
        "own.",
    .check = CheckPlain,
};

VUFD_RULE(KEEPER_STATEFUL_SAME_KEEPER) = {
    .hazards = "22",
    .against = Against::kStateful,
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kPair,
    .cause =
        "The destination already has the source's back-end, which would have to load its own "
        "state into its own running session.",
    .remedy = "Permit the stateless mode, which is made for this.",
    .check = CheckSameKeeper,
};

VUFD_RULE(KEEPER_STATEFUL_WITHOUT_DEVICE_STATE) = {
    .hazards = "2, 9",
    .against = Against::kStateful,
    .scope = Scope::kEachSide,
    .cause = "The back-end behind the keeper can neither save nor load its state.",
    .remedy =
        "Permit the stateless mode and connect the destination to the source's keeper, or run "
        "virtiofsd 1.11 or later behind the keepers.",
    .check = CheckDeviceState,
};

VUFD_RULE(KEEPER_SHARE_UNKNOWN) = {
    .hazards = "31, 48",
    .against = Against::kStateful,
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kPair,
    .cause =
        "With another directory, even a copy, the guest's open files would lead into other files "
        "without an error; what is behind a keeper cannot be seen well enough to rule that out.",
    .remedy =
        "Connect the destination to the source's keeper and permit the stateless mode, or use "
        "back-ends without keepers on both sides.",
    .check = CheckShare,
};

}  // namespace vuf
