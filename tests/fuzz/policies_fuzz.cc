// The policy file: never a crash, and whatever is accepted names each policy once and has nothing
// in it that the API would refuse.
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "server/service/policy_file.h"
#include "server/service/policy_request.h"
#include "tests/fuzz/fuzz.h"

namespace {

constexpr char kGood[] =
    "migration_policies { name: \"migrationPolicies/a\" priority: 5 max_concurrent: 1 "
    "selector { vms: \"vms/a\" vm_labels { key: \"k\" value: \"v\" } } "
    "windows { days: 1 start: \"22:00\" duration { seconds: 14400 } time_zone: \"UTC\" } "
    "convergence { after { seconds: 60 } throttle_percent: 40 } "
    "hold { holder: \"h\" reason: \"r\" expire_time { seconds: 9 } } }";

void Try(absl::string_view text) {
  const auto policies = vuf::ParsePolicies(text);
  if (!policies.ok()) {
    vuf::Require(absl::IsInvalidArgument(policies.status()) &&
                 !policies.status().message().empty());
    return;
  }
  std::set<std::string> names;
  for (const vuf::v1::MigrationPolicy& policy : *policies) {
    vuf::Require(absl::StartsWith(policy.name(), "migrationPolicies/"));
    vuf::Require(names.insert(policy.name()).second);
    vuf::Require(vuf::CheckPolicy(policy).ok());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Try({reinterpret_cast<const char*>(data), size});
  Try(vuf::Damaged(kGood, data, size));
  return 0;
}
