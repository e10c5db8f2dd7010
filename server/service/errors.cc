#include "server/service/errors.h"

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/convert/convert.h"
#include "server/security/detail.h"

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

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  absl::string_view message = status.message();
  const bool cut = message.size() > kMaxMessage;
  message = message.substr(0, kMaxMessage);
  // Not in the middle of a character.
  const auto in_character = [&] { return (static_cast<unsigned char>(message.back()) & 0xC0); };
  while (cut && !message.empty() && in_character() == 0x80) message.remove_suffix(1);
  if (cut && !message.empty() && in_character() == 0xC0) message.remove_suffix(1);
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      absl::StrCat(ValidUtf8(message), cut ? "..." : ""),
                      SerializedDetails(status));
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
