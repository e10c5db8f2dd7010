// From the registry's policies to what evaluations match against.
#ifndef VUFD_SERVER_REGISTRY_COMPILE_POLICIES_H_
#define VUFD_SERVER_REGISTRY_COMPILE_POLICIES_H_

#include <memory>
#include <vector>

#include "server/policy/policy_set.h"
#include "server/registry/registry.h"
#include "server/store/store.h"

namespace vuf {

// "migrationPolicies/default": both modes, on the same host, for everything, below every other.
v1::MigrationPolicy ShippedPolicy();

// A policy that cannot be understood any more (a time zone that an update took away) holds back
// what it matches, and says why.
std::shared_ptr<const PolicySet> CompilePolicies(const Registry::Snapshot& snapshot);

// Whether a set compiled before is out of date.
bool ChangesPolicies(const std::vector<Change>& changes);

}  // namespace vuf

#endif  // VUFD_SERVER_REGISTRY_COMPILE_POLICIES_H_
