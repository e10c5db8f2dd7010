// From the API's policies to what server/policy matches and merges.
#ifndef VUFD_SERVER_CONVERT_CONVERT_POLICY_H_
#define VUFD_SERVER_CONVERT_CONVERT_POLICY_H_

#include "absl/status/statusor.h"
#include "server/model/policy.h"
#include "server/policy/policy.h"
#include "vuf/v1/policy.pb.h"

namespace vuf {

// INVALID_ARGUMENT, with field, value and what is allowed, for what cannot be understood: a time of
// day, a time zone, a version. Everything else is checked by the service.
absl::StatusOr<Policy> PolicyFromProto(const v1::MigrationPolicy& policy);
Accepted AcceptedFromProto(const v1::Acknowledgement& acknowledgement);

// What is in force, setting by setting; nothing is said about what could not be observed.
v1::ExplainPolicyResponse ExplainMessage(const EffectivePolicy& policy);

}  // namespace vuf

#endif  // VUFD_SERVER_CONVERT_CONVERT_POLICY_H_
