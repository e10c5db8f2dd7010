// What a policy and an acknowledgement may say.
#ifndef VUFD_SERVER_SERVICE_POLICY_REQUEST_H_
#define VUFD_SERVER_SERVICE_POLICY_REQUEST_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "vuf/v1/policy.pb.h"

namespace vuf {

// INVALID_ARGUMENT names the field, its value and what is allowed. Names, ids and request ids are
// not looked at.
absl::Status CheckPolicy(const v1::MigrationPolicy& policy);
// FAILED_PRECONDITION: the code is of a blocker that nobody may acknowledge.
absl::Status CheckAcknowledgement(const v1::Acknowledgement& acknowledgement, absl::Time now);

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_POLICY_REQUEST_H_
