// Unknown is unsafe. The findings of these are made from what Report::Need and Report::Advise could
// not have.
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

// What the whole verdict rests on, whether another rule asks for it or not.
void CheckFoundations(const World& world, Report& report) {
  for (const VmView& vm : world.vms()) {
    report.Need(vm, fact::kDevices);
    report.Need(vm, fact::kQemuProcess);
  }
  report.Need(Subject{Side::kNone, "host"}, "boot id", world.facts().boot_id, true);
}

}  // namespace

VUFD_RULE(FACT_UNKNOWN) = {
    .hazards = "9",
    .retry_class = RetryClass::kOperator,
    .cause =
        "A fact that the decision needs could not be observed; the message says which, and "
        "why. What is unknown may be unsafe.",
    .remedy =
        "Remove the obstacle that the message names (vufd needs to read the processes of "
        "QEMU and of the back-end, and an answering QMP monitor), then evaluate again.",
    .check = CheckFoundations,
};

VUFD_RULE(EVIDENCE_STALE) = {
    .retry_class = RetryClass::kWait,
    .cause =
        "A fact was observed longer ago than the agent accepts, or its time lies in the "
        "future; it may no longer be true.",
    .remedy = "Evaluate again. If it comes back, look for a slow monitor or a clock that jumps.",
};

VUFD_RULE(WARNINGS_INCOMPLETE) = {
    .severity = Severity::kWarning,
    .retry_class = RetryClass::kOperator,
    .cause =
        "Something that vufd would only warn of could not be looked at. That is no reason to "
        "refuse, but a warning may be missing; the message says what is not known, and why.",
    .remedy = "Remove the obstacle that the message names, or do without the warning.",
};

}  // namespace vuf
