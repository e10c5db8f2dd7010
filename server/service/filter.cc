#include "server/service/filter.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/service/validate.h"

namespace vuf {
namespace {

constexpr size_t kMaxFilter = 4096;
constexpr char kAllowed[] =
    "terms joined by \" AND \", each state=IN_USE|LISTENING|ABSENT|UNKNOWN, "
    "profile=backEndProfiles/ID, labels.KEY=VALUE or socket_path=PATH";

}  // namespace

absl::StatusOr<EndpointFilter> EndpointFilter::Parse(const std::string& text) {
  EndpointFilter filter;
  if (text.empty()) return filter;
  if (text.size() > kMaxFilter) return InvalidField("filter", text, "at most 4096 bytes");
  for (const absl::string_view term : absl::StrSplit(text, " AND ")) {
    const absl::Status status = filter.AddTerm(std::string(term));
    if (!status.ok()) return status;
  }
  return filter;
}

absl::Status EndpointFilter::AddTerm(const std::string& term) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(term, absl::MaxSplits('=', 1));
  const auto& [key, value] = parts;
  const absl::Status bad = InvalidField("filter", term, kAllowed);
  if (term.find('=') == std::string::npos) return bad;
  if (key == "state") {
    v1::Endpoint::State state;
    if (!v1::Endpoint::State_Parse(absl::StrCat("STATE_", value), &state) ||
        state == v1::Endpoint::STATE_UNSPECIFIED) {
      return bad;
    }
    states_.push_back(state);
  } else if (key == "profile") {
    profiles_.push_back(value);
  } else if (key == "socket_path") {
    socket_paths_.push_back(value);
  } else if (absl::string_view label = key; absl::ConsumePrefix(&label, "labels.")) {
    if (label.empty()) return bad;
    labels_.emplace_back(std::string(label), value);
  } else {
    return bad;
  }
  return absl::OkStatus();
}

bool EndpointFilter::Matches(const v1::Endpoint& endpoint) const {
  const auto all = [](const auto& wanted, const auto& actual) {
    return std::all_of(wanted.begin(), wanted.end(), [&](const auto& w) { return w == actual; });
  };
  const auto has_label = [&](const auto& wanted) {
    const auto found = endpoint.labels().find(wanted.first);
    return found != endpoint.labels().end() && found->second == wanted.second;
  };
  return all(states_, endpoint.state()) && all(profiles_, endpoint.profile()) &&
         all(socket_paths_, endpoint.socket_path()) &&
         std::all_of(labels_.begin(), labels_.end(), has_label);
}

}  // namespace vuf
