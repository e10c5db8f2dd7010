// Whom the kernel takes the back-ends for: the files that they make belong to that.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/decision/options.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

constexpr const char* kNeeded[] = {"gid", "gid_map", "uid", "uid_map"};

// Null: not there, which is reported.
const std::string* NeedId(const DeviceView& device, const Read<ProcessIds>& ids, const char* name,
                          Report& report) {
  const auto it = ids->find(name);
  if (it != ids->end() && !it->second.empty()) return &it->second;
  report.AddGap(device.subject(), absl::StrCat(fact::kIds.name, ".", name), "not observed");
  return nullptr;
}

void CheckIds(const World& world, Report& report) {
  for (const DevicePair& pair : world.pairs()) {
    if (!HandsOverFiles(pair.source) || !HandsOverFiles(pair.destination)) continue;
    const auto from = report.Need(pair.source, fact::kIds);
    const auto to = report.Need(pair.destination, fact::kIds);
    if (!from || !to) continue;
    for (const char* name : kNeeded) {
      const std::string* const source = NeedId(pair.source, from, name, report);
      const std::string* const destination = NeedId(pair.destination, to, name, report);
      if (source == nullptr || destination == nullptr || *source == *destination) continue;
      report.Add(pair.destination.subject(),
                 absl::StrFormat("The back-end's %s is \"%s\" at the source and \"%s\" at the "
                                 "destination.",
                                 name, *source, *destination),
                 {from.CiteAs(name, *source), to.CiteAs(name, *destination)});
    }
  }
}

void CheckLabel(const World& world, Report& report) {
  for (const DevicePair& pair : world.pairs()) {
    if (!HandsOverFiles(pair.source) || !HandsOverFiles(pair.destination)) continue;
    const auto from = report.Advise(pair.source, fact::kSecurityLabel);
    const auto to = report.Advise(pair.destination, fact::kSecurityLabel);
    if (!from || !to || *from == *to) continue;
    report.Add(pair.destination.subject(),
               absl::StrFormat("The back-end's security label is \"%s\" at the source and \"%s\" "
                               "at the destination.",
                               *from, *to),
               {from.Cite(), to.Cite()});
  }
}

}  // namespace

VUFD_RULE(BACK_END_IDS_DIFFER) = {
    .hazards = "41",
    .against = Against::kStateful,
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kPair,
    .cause =
        "The back-ends run as different users, or in user namespaces with different maps. The "
        "guest's files would be another user's, or no longer be accessible, without an error of "
        "the migration.",
    .remedy =
        "Start the destination's back-end as the source's user, in a user namespace with the same "
        "maps.",
    .check = CheckIds,
};

VUFD_RULE(BACK_END_LABEL_DIFFERS) = {
    .hazards = "41",
    .severity = Severity::kWarning,
    .against = Against::kStateful,
    .side = "destination",
    .scope = Scope::kPair,
    .cause =
        "SELinux or AppArmor may let the destination's back-end do less than the source's; the "
        "guest would get EACCES for it.",
    .remedy = "Start the destination's back-end with the source's context or profile.",
    .check = CheckLabel,
};

}  // namespace vuf
