#include "server/service/paging.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/service/validate.h"

namespace vuf {
namespace {

constexpr int32_t kDefaultSize = 50;
constexpr int32_t kMaxSize = 1000;
constexpr size_t kMaxToken = 1024;
constexpr size_t kDigestLength = 16;

// FNV-1a: a guard against mix-ups, not against an attacker, who could list from anywhere anyway.
std::string Digest(absl::string_view request, absl::string_view key) {
  uint64_t hash = 14695981039346656037u;
  for (const char c : absl::StrCat(request, absl::string_view("\0", 1), key)) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }
  return absl::StrFormat("%016x", hash);
}

}  // namespace

absl::StatusOr<Page> Page::Begin(absl::string_view request, int32_t page_size,
                                 const std::string& page_token) {
  if (page_size < 0) {
    return InvalidField("page_size", absl::StrCat(page_size), "0 (for 50) to 1000");
  }
  if (page_size == 0) page_size = kDefaultSize;
  std::string after;
  if (!page_token.empty()) {
    std::string plain;
    const bool decoded =
        page_token.size() <= kMaxToken && absl::WebSafeBase64Unescape(page_token, &plain);
    if (decoded && plain.size() > kDigestLength) after = plain.substr(kDigestLength);
    if (after.empty() || plain.substr(0, kDigestLength) != Digest(request, after)) {
      return InvalidField("page_token", page_token,
                          "next_page_token of the previous answer to the same request");
    }
  }
  return Page(std::string(request), static_cast<size_t>(std::min(page_size, kMaxSize)),
              std::move(after));
}

bool Page::Takes(const std::string& key) {
  if (more_ || key <= after_) return false;
  if (left_ == 0) {
    more_ = true;
    return false;
  }
  --left_;
  after_ = key;
  return true;
}

std::string Page::NextToken() const {
  if (!more_) return "";
  return absl::WebSafeBase64Escape(absl::StrCat(Digest(request_, after_), after_));
}

}  // namespace vuf
