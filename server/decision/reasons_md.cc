// Prints docs/reasons.md.
#include <iostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/decision/hazards.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

struct Family {
  const char* name;
  const char* title;
};
constexpr Family kFamilies[] = {
    {"request", "The request, and what is known"},
    {"hypervisor", "QEMU"},
    {"back_end", "The back-end"},
    {"keeper", "vuf-keeper"},
    {"identity", "Who is who"},
    {"share", "The shared directory"},
    {"other_host", "Another host"},
    {"option_drift", "The back-end's options"},
    {"procedure", "States"},
    {"policy", "The operator's policies"},
};

const char* Text(Severity severity) {
  return severity == Severity::kWarning ? "warning" : "blocker";
}

const char* Text(RetryClass retry_class) {
  switch (retry_class) {
    case RetryClass::kPermanent:
      return "permanent";
    case RetryClass::kWait:
      return "wait";
    case RetryClass::kOperator:
      return "operator";
  }
  return "permanent";
}

const char* Text(Against against) {
  switch (against) {
    case Against::kStateless:
      return "stateless";
    case Against::kStateful:
      return "stateful";
    case Against::kAnyMode:
      return "both modes";
  }
  return "both modes";
}

std::string Section(const RegisteredRule& registered) {
  const Rule& rule = *registered.rule;
  std::string section =
      absl::StrCat("### ", registered.code, "\n\n", Text(rule.severity), " · ", Text(rule.against),
                   " · side: ", rule.side, " · retry: ", Text(rule.retry_class));
  if (rule.acknowledgeable) absl::StrAppend(&section, " · may be acknowledged");
  if (*rule.hazards != '\0') absl::StrAppend(&section, " · hazard ", rule.hazards);
  absl::StrAppend(&section, "\n\n", rule.cause, "\n\n**Remedy.** ", rule.remedy, "\n\n");
  return section;
}

constexpr char kHead[] = R"(<!-- Written by //server/decision:reasons_md; regenerate with
bazel run //server/decision:reasons_md > docs/reasons.md -->
# Reasons

Every reason that a verdict can give, by its code. A code never changes its meaning.

A *blocker* refuses the migration, a *warning* does not. A reason against one mode only does not
count when the device can go in another mode that the request permits. *Retry* says what helps:
*wait* (ask again later), *operator* (somebody must act on the host), *permanent* (the same request
is refused until the set-up changes, as a rule with a restart of the VM). The hazards are numbered
as in the project's dossier on migrating vhost-user-fs devices.

)";

constexpr char kHazardsHead[] = R"(## Hazards that no rule detects

What vufd takes care of without being able to see it, and what is left to whoever runs it.

| hazard | what goes wrong | what vufd does | what to do |
|---|---|---|---|
)";

void Print() {
  std::cout << kHead;
  for (const Family& family : kFamilies) {
    std::cout << "## " << family.title << "\n\n";
    for (const RegisteredRule& rule : AllRules()) {
      if (std::string(rule.family) == family.name) std::cout << Section(rule);
    }
  }
  std::cout << kHazardsHead;
  for (const UndetectedHazard& hazard : kUndetectedHazards) {
    std::cout << absl::StrCat("| ", hazard.number, " | ", hazard.hazard, " | ", hazard.procedure,
                              " | ", hazard.to_do, " |\n");
  }
}

}  // namespace
}  // namespace vuf

int main() {
  vuf::Print();
  return std::cout.flush() ? 0 : 1;
}
