// Mounts below the shared directory: the same on both sides.
#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "server/decision/options.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

// There may be thousands; a message needs no more.
constexpr size_t kNamed = 3;

std::string OnlyIn(const std::set<std::string>& these, const std::set<std::string>& those) {
  std::vector<std::string> only;
  std::set_difference(these.begin(), these.end(), those.begin(), those.end(),
                      std::back_inserter(only));
  if (only.empty()) return "none";
  const size_t more = only.size() - std::min(only.size(), kNamed);
  only.resize(std::min(only.size(), kNamed));
  return absl::StrCat(absl::StrJoin(only, "; "), more > 0 ? absl::StrCat("; ", more, " more") : "");
}

void Check(const World& world, Report& report) {
  for (const DevicePair& pair : world.pairs()) {
    if (!HandsOverFiles(pair.source) || !HandsOverFiles(pair.destination)) continue;
    const auto from = report.Need(pair.source, fact::kSubmounts);
    const auto to = report.Need(pair.destination, fact::kSubmounts);
    if (!from || !to || *from == *to) continue;
    const std::string source_only = OnlyIn(*from, *to);
    const std::string destination_only = OnlyIn(*to, *from);
    report.Add(pair.destination.subject(),
               absl::StrFormat("Below the shared directory other file systems are mounted than at "
                               "the source. At the source only: %s. At the destination only: %s.",
                               source_only, destination_only),
               {from.CiteAs("", source_only), to.CiteAs("", destination_only)});
  }
}

}  // namespace

VUFD_RULE(SUBMOUNTS_DIFFER) = {
    .hazards = "38",
    .against = Against::kStateful,
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kPair,
    .cause =
        "Files in a mount that the other side does not have are not found there, or others of the "
        "same name are found in their place, without an error.",
    .remedy =
        "Mount the same file systems below the share for both back-ends (start both in one mount "
        "namespace), or start a new destination back-end after mounting.",
    .check = Check,
};

}  // namespace vuf
