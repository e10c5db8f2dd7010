// What a migration writes down of its decisions.
#ifndef VUFD_SERVER_MIGRATION_DECISION_RECORDS_H_
#define VUFD_SERVER_MIGRATION_DECISION_RECORDS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/decisions/decision_log.h"
#include "server/migration/permit_plan.h"
#include "server/model/facts.h"
#include "server/model/verdict.h"
#include "vuf/v1/migration.pb.h"

namespace vuf {

// Durable when it returns OK; only then may anything be touched because of `verdict`. `shown` is
// the verdict as the API has it, whatever is returned. A null `log` is an error.
absl::Status RecordDecision(DecisionLog* log, const v1::Migration& migration,
                            v1::DecisionTrigger trigger, const Facts& facts, const Verdict& verdict,
                            v1::Verdict& shown);

// Behind the switch-over: the guest stands still, so nothing waits for it.
void RecordRecheck(DecisionLog* log, const v1::Migration& migration, const Facts& judged,
                   const Facts& now, const std::vector<PermitAt>& permits,
                   const std::vector<std::string>& changes);

// The same for verdicts that refuse the same world for the same reasons.
std::string ReasonsOf(const Verdict& verdict);

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_DECISION_RECORDS_H_
