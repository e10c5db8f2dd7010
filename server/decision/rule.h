// A rule: one reason against a migration, with everything that is to be said about it.
//
// To add one, write a file below rules/FAMILY/ (or extend one) with
//
//   VUFD_RULE(SOME_CODE) = {.severity = ..., .check = Check};
//
// and nothing else (`.scope` if it looks at less than everything: prepare.h): the build collects
// every VUFD_RULE at the beginning of a line into the table that AllRules() returns. The tests then
// ask for a row in rule_rows_*.cc and a new docs/reasons.md.
#ifndef VUFD_SERVER_DECISION_RULE_H_
#define VUFD_SERVER_DECISION_RULE_H_

#include "absl/types/span.h"
#include "server/model/verdict.h"

namespace vuf {

class Report;
class World;

// The modes that a finding speaks against.
enum class Against : unsigned { kStateless = 1, kStateful = 2, kAnyMode = 3 };

// What a rule looks at, so that it need not look again when something else changes (prepare.h).
enum class Scope {
  // Anything of both sides, in any combination. Always right.
  kMigration,
  // The source and its devices, what the request, the policies and the registry say, the hosts.
  kSource,
  // The destination and its devices, and of everything else only the request and whether the two
  // sides are on one machine, and in the charge of one agent.
  kDestination,
  // Each side by itself: as kSource, and then as kDestination.
  kEachSide,
  // Devices with their counterparts (World::pairs), pair by pair: what looks.h lists of each,
  // and of everything else what kDestination may.
  kPair,
};

struct Rule {
  // Numbers of the hazards it covers (docs/reasons.md); empty: none of the numbered ones.
  const char* hazards = "";
  Severity severity = Severity::kBlocker;
  Against against = Against::kAnyMode;
  RetryClass retry_class = RetryClass::kPermanent;
  // An operator may take the responsibility for it (an acknowledgement): what it fears may be known
  // to be impossible, or to be worth it, and no VM is lost, doubled or left unable to migrate by
  // it.
  bool acknowledgeable = false;
  // Where it looks, for docs/reasons.md: "source", "destination", "either" or "request".
  const char* side = "either";
  Scope scope = Scope::kMigration;
  // What is wrong and what it would lead to.
  const char* cause = "";
  // What to do about it, concretely.
  const char* remedy = "";
  // Looks at everything and reports. Null: what reading facts reports by itself.
  void (*check)(const World& world, Report& report) = nullptr;
};

struct RegisteredRule {
  // Stable; never changes its meaning.
  const char* code;
  // The directory its file is in.
  const char* family;
  const Rule* rule;
};

// Ordered by code.
absl::Span<const RegisteredRule> AllRules();

}  // namespace vuf

// constinit: rules are in place before any code runs, in whatever order files are linked.
#define VUFD_RULE(code)                 \
  extern const ::vuf::Rule rule_##code; \
  constinit const ::vuf::Rule rule_##code

#endif  // VUFD_SERVER_DECISION_RULE_H_
