// VMs that come in from other hosts.
#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/render.h"

namespace vuf::cli {
namespace {

absl::StatusOr<int> Incoming(Context& context) {
  const absl::StatusOr<int> limit = CountFlag(context.args(), "limit", 50);
  if (!limit.ok()) return limit.status();
  const absl::StatusOr<v1::ListReservationsResponse> reservations =
      context.client().ListReservations(*limit);
  if (!reservations.ok()) return reservations.status();
  return PrintList(context, *reservations, reservations->reservations(),
                   ReservationsText(*reservations));
}

}  // namespace

std::vector<Command> PeerCommands() {
  return {
      {"incoming",
       "",
       "list VMs that come in, or came in, from other hosts, newest first",
       "",
       {{"limit", "N", "at most this many (default 50)"}},
       Incoming},
  };
}

}  // namespace vuf::cli
