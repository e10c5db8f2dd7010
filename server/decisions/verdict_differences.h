// Two verdicts compared, field by field.
#ifndef VUFD_SERVER_DECISIONS_VERDICT_DIFFERENCES_H_
#define VUFD_SERVER_DECISIONS_VERDICT_DIFFERENCES_H_

#include "vuf/v1/decision.pb.h"

namespace vuf {

// Adds what differs, by code and field. None: the two are the same in every field, those included
// that this program does not know.
void AddDifferences(const v1::Verdict& recorded, const v1::Verdict& replayed,
                    v1::DecisionReplay& out);

}  // namespace vuf

#endif  // VUFD_SERVER_DECISIONS_VERDICT_DIFFERENCES_H_
