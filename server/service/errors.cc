#include "server/service/errors.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "server/base/log.h"
#include "server/convert/convert.h"

namespace vuf {
namespace {

constexpr size_t kMaxMessage = 2048;

LogLevel LevelOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return LogLevel::kDebug;
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kUnknown:
      return LogLevel::kError;
    default:
      return LogLevel::kInfo;
  }
}

constexpr char kRetryInfo[] = "type.googleapis.com/google.rpc.RetryInfo";

// One field that is a message, as protobuf has it on the wire. Debian has no google/rpc/*.proto.
void WriteField(int number, const std::string& message,
                google::protobuf::io::CodedOutputStream& out) {
  constexpr int kLengthDelimited = 2;
  out.WriteTag(static_cast<uint32_t>(number << 3 | kLengthDelimited));
  out.WriteVarint32(static_cast<uint32_t>(message.size()));
  out.WriteString(message);
}

// google.rpc.RetryInfo { google.protobuf.Duration retry_delay = 1; }
std::string RetryInfo(absl::Duration delay) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream out(&stream);
  WriteField(1, ToProto(delay).SerializeAsString(), out);
  out.Trim();
  return bytes;
}

// google.rpc.Status { int32 code = 1; string message = 2; repeated google.protobuf.Any details = 3;
// }
std::string StatusWithDetail(const absl::Status& status, const std::string& message,
                             const std::string& retry_info) {
  google::protobuf::Any detail;
  detail.set_type_url(kRetryInfo);
  detail.set_value(retry_info);
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream out(&stream);
  out.WriteTag(1 << 3);
  out.WriteVarint32(static_cast<uint32_t>(status.code()));
  WriteField(2, message, out);
  WriteField(3, detail.SerializeAsString(), out);
  out.Trim();
  return bytes;
}

}  // namespace

void AddRetryInfo(absl::Duration delay, absl::Status& status) {
  status.SetPayload(kRetryInfo, absl::Cord(RetryInfo(delay)));
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  absl::string_view message = status.message();
  const bool cut = message.size() > kMaxMessage;
  message = message.substr(0, kMaxMessage);
  // Not in the middle of a character.
  const auto in_character = [&] { return (static_cast<unsigned char>(message.back()) & 0xC0); };
  while (cut && !message.empty() && in_character() == 0x80) message.remove_suffix(1);
  if (cut && !message.empty() && in_character() == 0xC0) message.remove_suffix(1);
  const std::string text = absl::StrCat(ValidUtf8(message), cut ? "..." : "");
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const absl::optional<absl::Cord> retry = status.GetPayload(kRetryInfo);
  if (!retry.has_value()) return grpc::Status(code, text);
  return grpc::Status(code, text, StatusWithDetail(status, text, std::string(*retry)));
}

std::string CodeName(const absl::Status& status) { return absl::StatusCodeToString(status.code()); }

void LogRpc(const std::string& method, const absl::Status& status, absl::Duration took) {
  Log(LevelOf(status.code()), "rpc ended",
      {{"method", method},
       {"code", CodeName(status)},
       {"took", took == absl::InfiniteDuration() ? "-" : absl::FormatDuration(took)},
       {"message", ValidUtf8(status.message())}});
}

}  // namespace vuf
