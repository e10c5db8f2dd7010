#include "server/decision/conclude.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "server/decision/rule.h"
#include "server/decision/rulings.h"

namespace vuf {

extern const Rule rule_FACT_UNKNOWN;
extern const Rule rule_EVIDENCE_STALE;
extern const Rule rule_WARNINGS_INCOMPLETE;

namespace {

constexpr unsigned kStateless = static_cast<unsigned>(Against::kStateless);
constexpr unsigned kStateful = static_cast<unsigned>(Against::kStateful);

// An entry that no policy hides.
struct Said {
  const Report::Entry* entry;
  int device;
  Ruling ruling;

  unsigned against() const { return static_cast<unsigned>(entry->rule.rule->against); }
};

// All that was said, with the numbers of the world's devices.
struct AllSaid {
  std::vector<Said> entries;
  // Each once, in the order in which the rules asked.
  std::vector<Report::Gap> gaps;
};

int DeviceOf(const Part& part, const Subject& subject) {
  if (part.devices.empty() || subject.device == Subject::kWholeVm) return subject.device;
  return part.devices[subject.device].index;
}

void AddGap(Report::Gap gap, std::vector<Report::Gap>& gaps) {
  for (Report::Gap& known : gaps) {
    if (!known.IsSame(gap)) continue;
    known.against |= gap.against;
    known.order = std::min(known.order, gap.order);
    return;
  }
  gaps.push_back(std::move(gap));
}

AllSaid Collect(const World& world, absl::Span<const Part> parts) {
  AllSaid said;
  const Evidence<EffectivePolicy>& policy = world.facts().policy;
  for (const Part& part : parts) {
    said.entries.reserve(said.entries.size() + part.report->entries().size());
    for (const Report::Entry& entry : part.report->entries()) {
      const Ruling ruling = RulingOn(policy.value, world.source_is_record(), entry);
      if (ruling.hidden) continue;
      said.entries.push_back({&entry, DeviceOf(part, entry.subject), ruling});
    }
    for (Report::Gap gap : part.report->gaps()) {
      gap.subject.device = DeviceOf(part, gap.subject);
      AddGap(std::move(gap), said.gaps);
    }
  }
  std::stable_sort(said.gaps.begin(), said.gaps.end(),
                   [](const Report::Gap& a, const Report::Gap& b) { return a.order < b.order; });
  return said;
}

unsigned Permitted(const Request& request) {
  return (request.allow_stateless ? kStateless : 0) | (request.allow_stateful ? kStateful : 0);
}

// Sets of modes, as bits of Against.
struct Modes {
  // By source device: what is still open.
  std::vector<unsigned> open;
  // By source device: which modes findings must concern to be worth reporting.
  std::vector<unsigned> of_interest;
  unsigned of_interest_to_vm = 0;

  unsigned InterestOf(int device) const {
    return device == Subject::kWholeVm ? of_interest_to_vm : of_interest[device];
  }
};

Mode Best(unsigned open) {
  if (open & kStateless) return Mode::kStateless;
  return open & kStateful ? Mode::kStateful : Mode::kNone;
}

Modes DecideModes(const Request& request, size_t devices, const AllSaid& said) {
  const unsigned permitted = Permitted(request);
  Modes modes;
  modes.open.assign(devices, permitted);
  const auto close = [&modes](int device, unsigned against) {
    if (device != Subject::kWholeVm) {
      modes.open[device] &= ~against;
    } else {
      for (unsigned& open : modes.open) open &= ~against;
    }
  };
  for (const Said& one : said.entries) {
    if (one.ruling.severity != Severity::kWarning) close(one.device, one.against());
  }
  for (const Report::Gap& gap : said.gaps) {
    if (!gap.advisory) close(gap.subject.device, gap.against);
  }
  modes.of_interest.reserve(devices);
  for (const unsigned open : modes.open) {
    const unsigned chosen = open & kStateless ? kStateless : open;
    const unsigned asked = permitted != 0 ? permitted : kStateless | kStateful;
    modes.of_interest.push_back(chosen != 0 ? chosen : asked);
    modes.of_interest_to_vm |= modes.of_interest.back();
  }
  if (devices == 0) modes.of_interest_to_vm = kStateless | kStateful;
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
Finding GapFinding(GapKind kind, const std::vector<const Report::Gap*>& gaps, absl::Time now,
                   absl::Duration max_age) {
  std::vector<CitedFact> evidence;
  std::vector<std::string> each;
  for (const Report::Gap* gap : gaps) {
    evidence.push_back(gap->fact);
    each.push_back(DescribeGap(gap->fact, now));
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
                                         absl::FormatDuration(max_age), described),
                         std::move(evidence));
    case GapKind::kAdvisory:
      break;
  }
  return MakeFinding(
      "WARNINGS_INCOMPLETE", rule_WARNINGS_INCOMPLETE, rule_WARNINGS_INCOMPLETE.severity, subject,
      absl::StrFormat("Could not be looked at: %s.", described), std::move(evidence));
}

// One finding for each subject, however many facts of it are missing.
void AddGapFindings(const std::vector<Report::Gap>& gaps, const Modes& modes, absl::Time now,
                    absl::Duration max_age, std::vector<Finding>& findings) {
  using Key = std::tuple<GapKind, Side, std::string>;
  std::map<Key, std::vector<const Report::Gap*>> groups;
  for (const Report::Gap& gap : gaps) {
    if ((gap.against & modes.InterestOf(gap.subject.device)) == 0) continue;
    groups[{KindOf(gap), gap.subject.side, std::string(gap.subject.name)}].push_back(&gap);
  }
  for (const auto& [key, of_key] : groups) {
    findings.push_back(GapFinding(std::get<0>(key), of_key, now, max_age));
  }
}

std::vector<Finding> CollectFindings(const AllSaid& said, const Modes& modes, absl::Time now,
                                     absl::Duration max_age) {
  std::vector<Finding> findings;
  for (const Said& one : said.entries) {
    if ((one.against() & modes.InterestOf(one.device)) == 0) continue;
    const Report::Entry& entry = *one.entry;
    findings.push_back(MakeFinding(entry.rule.code, *entry.rule.rule, one.ruling.severity,
                                   entry.subject, MessageOf(entry, one.ruling), entry.evidence));
  }
  AddGapFindings(said.gaps, modes, now, max_age, findings);
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
    return std::tie(a.side, a.subject, a.code, a.message) <
           std::tie(b.side, b.subject, b.code, b.message);
  });
  return findings;
}

DeviceVerdict Refused(const FsDeviceFacts& device) {
  DeviceVerdict verdict;
  verdict.device = device.subject();
  verdict.tag = device.tag.value.value_or("");
  if (device.chardev.known()) verdict.socket_path = device.chardev.value->socket_path;
  return verdict;
}

}  // namespace

std::vector<DeviceVerdict> RefusedDevices(absl::Span<const DeviceView> devices) {
  std::vector<DeviceVerdict> refused;
  refused.reserve(devices.size());
  for (const DeviceView& device : devices) refused.push_back(Refused(*device.facts));
  return refused;
}

Verdict Conclude(const World& world, absl::Time now, absl::Span<const Part> parts,
                 std::vector<DeviceVerdict> devices) {
  const Facts& facts = world.facts();
  const AllSaid said = Collect(world, parts);
  const Modes modes = DecideModes(facts.request, devices.size(), said);
  Verdict verdict;
  verdict.evaluated_at = now;
  if (facts.policy.known()) verdict.policies = facts.policy.value->matching;
  for (size_t i = 0; i < devices.size(); ++i) devices[i].mode = Best(modes.open[i]);
  verdict.devices = std::move(devices);
  for (Finding& finding : CollectFindings(said, modes, now, facts.max_age)) {
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
