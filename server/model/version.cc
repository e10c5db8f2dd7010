#include "server/model/version.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace vuf {

std::string Version::ToString() const { return absl::StrFormat("%d.%d.%d", major, minor, micro); }

std::optional<Version> Version::Parse(absl::string_view text) {
  text = text.substr(0, text.find_first_of("-+~ "));
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '.');
  if (parts.empty() || parts.size() > 3) return std::nullopt;
  Version version;
  int* const fields[] = {&version.major, &version.minor, &version.micro};
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!absl::SimpleAtoi(parts[i], fields[i]) || *fields[i] < 0) return std::nullopt;
  }
  return version;
}

}  // namespace vuf
