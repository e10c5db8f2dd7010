#include "server/service/find_vm.h"

#include "absl/strings/str_cat.h"
#include "server/service/validate.h"

namespace vuf {

absl::StatusOr<const v1::Vm*> FindVm(const Registry::Snapshot& registry, absl::string_view field,
                                     const std::string& name) {
  const absl::Status checked = CheckName(field, "vms", name);
  if (!checked.ok()) return checked;
  const auto found = registry.vms.find(name);
  if (found != registry.vms.end()) return &found->second;
  return absl::NotFoundError(absl::StrCat(field, ": there is no VM ", Quoted(name)));
}

}  // namespace vuf
