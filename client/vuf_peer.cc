#include <algorithm>
#include <utility>

#include "client/rpc.h"
#include "client/vuf_client.h"

namespace vuf {

absl::StatusOr<v1::ListReservationsResponse> VufClient::ListReservations(int limit) {
  constexpr int kPageSize = 100;
  v1::ListReservationsResponse all;
  v1::ListReservationsRequest request;
  do {
    request.set_page_size(std::min(limit - all.reservations_size(), kPageSize));
    request.set_page_token(all.next_page_token());
    absl::StatusOr<v1::ListReservationsResponse> page =
        Call(*peers_, &v1::PeerService::StubInterface::ListReservations, request, Repeat::kSafe,
             options_);
    // A page that brings nothing on would never end the list.
    if (!page.ok() || page->reservations().empty()) return page.ok() ? all : std::move(page);
    all.clear_next_page_token();
    all.MergeFrom(*page);
  } while (!all.next_page_token().empty() && all.reservations_size() < limit);
  return all;
}

}  // namespace vuf
