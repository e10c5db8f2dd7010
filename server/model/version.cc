#include "server/model/version.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace vuf {
namespace {

bool ParseNumber(absl::string_view text, int* number) {
  return absl::SimpleAtoi(text, number) && *number >= 0;
}

}  // namespace

std::string Version::ToString() const { return absl::StrFormat("%d.%d.%d", major, minor, micro); }

std::optional<Version> Version::Parse(absl::string_view text) {
  text = text.substr(0, text.find_first_of("-+~ "));
  std::vector<absl::string_view> parts = absl::StrSplit(text, '.');
  if (parts.size() > 3) return std::nullopt;
  parts.resize(3, "0");
  Version version;
  if (!ParseNumber(parts[0], &version.major) || !ParseNumber(parts[1], &version.minor) ||
      !ParseNumber(parts[2], &version.micro)) {
    return std::nullopt;
  }
  return version;
}

}  // namespace vuf
