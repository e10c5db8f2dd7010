// Protobuf text format, with every error and its place.
#ifndef VUFD_SERVER_CONFIG_TEXT_PROTO_H_
#define VUFD_SERVER_CONFIG_TEXT_PROTO_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace vuf {

// INVALID_ARGUMENT lists every error, each "line L:C: what".
absl::Status ParseTextProto(absl::string_view text, google::protobuf::Message* message);

// INVALID_ARGUMENT with one error per line, a broken file's not more than fit in a log; OK for
// none.
absl::Status ErrorsAsStatus(std::vector<std::string> errors);

}  // namespace vuf

#endif  // VUFD_SERVER_CONFIG_TEXT_PROTO_H_
