// What policies ask of a migration that is under way.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/convert/convert.h"
#include "server/migration/explain.h"
#include "server/migration/run.h"

namespace vuf {

// Counted and taken at once, so that two migrations cannot both find the last place free. Where
// there is none, the verdict says so like any other blocker.
void Run::TakePlaces() {
  if (!decided_.policy.known() || policy().limits.empty()) return;
  if (parts_.ledger->Reserve(name(), decided_.policy.value->limits)) return;
  verdict_ = parts_.evaluate(decided_);
}

void Run::Tighten() {
  if (!policy().max_timeout.value.has_value()) return;
  timeout_ = std::min(timeout_, *policy().max_timeout.value);
  deadline_ = FromProto(migration_.create_time()) + timeout_;
}

absl::Status Run::Converge() {
  const Setting<std::vector<ConvergenceStep>>& schedule = policy().convergence;
  if (!schedule.value.has_value()) return absl::OkStatus();
  for (; next_step_ < schedule.value->size(); ++next_step_) {
    const ConvergenceStep& step = (*schedule.value)[next_step_];
    if (parts_.clock->Now() - transfer_begun_ < step.after) return absl::OkStatus();
    if (!step.downtime_limit.has_value()) {
      return absl::DeadlineExceededError(
          absl::StrCat("given up, because it did not converge within ",
                       absl::FormatDuration(step.after), ", as ", schedule.decided_by, " asks"));
    }
    MigrationSettings wanted;
    wanted.downtime_limit = step.downtime_limit;
    const absl::StatusOr<MigrationSettings> replaced = source_.Configure(wanted);
    if (!replaced.ok()) return Explain("raising the downtime limit", replaced.status());
    if (!source_before_->downtime_limit.has_value()) {
      source_before_->downtime_limit = replaced->downtime_limit;
    }
    Log(LogLevel::kInfo, "raised the downtime limit to converge",
        {{"migration", name()},
         {"downtime_limit", absl::FormatDuration(*step.downtime_limit)},
         {"policy", schedule.decided_by}});
  }
  return absl::OkStatus();
}

}  // namespace vuf
