#include "server/qmp/json_lines.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace vuf {
namespace {

// The parser itself has no limit. Counting brackets outside of strings is exact for valid JSON, and
// the rest is refused anyway.
bool TooDeep(absl::string_view line) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxJsonDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

}  // namespace

absl::Status LineSplitter::Append(absl::string_view bytes) {
  if (start_ > 0) {
    buffer_.erase(0, start_);
    searched_ -= start_;
    start_ = 0;
  }
  buffer_.append(bytes.data(), bytes.size());
  const size_t first_end = bytes.find('\n');
  const size_t last_end = bytes.rfind('\n');
  const bool ends = first_end != absl::string_view::npos;
  const size_t first = unfinished_ + (ends ? first_end : bytes.size());
  unfinished_ = ends ? bytes.size() - last_end - 1 : first;
  if (std::max(first, unfinished_) > max_line_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a line longer than ", max_line_, " bytes, beginning ", Excerpt(buffer_)));
  }
  return absl::OkStatus();
}

std::optional<std::string> LineSplitter::Next() {
  const size_t end = buffer_.find('\n', searched_);
  if (end == std::string::npos) {
    searched_ = buffer_.size();
    return std::nullopt;
  }
  std::string line = buffer_.substr(start_, end - start_);
  start_ = searched_ = end + 1;
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return line;
}

absl::StatusOr<nlohmann::json> ParseJsonObject(absl::string_view line) {
  if (TooDeep(line)) {
    return absl::InvalidArgumentError(
        absl::StrCat("JSON nested deeper than ", kMaxJsonDepth, " levels"));
  }
  nlohmann::json json = nlohmann::json::parse(line.begin(), line.end(), nullptr, false);
  if (json.is_discarded() || !json.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat("not a JSON object: ", Excerpt(line)));
  }
  return json;
}

std::string Excerpt(absl::string_view bytes) {
  constexpr size_t kLength = 120;
  return absl::StrCat("\"", absl::CHexEscape(bytes.substr(0, kLength)), "\"",
                      bytes.size() > kLength ? "..." : "");
}

}  // namespace vuf
