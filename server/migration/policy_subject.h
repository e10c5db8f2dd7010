// What the policies of a VM are selected by.
#ifndef VUFD_SERVER_MIGRATION_POLICY_SUBJECT_H_
#define VUFD_SERVER_MIGRATION_POLICY_SUBJECT_H_

#include <string>

#include "absl/time/time.h"
#include "server/model/facts.h"
#include "server/registry/registry.h"

namespace vuf {

// Where the back-end's socket is: its own path as sock_diag saw it; QEMU's may be missing (7.2,
// passed descriptors).
std::string SocketPathOf(const FsDeviceFacts& device);

// Selects and merges the policies for `facts.source`, the VM of this name. Sets `policy` and
// `shadow_policy`.
void AddPolicies(const Registry::Snapshot& registry, const std::string& vm, absl::Time now,
                 Facts& facts);

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_POLICY_SUBJECT_H_
