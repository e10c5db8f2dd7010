#include "server/decision/evaluate.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "server/decision/fingerprint.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"
#include "server/decision/rulings.h"
#include "server/decision/world.h"

namespace vuf {

extern const Rule rule_FACT_UNKNOWN;
extern const Rule rule_EVIDENCE_STALE;
extern const Rule rule_WARNINGS_INCOMPLETE;

namespace {

constexpr unsigned kStateless = static_cast<unsigned>(Against::kStateless);
constexpr unsigned kStateful = static_cast<unsigned>(Against::kStateful);

unsigned Permitted(const Request& request) {
  return (request.allow_stateless ? kStateless : 0) | (request.allow_stateful ? kStateful : 0);
}

// Sets of modes, as bits of Against.
struct Modes {
  // By source device: what is still open.
  std::vector<unsigned> open;
  // By source device: which modes findings must concern to be worth reporting.
  std::vector<unsigned> of_interest;

  unsigned InterestOf(int device) const {
    if (device != Subject::kWholeVm) return of_interest[device];
    unsigned all = 0;
    for (const unsigned modes : of_interest) all |= modes;
    return of_interest.empty() ? kStateless | kStateful : all;
  }
};

Mode Best(unsigned open) {
  if (open & kStateless) return Mode::kStateless;
  return open & kStateful ? Mode::kStateful : Mode::kNone;
}

Modes DecideModes(const Facts& facts, size_t devices, const Report& report) {
  const unsigned permitted = Permitted(facts.request);
  Modes modes;
  modes.open.assign(devices, permitted);
  const auto close = [&modes](int device, unsigned against) {
    for (size_t i = 0; i < modes.open.size(); ++i) {
      if (device == Subject::kWholeVm || device == static_cast<int>(i)) modes.open[i] &= ~against;
    }
  };
  for (const Report::Entry& entry : report.entries()) {
    if (entry.severity == Severity::kWarning) continue;
    close(entry.subject.device, static_cast<unsigned>(entry.rule.rule->against));
  }
  for (const Report::Gap& gap : report.gaps()) {
    if (!gap.advisory) close(gap.subject.device, gap.against);
  }
  for (const unsigned open : modes.open) {
    const unsigned chosen = open & kStateless ? kStateless : open;
    const unsigned asked = permitted != 0 ? permitted : kStateless | kStateful;
    modes.of_interest.push_back(chosen != 0 ? chosen : asked);
  }
  return modes;
}

Finding MakeFinding(const char* code, const Rule& rule, Severity severity, const Subject& subject,
                    std::string message, std::vector<CitedFact> evidence) {
  return {code,
          severity,
          subject.side,
          std::string(subject.name),
          std::move(message),
          rule.remedy,
          rule.retry_class,
          std::move(evidence)};
}

std::string DescribeGap(const CitedFact& fact, absl::Time now) {
  if (fact.unknown) return absl::StrFormat("%s (%s)", fact.fact, fact.detail);
  const absl::Duration age = now - fact.observed_at;
  if (age < absl::ZeroDuration()) return absl::StrFormat("%s (from the future)", fact.fact);
  return absl::StrFormat("%s (%s old)", fact.fact, absl::FormatDuration(age));
}

enum class GapKind { kUnknown, kStale, kAdvisory };

GapKind KindOf(const Report::Gap& gap) {
  if (gap.advisory) return GapKind::kAdvisory;
  return gap.stale ? GapKind::kStale : GapKind::kUnknown;
}

// One for all gaps of a kind and subject.
Finding GapFinding(GapKind kind, const std::vector<const Report::Gap*>& gaps, const Facts& facts) {
  std::vector<CitedFact> evidence;
  std::vector<std::string> each;
  for (const Report::Gap* gap : gaps) {
    evidence.push_back(gap->fact);
    each.push_back(DescribeGap(gap->fact, facts.now));
  }
  const std::string described = absl::StrJoin(each, "; ");
  const Subject& subject = gaps.front()->subject;
  switch (kind) {
    case GapKind::kUnknown:
      return MakeFinding("FACT_UNKNOWN", rule_FACT_UNKNOWN, rule_FACT_UNKNOWN.severity, subject,
                         absl::StrFormat("Could not be established: %s.", described),
                         std::move(evidence));
    case GapKind::kStale:
      return MakeFinding("EVIDENCE_STALE", rule_EVIDENCE_STALE, rule_EVIDENCE_STALE.severity,
                         subject,
                         absl::StrFormat("Observed too long ago (more than %s) or in the future: "
                                         "%s.",
                                         absl::FormatDuration(facts.max_age), described),
                         std::move(evidence));
    case GapKind::kAdvisory:
      break;
  }
  return MakeFinding(
      "WARNINGS_INCOMPLETE", rule_WARNINGS_INCOMPLETE, rule_WARNINGS_INCOMPLETE.severity, subject,
      absl::StrFormat("Could not be looked at: %s.", described), std::move(evidence));
}

// One finding for each subject, however many facts of it are missing.
void AddGapFindings(const Report& report, const Modes& modes, const Facts& facts,
                    std::vector<Finding>& findings) {
  using Key = std::tuple<GapKind, Side, std::string>;
  std::map<Key, std::vector<const Report::Gap*>> groups;
  for (const Report::Gap& gap : report.gaps()) {
    if ((gap.against & modes.InterestOf(gap.subject.device)) == 0) continue;
    groups[{KindOf(gap), gap.subject.side, std::string(gap.subject.name)}].push_back(&gap);
  }
  for (const auto& [key, gaps] : groups) {
    findings.push_back(GapFinding(std::get<0>(key), gaps, facts));
  }
}

std::vector<Finding> CollectFindings(const Report& report, const Modes& modes, const Facts& facts) {
  std::vector<Finding> findings;
  for (const Report::Entry& entry : report.entries()) {
    const unsigned against = static_cast<unsigned>(entry.rule.rule->against);
    if ((against & modes.InterestOf(entry.subject.device)) == 0) continue;
    findings.push_back(MakeFinding(entry.rule.code, *entry.rule.rule, entry.severity, entry.subject,
                                   entry.message, entry.evidence));
  }
  AddGapFindings(report, modes, facts, findings);
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
    return std::tie(a.side, a.subject, a.code, a.message) <
           std::tie(b.side, b.subject, b.code, b.message);
  });
  return findings;
}

DeviceVerdict JudgeDevice(const FsDeviceFacts& device, unsigned open) {
  DeviceVerdict verdict;
  verdict.device = device.subject();
  verdict.tag = device.tag.value.value_or("");
  verdict.mode = Best(open);
  if (device.chardev.known()) verdict.socket_path = device.chardev.value->socket_path;
  return verdict;
}

}  // namespace

Verdict Evaluate(const Facts& facts) {
  const World world(facts);
  Report report(facts.now, facts.max_age, world.source_is_record());
  for (const RegisteredRule& rule : AllRules()) {
    report.Begin(rule);
    if (rule.rule->check != nullptr) rule.rule->check(world, report);
  }
  if (facts.policy.known()) ApplyRulings(*facts.policy.value, world.source_is_record(), report);
  const absl::Span<const DeviceView> devices = world.source_devices();
  const Modes modes = DecideModes(facts, devices.size(), report);

  Verdict verdict;
  verdict.evaluated_at = facts.now;
  verdict.fingerprint = FingerprintOf(world);
  if (facts.policy.known()) verdict.policies = facts.policy.value->matching;
  for (size_t i = 0; i < devices.size(); ++i) {
    verdict.devices.push_back(JudgeDevice(*devices[i].facts, modes.open[i]));
  }
  for (Finding& finding : CollectFindings(report, modes, facts)) {
    (finding.severity == Severity::kWarning ? verdict.warnings : verdict.blockers)
        .push_back(std::move(finding));
  }
  const auto weakest =
      std::min_element(verdict.devices.begin(), verdict.devices.end(),
                       [](const auto& a, const auto& b) { return a.mode < b.mode; });
  if (weakest != verdict.devices.end()) verdict.mode = weakest->mode;
  verdict.allow = verdict.blockers.empty() && verdict.mode != Mode::kNone;
  return verdict;
}

}  // namespace vuf
