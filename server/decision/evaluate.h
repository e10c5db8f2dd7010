// The decision. Pure: no I/O, no clock, no lock, no log, no protobuf.
//
// How a verdict comes about:
//  1. Every rule (rule.h) looks at all the facts and reports what it has against which mode.
//  2. A device's mode is the best one (stateless before stateful) that the request permits and
//     that no blocker about this device, or about the whole VM, speaks against; else it is NONE.
//  3. A finding is part of the verdict when it concerns the device's mode or, for a device without
//     one, any mode that the request permits (any mode at all when it permits none). So what speaks
//     against stateless is not mentioned when the device goes statefully, but a refusal always
//     names every reason against every permitted mode.
//     Before that, policies and acknowledgements have their say (rulings.h).
//  4. The VM's mode is the weakest of its devices', and it is allowed when nothing blocks.
// A fact that is unknown, older than max_age, or from the future counts as unknown, and each rule
// that needs it is thereby against the migration (FACT_UNKNOWN, EVIDENCE_STALE).
#ifndef VUFD_SERVER_DECISION_EVALUATE_H_
#define VUFD_SERVER_DECISION_EVALUATE_H_

#include "server/model/facts.h"
#include "server/model/verdict.h"

namespace vuf {

// Judges the facts. Findings are ordered by side, subject and code; devices by QOM path.
Verdict Evaluate(const Facts& facts);

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_EVALUATE_H_
