// What the policies of a VM are selected by.
#ifndef VUFD_SERVER_MIGRATION_POLICY_SUBJECT_H_
#define VUFD_SERVER_MIGRATION_POLICY_SUBJECT_H_

#include <string>

#include "absl/time/time.h"
#include "server/model/facts.h"
#include "server/registry/registry.h"
#include "vuf/v1/peer.pb.h"

namespace vuf {

// Where the back-end's socket is: its own path as sock_diag saw it; QEMU's may be missing (7.2,
// passed descriptors).
std::string SocketPathOf(const FsDeviceFacts& device);

// Selects and merges the policies for `facts.source`, the VM of this name. Sets `policy` and
// `shadow_policy`.
void AddPolicies(const Registry::Snapshot& registry, const std::string& vm, absl::Time now,
                 Facts& facts);

// The same at the destination's agent, which knows the VM only from the source's: by its labels,
// and by the back-ends of `facts.destination`.
void AddIncomingPolicies(const Registry::Snapshot& registry, const v1::IncomingMigration& incoming,
                         absl::Time now, Facts& facts);

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_POLICY_SUBJECT_H_
