#include "server/base/host_port.h"

#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"

namespace vuf {
namespace {

// A host name is at most 253 bytes long.
constexpr size_t kMaxBytes = 259;

bool IsPort(absl::string_view text) {
  uint32_t port = 0;
  if (text.empty() || text.size() > 5 || text[0] == '0') return false;
  for (const char c : text) {
    if (!absl::ascii_isdigit(c)) return false;
  }
  return absl::SimpleAtoi(text, &port) && port <= 65535;
}

bool IsHost(absl::string_view text) {
  if (text.empty()) return false;
  if (text.front() == '[') {
    if (text.size() < 4 || text.back() != ']') return false;
    for (const char c : text.substr(1, text.size() - 2)) {
      if (!absl::ascii_isxdigit(c) && c != ':' && c != '.') return false;
    }
    return true;
  }
  for (const char c : text) {
    if (!absl::ascii_isalnum(c) && c != '-' && c != '.' && c != '_') return false;
  }
  return true;
}

}  // namespace

bool IsHostPort(absl::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos || text.size() > kMaxBytes) return false;
  return IsHost(text.substr(0, colon)) && IsPort(text.substr(colon + 1));
}

}  // namespace vuf
