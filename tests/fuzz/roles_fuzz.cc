// The roles file: never a crash, and whatever is accepted gives nobody a role whom it does not
// name.
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "server/security/roles.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<vuf::RoleBindings> bindings = vuf::RoleBindings::Parse(text);
  if (!bindings.ok()) {
    vuf::Require(absl::IsInvalidArgument(bindings.status()) &&
                 !bindings.status().message().empty());
    return 0;
  }
  // No binding can be for these, whatever it says.
  for (const char* const nobody : {"", "*", "uid:", "uid:4294967295", "spiffe://", "dns:*"}) {
    vuf::Require(bindings->RolesOf(vuf::Identity{{nobody}}).Text() == "no role");
  }
  vuf::Require(bindings->RolesOf(vuf::Identity()).Text() == "no role");
  return 0;
}
