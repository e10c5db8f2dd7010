#include "server/migration/decision_records.h"

#include "absl/strings/str_cat.h"
#include "server/convert/convert.h"
#include "server/decisions/make_record.h"
#include "server/migration/explain.h"

namespace vuf {
namespace {

void Describe(const v1::Migration& migration, v1::DecisionTrigger trigger,
              v1::DecisionRecord& record) {
  record.set_vm(migration.vm());
  record.set_trigger(trigger);
  record.set_migration(migration.name());
  record.set_actor(migration.requested_by());
  v1::EvaluateMigrationRequest& request = *record.mutable_request();
  request.set_vm(migration.vm());
  *request.mutable_destination() = migration.destination();
  *request.mutable_allowed_modes() = migration.allowed_modes();
  request.set_ram_transfer(migration.ram_transfer());
}

}  // namespace

absl::Status RecordDecision(DecisionLog* log, const v1::Migration& migration,
                            v1::DecisionTrigger trigger, const Facts& facts, const Verdict& verdict,
                            v1::Verdict& shown) {
  v1::DecisionRecord record = MakeRecord(facts, verdict);
  Describe(migration, trigger, record);
  const absl::Status written = log == nullptr
                                   ? absl::FailedPreconditionError("there is no log of decisions")
                                   : log->AddDurably(record);
  shown = record.verdict();
  return Explain("writing down the decision", written);
}

void RecordRecheck(DecisionLog* log, const v1::Migration& migration, const Facts& judged,
                   const Facts& now, const std::vector<PermitAt>& permits,
                   const std::vector<std::string>& changes) {
  v1::DecisionRecord record = MakeRecheckRecord(judged, now, changes);
  Describe(migration, v1::DECISION_TRIGGER_SWITCHOVER, record);
  v1::Migration with_permits;
  RecordPermits(permits, with_permits);
  *record.mutable_permits() = with_permits.permits();
  log->Add(record);
}

std::string ReasonsOf(const Verdict& verdict) {
  std::string reasons = verdict.fingerprint;
  for (const Finding& finding : verdict.blockers) {
    absl::StrAppend(&reasons, " ", finding.code, " ", finding.subject, " ", finding.message);
  }
  return reasons;
}

}  // namespace vuf
