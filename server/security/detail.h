// What a refusal says to programs, as payloads of its absl::Status: google.rpc details, which the
// service puts into gRPC's trailer.
#ifndef VUFD_SERVER_SECURITY_DETAIL_H_
#define VUFD_SERVER_SECURITY_DETAIL_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace vuf {

// Adds an ErrorInfo of the domain "vufd".
absl::Status WithReason(absl::Status status, const std::string& reason,
                        const std::map<std::string, std::string>& metadata);
// Adds a RetryInfo.
absl::Status WithRetry(absl::Status status, absl::Duration delay);
// A serialized google.rpc.Status for "grpc-status-details-bin"; empty for a status without details.
std::string SerializedDetails(const absl::Status& status);

}  // namespace vuf

#endif  // VUFD_SERVER_SECURITY_DETAIL_H_
