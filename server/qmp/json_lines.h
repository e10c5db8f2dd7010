// QMP's framing: one JSON object per line, from a peer that may send anything.
#ifndef VUFD_SERVER_QMP_JSON_LINES_H_
#define VUFD_SERVER_QMP_JSON_LINES_H_

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace vuf {

// Cuts a byte stream into lines. Holds at most one unfinished line of `max_line` bytes, and what
// one Append brought.
class LineSplitter {
 public:
  explicit LineSplitter(size_t max_line) : max_line_(max_line) {}

  // RESOURCE_EXHAUSTED: the line that `bytes` belongs to is longer than allowed.
  absl::Status Append(absl::string_view bytes);
  // The next finished line, without its end.
  std::optional<std::string> Next();
  // Bytes of a line that has not ended.
  size_t pending() const { return unfinished_; }

 private:
  const size_t max_line_;
  std::string buffer_;
  // Lines before it were handed out.
  size_t start_ = 0;
  // No line end between start_ and here.
  size_t searched_ = 0;
  // Length of the last line, which has not ended.
  size_t unfinished_ = 0;
};

inline constexpr int kMaxJsonDepth = 64;

// INVALID_ARGUMENT: not a JSON object, nested deeper than kMaxJsonDepth, or not UTF-8. The message
// quotes the beginning.
absl::StatusOr<nlohmann::json> ParseJsonObject(absl::string_view line);

// Printable and short, to be quoted in an error.
std::string Excerpt(absl::string_view bytes);

}  // namespace vuf

#endif  // VUFD_SERVER_QMP_JSON_LINES_H_
