// What must not change between the decision and the switch-over.
#ifndef VUFD_SERVER_MIGRATION_IDENTITY_H_
#define VUFD_SERVER_MIGRATION_IDENTITY_H_

#include <string>
#include <vector>

#include "server/model/facts.h"

namespace vuf {

// Compares the facts at pre-switchover with those the verdict was given on: processes, devices,
// character devices, sockets, back-ends, shares, registered generations; and that the source is
// stopped for the switch-over while the destination still waits. One sentence for each change;
// empty: go on. A fact that was known and no longer is has changed. Pure.
//
// Not the plain Evaluate: its rules want a running source, and at pre-switchover there is none.
std::vector<std::string> ChangesSince(const Facts& decided, const Facts& now);

// The part of it that the registry alone tells, at any time: which endpoints of the VMs' devices
// have changed hands.
std::vector<std::string> EndpointChangesSince(const Facts& decided,
                                              const std::vector<RegisteredEndpoint>& now);

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_IDENTITY_H_
