#include <algorithm>

#include "server/policy/policy.h"

namespace vuf {
namespace {

constexpr int kDaysAhead = 8;

// When the window that belongs to the given local day begins; infinite past on other days.
absl::Time BeginOn(const Window& window, absl::CivilDay day) {
  const int weekday = static_cast<int>(absl::GetWeekday(day)) + 1;
  if (!window.days.empty() && window.days.count(weekday) == 0) return absl::InfinitePast();
  const int64_t minutes = absl::ToInt64Minutes(window.start);
  // By the wall clock: "02:30" stays that on days of 23 and 25 hours.
  return absl::FromCivil(absl::CivilMinute(day) + minutes, window.zone);
}

WindowState StateOf(const Window& window, absl::Time now) {
  const absl::CivilDay today = absl::ToCivilDay(now, window.zone);
  const int64_t back = absl::ToInt64Hours(window.duration) / 24 + 1;
  WindowState state;
  for (absl::CivilDay day = today - back; day < today + kDaysAhead; ++day) {
    const absl::Time begin = BeginOn(window, day);
    if (begin == absl::InfinitePast()) continue;
    if (begin <= now && now < begin + window.duration) return {true, begin};
    if (begin > now) state.opens = std::min(state.opens.value_or(begin), begin);
  }
  return state;
}

}  // namespace

WindowState StateOf(const std::vector<Window>& windows, absl::Time now) {
  WindowState all;
  for (const Window& window : windows) {
    const WindowState one = StateOf(window, now);
    if (one.open) return one;
    if (one.opens.has_value()) all.opens = std::min(all.opens.value_or(*one.opens), *one.opens);
  }
  return all;
}

}  // namespace vuf
