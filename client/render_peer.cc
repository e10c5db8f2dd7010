#include <string>

#include "absl/strings/str_cat.h"
#include "client/render.h"

namespace vuf::cli {

std::string ReservationsText(const v1::ListReservationsResponse& reservations) {
  if (reservations.reservations().empty()) return "Nothing has come in from another host.\n";
  TextTable table({"RESERVATION", "VM", "STATE", "FROM", "SINCE", "MESSAGE"});
  for (const v1::Reservation& one : reservations.reservations()) {
    table.AddRow({ShortName(one.name()), ShortName(one.vm()),
                  EnumText(v1::Reservation::State_Name(one.state()), "STATE_"),
                  OrDash(one.source_agent()), OrDash(TimeText(one.create_time())),
                  OrDash(one.message())});
  }
  std::string text = table.ToString();
  if (!reservations.next_page_token().empty()) {
    absl::StrAppend(&text, "There are older ones: --limit=N shows more.\n");
  }
  return text;
}

}  // namespace vuf::cli
