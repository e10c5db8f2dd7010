// From the model to the API's messages.
#ifndef VUFD_SERVER_CONVERT_CONVERT_H_
#define VUFD_SERVER_CONVERT_CONVERT_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "server/model/back_end.h"
#include "server/model/verdict.h"
#include "server/model/vm.h"
#include "vuf/v1/migration.pb.h"
#include "vuf/v1/verdict.pb.h"
#include "vuf/v1/vm.pb.h"

namespace vuf {

// Bytes of the well-formed UTF-8 character that `text` begins with; 0 when there is none.
size_t Utf8CharacterLength(absl::string_view text);
// `text` with every malformed byte replaced by U+FFFD. What comes from a path, a command line or a
// monitor need not be UTF-8, and one bad byte would make the whole answer impossible to parse.
std::string ValidUtf8(absl::string_view text);

// Which QEMU the destination is, in one word.
std::string DestinationText(const v1::Destination& destination);
// Where the destination's QMP socket is on this host, or will be; "" when none is named.
const std::string& MonitorOf(const v1::Destination& destination);

// Out of range (absl's infinities too): the nearest that the message can hold.
google::protobuf::Timestamp ToProto(absl::Time time);
google::protobuf::Duration ToProto(absl::Duration duration);
absl::Duration FromProto(const google::protobuf::Duration& duration);
absl::Time FromProto(const google::protobuf::Timestamp& time);

v1::MigrationMode ToProto(Mode mode);
v1::Verdict ToProto(const Verdict& verdict);
v1::BackEnd ToProto(const BackEndFacts& back_end);
v1::FsDevice ToProto(const FsDeviceFacts& device);
// Fills uuid, guest_name, qemu_version, run_state, devices and observe_error.
void FillObserved(const VmFacts& facts, v1::Vm* vm);

}  // namespace vuf

#endif  // VUFD_SERVER_CONVERT_CONVERT_H_
