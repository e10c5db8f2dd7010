// For tests of prepared sides: the sides of facts, one fact spoiled, and findings as text.
#ifndef VUFD_SERVER_DECISION_PREPARED_SIDES_H_
#define VUFD_SERVER_DECISION_PREPARED_SIDES_H_

#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/decision/prepare.h"
#include "server/model/facts.h"
#include "server/model/verdict.h"

namespace vuf {

inline std::string Text(const Finding& finding) {
  std::string text =
      absl::StrCat(finding.code, " ", static_cast<int>(finding.severity), " ",
                   static_cast<int>(finding.side), " ", finding.subject, " ", finding.message, " ",
                   finding.remedy, " ", static_cast<int>(finding.retry_class), "\n");
  for (const CitedFact& fact : finding.evidence) {
    absl::StrAppend(&text, "  ", fact.fact, "=", fact.value, " ", fact.unknown, " ",
                    static_cast<int>(fact.source), " ", absl::FormatTime(fact.observed_at), " ",
                    fact.detail, "\n");
  }
  return text;
}

inline std::string FindingsOf(const Verdict& verdict) {
  std::string text;
  for (const Finding& finding : verdict.blockers) text += Text(finding);
  for (const Finding& finding : verdict.warnings) text += Text(finding);
  return text;
}

// The two sides of facts, prepared when the facts were gathered.
struct Sides {
  explicit Sides(const Facts& facts) : Sides(std::make_shared<const Facts>(facts)) {}
  explicit Sides(std::shared_ptr<const Facts> facts)
      : source(facts),
        destination(!facts->destination ? nullptr
                                        : std::make_unique<PreparedDestination>(
                                              std::make_shared<const VmFacts>(*facts->destination),
                                              source, facts->now)) {}

  PreparedSource source;
  std::unique_ptr<PreparedDestination> destination;
};

enum class Spoil { kForgotten, kOld, kFromTheFuture, kOfNobody };

// Spoils the `wanted`th fact that `for_each` visits. False: there are not so many.
template <typename ForEach>
bool SpoilOne(ForEach for_each, size_t wanted, Spoil how) {
  size_t count = 0;
  for_each([&](const std::string&, auto& evidence) {
    using Value = typename std::decay_t<decltype(evidence.value)>::value_type;
    if (count++ != wanted) return;
    if (how == Spoil::kForgotten) evidence = Unknown<Value>("could not look");
    if (how == Spoil::kOld) evidence.observed_at -= absl::Minutes(1);
    if (how == Spoil::kFromTheFuture) evidence.observed_at += absl::Minutes(1);
    if (how == Spoil::kOfNobody) evidence.source = Source::kNobody;
  });
  return wanted < count;
}

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_PREPARED_SIDES_H_
