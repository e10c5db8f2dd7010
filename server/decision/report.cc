#include "server/decision/report.h"

namespace vuf {

void Report::Add(const Subject& subject, std::string message, std::vector<CitedFact> evidence) {
  entries_.push_back({rule_, subject, std::move(message), std::move(evidence)});
}

void Report::AddGap(const Subject& subject, const std::string& fact, const std::string& why) {
  AddGap(
      {subject, 0, false, CitedFact{fact, "", true, Source::kNobody, absl::InfinitePast(), why}});
}

void Report::AddGap(Gap gap) {
  gap.against = static_cast<unsigned>(rule_.rule->against);
  gap.advisory = advisory_;
  gap.order = order_;
  for (Gap& known : gaps_) {
    if (!known.IsSame(gap)) continue;
    known.against |= gap.against;
    return;
  }
  gaps_.push_back(std::move(gap));
}

}  // namespace vuf
