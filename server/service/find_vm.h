// Looking up a VM that a caller names.
#ifndef VUFD_SERVER_SERVICE_FIND_VM_H_
#define VUFD_SERVER_SERVICE_FIND_VM_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/registry/registry.h"
#include "vuf/v1/vm.pb.h"

namespace vuf {

// Its record, as long as the snapshot is there. INVALID_ARGUMENT: not a VM's name; NOT_FOUND: it is
// not registered. Both name the `field` that has the name.
absl::StatusOr<const v1::Vm*> FindVm(const Registry::Snapshot& registry, absl::string_view field,
                                     const std::string& name);

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_FIND_VM_H_
