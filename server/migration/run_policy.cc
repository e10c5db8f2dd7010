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

// auto-converge can only be turned on before the migration begins, and would take up to 99 % at
// once.
void Run::PrepareThrottle(MigrationSettings& wanted) const {
  const Setting<std::vector<ConvergenceStep>>& schedule = policy().convergence;
  if (!schedule.value.has_value() || gather_.request.shared_ram) return;
  const bool throttles =
      std::any_of(schedule.value->begin(), schedule.value->end(),
                  [](const ConvergenceStep& step) { return step.throttle_percent.has_value(); });
  if (!throttles) return;
  wanted.capabilities["auto-converge"] = true;
  wanted.cpu_throttle_initial = 1;
  wanted.max_cpu_throttle = 1;
}

absl::Status Run::Converge() {
  const Setting<std::vector<ConvergenceStep>>& schedule = policy().convergence;
  if (!schedule.value.has_value()) return absl::OkStatus();
  for (; next_step_ < schedule.value->size(); ++next_step_) {
    const ConvergenceStep& step = (*schedule.value)[next_step_];
    if (parts_.clock->Now() - transfer_begun_ < step.after) return absl::OkStatus();
    if (!step.downtime_limit.has_value() && !step.throttle_percent.has_value()) {
      return absl::DeadlineExceededError(
          absl::StrCat("given up, because it did not converge within ",
                       absl::FormatDuration(step.after), ", as ", schedule.decided_by, " asks"));
    }
    if (step.throttle_percent.has_value() && gather_.request.shared_ram) continue;
    MigrationSettings wanted;
    wanted.downtime_limit = step.downtime_limit;
    wanted.max_cpu_throttle = step.throttle_percent;
    const absl::Status set = source_.Configure(wanted).status();
    if (!set.ok()) return Explain("making the migration converge", set);
    Log(LogLevel::kInfo, "does not converge",
        {{"migration", name()},
         {"downtime_limit",
          absl::FormatDuration(step.downtime_limit.value_or(absl::ZeroDuration()))},
         {"throttle_percent", absl::StrCat(step.throttle_percent.value_or(0))},
         {"policy", schedule.decided_by}});
  }
  return absl::OkStatus();
}

// Memory counts in QEMU even where it does not travel, so a migration that is alive is never
// silent.
absl::Status Run::CheckProgress(const MigrationInfo& info) {
  const absl::Time now = parts_.clock->Now();
  if (news_at_ == absl::InfiniteFuture() || info.status != news_.status ||
      info.ram_transferred != news_.ram_transferred ||
      info.dirty_sync_count != news_.dirty_sync_count) {
    news_ = info;
    news_at_ = now;
  }
  if (now - news_at_ < parts_.stuck_timeout) return absl::OkStatus();
  return absl::DeadlineExceededError(
      absl::StrCat("stuck: for ", absl::FormatDuration(parts_.stuck_timeout),
                   " the source QEMU has said \"", info.status, "\" with ", info.ram_transferred,
                   " bytes sent and ", info.ram_remaining, " to go"));
}

}  // namespace vuf
