// Pages of a list, by opaque tokens. A token holds the last key that was sent, so what is created
// or deleted between two pages is neither sent twice nor makes others be skipped.
#ifndef VUFD_SERVER_SERVICE_PAGING_H_
#define VUFD_SERVER_SERVICE_PAGING_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace vuf {

class Page {
 public:
  // `request` is what makes two lists the same: the method and its filter. INVALID_ARGUMENT for a
  // negative size and for a token that was not made for this request.
  static absl::StatusOr<Page> Begin(absl::string_view request, int32_t page_size,
                                    const std::string& page_token);

  // Called with the keys of all items in ascending order; true: send this one.
  bool Takes(const std::string& key);
  // After the last call of Takes; empty on the last page.
  std::string NextToken() const;

 private:
  Page(std::string request, size_t size, std::string after)
      : request_(std::move(request)), left_(size), after_(std::move(after)) {}

  std::string request_;
  size_t left_;
  // The last key of the page before; then of this one.
  std::string after_;
  bool more_ = false;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_PAGING_H_
