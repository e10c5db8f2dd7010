#include "server/decisions/replay.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/convert/convert.h"
#include "server/convert/facts_record.h"
#include "server/decision/shadow.h"
#include "server/decisions/digest.h"
#include "server/decisions/verdict_differences.h"
#include "server/migration/identity.h"
#include "server/migration/permits.h"

namespace vuf {
namespace {

void CheckDigest(const char* field, const std::string& recorded, const std::string& bytes,
                 v1::DecisionReplay& out) {
  const std::string digest = Sha256(bytes);
  if (digest == recorded) return;
  out.add_damage(absl::StrCat(field, " does not match: the record says ",
                              recorded.empty() ? "nothing" : recorded, ", its facts have ",
                              digest));
}

void CheckField(const char* field, const std::string& recorded, const std::string& replayed,
                v1::DecisionReplay& out) {
  if (recorded == replayed) return;
  v1::DecisionDifference& difference = *out.add_differences();
  difference.set_field(field);
  difference.set_recorded(recorded);
  difference.set_replayed(replayed);
}

absl::Status ReplayRecheck(const v1::DecisionRecord& record, const Facts& now,
                           v1::DecisionReplay& out) {
  CheckDigest("judged_digest", record.judged_digest(), record.judged_facts(), out);
  const absl::StatusOr<Facts> judged = ParseFacts(record.judged_facts());
  if (!judged.ok()) return judged.status();
  v1::Migration migration;
  *migration.mutable_permits() = record.permits();
  std::vector<std::string> changes = ChangesSince(*judged, now);
  for (const std::string& change : PermitsNotArmed(PermitsOf(migration), now)) {
    changes.push_back(change);
  }
  CheckField("changes", absl::StrJoin(record.changes(), "; "),
             ValidUtf8(absl::StrJoin(changes, "; ")), out);
  return absl::OkStatus();
}

// A record without a verdict refuses, so it never agrees with one that allows.
void ReplayVerdict(const v1::DecisionRecord& record, const Facts& facts, v1::DecisionReplay& out) {
  CheckField("verdict.decision_record", record.verdict().decision_record(), record.name(), out);
  v1::Verdict replayed = ToProto(EvaluateWithShadow(facts));
  replayed.set_decision_record(record.verdict().decision_record());
  AddDifferences(record.verdict(), replayed, out);
}

}  // namespace

absl::StatusOr<v1::DecisionReplay> ReplayDecision(const v1::DecisionRecord& record) {
  v1::DecisionReplay out;
  out.set_name(record.name());
  out.set_present_rules_digest(RulesDigest());
  out.set_same_rules(record.rules_digest() == RulesDigest());
  CheckDigest("evidence_digest", record.evidence_digest(), record.facts(), out);
  const absl::StatusOr<Facts> facts = ParseFacts(record.facts());
  if (!facts.ok()) {
    // What was changed explains better than what cannot be read because of it.
    return absl::Status(
        facts.status().code(),
        absl::StrCat(record.name(), ": ", absl::StrJoin(out.damage(), "; "),
                     out.damage().empty() ? "" : ", and ", facts.status().message()));
  }
  switch (record.trigger()) {
    case v1::DECISION_TRIGGER_SWITCHOVER:
      if (absl::Status done = ReplayRecheck(record, *facts, out); !done.ok()) return done;
      break;
    case v1::DECISION_TRIGGER_EVALUATE_MIGRATION:
    case v1::DECISION_TRIGGER_CREATE_MIGRATION:
    case v1::DECISION_TRIGGER_DESTINATION:
    case v1::DECISION_TRIGGER_RESERVE:
      ReplayVerdict(record, *facts, out);
      break;
    default:
      return absl::InvalidArgumentError(absl::StrCat(record.name(), ": trigger ",
                                                     static_cast<int>(record.trigger()),
                                                     " is not known to this program"));
  }
  out.set_agrees(out.damage().empty() && out.differences().empty());
  return out;
}

}  // namespace vuf
