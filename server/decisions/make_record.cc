#include "server/decisions/make_record.h"

#include "server/convert/convert.h"
#include "server/convert/facts_record.h"
#include "server/decisions/digest.h"
#include "server/version.h"

namespace vuf {
namespace {

v1::DecisionRecord MakeRecord(const Facts& facts) {
  v1::DecisionRecord record;
  record.set_facts(SerializeFacts(facts));
  record.set_evidence_digest(Sha256(record.facts()));
  record.set_vufd_version(kVersion);
  record.set_rules_digest(RulesDigest());
  return record;
}

v1::Finding InShort(const v1::Finding& finding) {
  v1::Finding out;
  out.set_code(finding.code());
  out.set_severity(finding.severity());
  out.set_side(finding.side());
  out.set_subject(finding.subject());
  return out;
}

v1::Verdict InShort(const v1::Verdict& verdict) {
  v1::Verdict out;
  out.set_decision(verdict.decision());
  out.set_mode(verdict.mode());
  out.set_fingerprint(verdict.fingerprint());
  out.set_decision_record(verdict.decision_record());
  for (const v1::Finding& finding : verdict.blockers()) *out.add_blockers() = InShort(finding);
  for (const v1::Finding& finding : verdict.warnings()) *out.add_warnings() = InShort(finding);
  return out;
}

}  // namespace

v1::DecisionRecord MakeRecord(const Facts& facts, const Verdict& verdict) {
  v1::DecisionRecord record = MakeRecord(facts);
  *record.mutable_verdict() = ToProto(verdict);
  return record;
}

v1::DecisionRecord MakeRecheckRecord(const Facts& judged, const Facts& now,
                                     const std::vector<std::string>& changes) {
  v1::DecisionRecord record = MakeRecord(now);
  record.set_judged_facts(SerializeFacts(judged));
  record.set_judged_digest(Sha256(record.judged_facts()));
  for (const std::string& change : changes) record.add_changes(ValidUtf8(change));
  return record;
}

v1::DecisionRecord InShort(const v1::DecisionRecord& record) {
  v1::DecisionRecord out = record;
  out.clear_facts();
  out.clear_judged_facts();
  out.clear_request();
  if (record.has_verdict()) *out.mutable_verdict() = InShort(record.verdict());
  return out;
}

}  // namespace vuf
