#include "server/config/config.h"

#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/read_file.h"
#include "server/config/text_proto.h"
#include "server/config/validate.h"
#include "vuf/config/v1/config.pb.h"

namespace vuf {
namespace {

constexpr size_t kMaxBytes = 1 << 20;

}  // namespace

absl::StatusOr<Config> ParseConfig(absl::string_view text) {
  if (text.size() > kMaxBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("the configuration is larger than ", kMaxBytes, " bytes"));
  }
  config::v1::Config message;
  // After an error the rest of the text has not been read: judging it would add false errors.
  if (absl::Status parsed = ParseTextProto(text, &message); !parsed.ok()) return parsed;
  std::vector<std::string> errors;
  Config config = ValidateConfig(message, &errors);
  if (absl::Status status = ErrorsAsStatus(std::move(errors)); !status.ok()) return status;
  return config;
}

absl::StatusOr<Config> LoadConfig(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile("configuration", path, kMaxBytes + 1);
  if (!text.ok()) return text.status();
  absl::StatusOr<Config> config = ParseConfig(*text);
  if (config.ok()) return config;
  return absl::Status(config.status().code(),
                      absl::StrCat("configuration \"", path, "\":\n", config.status().message()));
}

}  // namespace vuf
