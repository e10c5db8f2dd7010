#include "server/migration/transition_recorder.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/migration_state.h"
#include "server/migration/transitions.h"

namespace vuf {
namespace {

bool Allowed(const TransitionRecorder::Step& step) {
  const Transition* const known = FindTransition(step.from, step.to);
  if (known == nullptr) return false;
  const unsigned at_start = Transition::kSettle | Transition::kLoad | Transition::kRemote;
  return (known->who & (step.left_behind ? at_start : ~unsigned{Transition::kSettle})) != 0;
}

}  // namespace

void TransitionRecorder::Begin(Store& store) {
  Run run;
  const absl::StatusOr<std::vector<Record>> records = store.ReadAll(Table::kMigrations);
  for (const Record& record : records.ok() ? *records : std::vector<Record>()) {
    v1::Migration migration;
    if (!migration.ParseFromString(record.value) || IsFinal(migration.state())) continue;
    run.left_behind[record.key] = migration.state();
  }
  MutexLock lock(&mu_);
  runs_.push_back(std::move(run));
}

void TransitionRecorder::Changed(const v1::Migration& migration) {
  MutexLock lock(&mu_);
  runs_.back().changes[migration.name()][migration.revision()] = migration.state();
}

std::vector<TransitionRecorder::Step> TransitionRecorder::Steps() const {
  MutexLock lock(&mu_);
  std::vector<Step> steps;
  for (const Run& run : runs_) {
    for (const auto& [name, changes] : run.changes) {
      const auto before = run.left_behind.find(name);
      State from =
          before == run.left_behind.end() ? v1::Migration::STATE_UNSPECIFIED : before->second;
      // Nothing was done to one that was queued: it goes on as if nothing had been.
      const bool left_behind =
          before != run.left_behind.end() && from != v1::Migration::STATE_QUEUED;
      for (const auto& [revision, to] : changes) {
        steps.push_back({from, to, left_behind});
        from = to;
      }
    }
  }
  return steps;
}

std::string TransitionRecorder::Wrong() const {
  std::string wrong;
  for (const Step& step : Steps()) {
    if (Allowed(step)) continue;
    absl::StrAppend(&wrong, v1::Migration::State_Name(step.from), " -> ",
                    v1::Migration::State_Name(step.to),
                    step.left_behind ? " after a restart; " : "; ");
  }
  return wrong;
}

}  // namespace vuf
