// Checks of what callers send. Every error is INVALID_ARGUMENT and names the field, the value
// (escaped, shortened) and what is allowed.
#ifndef VUFD_SERVER_SERVICE_VALIDATE_H_
#define VUFD_SERVER_SERVICE_VALIDATE_H_

#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/map.h"
#include "google/protobuf/message.h"

namespace vuf {

// `value` in quotes, escaped and at most about 100 characters.
std::string Quoted(absl::string_view value);
absl::Status InvalidField(absl::string_view field, absl::string_view value,
                          absl::string_view allowed);

// "COLLECTION/{id}".
absl::Status CheckName(absl::string_view field, absl::string_view collection,
                       absl::string_view value);
// [a-z]([-a-z0-9]*[a-z0-9])?, at most 63 bytes.
absl::Status CheckId(absl::string_view field, absl::string_view value);
// An id made from free text ("Web Server_1" -> "web-server-1"); "" when nothing is left of it.
std::string IdFrom(absl::string_view text);
absl::Status CheckLabels(absl::string_view field,
                         const google::protobuf::Map<std::string, std::string>& labels);
// Absolute, no NUL, and short enough for a socket address.
absl::Status CheckSocketPath(absl::string_view field, absl::string_view value);
// 1 to 64 printable ASCII characters; empty only when not `required`.
absl::Status CheckRequestId(absl::string_view value, bool required = false);
absl::Status CheckDuration(absl::string_view field, const google::protobuf::Duration& value,
                           absl::Duration min, absl::Duration max);
// At most `max_bytes` of UTF-8 without control characters.
absl::Status CheckText(absl::string_view field, absl::string_view value, size_t max_bytes,
                       bool required = false);
// No other field of `message` is set.
absl::Status CheckOnlyFields(absl::string_view field, const google::protobuf::Message& message,
                             const std::set<std::string>& allowed);

// Why `wire` is no `message`: the first string field that is not UTF-8, or malformed bytes.
absl::Status ExplainParseFailure(const std::string& wire,
                                 const google::protobuf::Descriptor& message);

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_VALIDATE_H_
