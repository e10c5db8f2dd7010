// The decision. Pure: no I/O, no clock, no lock, no log, no protobuf.
#ifndef VUFD_SERVER_DECISION_EVALUATE_H_
#define VUFD_SERVER_DECISION_EVALUATE_H_

#include "server/model/facts.h"
#include "server/model/verdict.h"

namespace vuf {

// Judges the facts. Every rule looks at all of them and adds its findings; the verdict allows only
// when there is no blocker and every device has a mode that the request permits.
Verdict Evaluate(const Facts& facts);

}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_EVALUATE_H_
