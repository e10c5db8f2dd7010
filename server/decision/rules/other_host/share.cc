// The shared directory of two hosts. Device numbers say nothing there.
#include <algorithm>
#include <iterator>

#include "absl/strings/str_format.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"
#include "server/decision/tables.h"

namespace vuf {
namespace {

bool IsOnNetwork(const ShareId& share) {
  return std::find(std::begin(kNetworkFileSystems), std::end(kNetworkFileSystems),
                   share.file_system) != std::end(kNetworkFileSystems);
}

void CheckLocal(const World& world, Report& report) {
  if (world.same_machine()) return;
  for (const DeviceView& device : world.devices()) {
    const auto share = report.Need(device, fact::kShare);
    if (!share || IsOnNetwork(*share)) continue;
    report.Add(device.subject(),
               absl::StrFormat("The shared directory is on %s, which only its own host has.",
                               share->file_system),
               {share.Cite()});
  }
}

void CheckProven(const World& world, Report& report) {
  if (world.same_machine()) return;
  for (const DevicePair& pair : world.pairs()) {
    const auto from = report.Need(pair.source, fact::kShare);
    const auto to = report.Need(pair.destination, fact::kShare);
    if (!from || !to || !IsOnNetwork(*from) || !IsOnNetwork(*to)) continue;
    report.Add(pair.destination.subject(),
               absl::StrFormat("Both sides name %s, inode %d; that it is the same server and the "
                               "same directory there is not proved by that.",
                               from->mount_source, from->root.inode),
               {from.Cite(), to.Cite()});
  }
}

}  // namespace

VUFD_RULE(SHARE_IS_LOCAL) = {
    .hazards = "32",
    .side = "either",
    .scope = Scope::kEachSide,
    .cause =
        "The back-end's state says where files are, not what is in them. On another host's file "
        "system the guest's open files would lead nowhere, or into other files.",
    .remedy = "Share a directory that both hosts have mounted from the same server.",
    .check = CheckLocal,
};

VUFD_RULE(SHARE_NOT_PROVED_SAME) = {
    .hazards = "31, 32",
    .retry_class = RetryClass::kOperator,
    .acknowledgeable = true,
    .side = "destination",
    .scope = Scope::kPair,
    .cause =
        "A name and an inode can be the same on two servers. With another directory the migration "
        "succeeds and the guest's open files lead into other files, without an error. It was not "
        "tried on two machines.",
    .remedy =
        "Look on both hosts that it is the same export of the same server, then acknowledge it "
        "for this VM (vufctl acknowledge).",
    .check = CheckProven,
};

}  // namespace vuf
