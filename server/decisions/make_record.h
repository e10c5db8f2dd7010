// A record of a decision, made where it is taken.
#ifndef VUFD_SERVER_DECISIONS_MAKE_RECORD_H_
#define VUFD_SERVER_DECISIONS_MAKE_RECORD_H_

#include <string>
#include <vector>

#include "server/model/facts.h"
#include "server/model/verdict.h"
#include "vuf/v1/decision.pb.h"

namespace vuf {

// Facts, digests, versions and the verdict; everything else is the caller's to fill in.
v1::DecisionRecord MakeRecord(const Facts& facts, const Verdict& verdict);
// The same for a re-check: `now` against what was `judged`.
v1::DecisionRecord MakeRecheckRecord(const Facts& judged, const Facts& now,
                                     const std::vector<std::string>& changes);

// What a list shows of it.
v1::DecisionRecord InShort(const v1::DecisionRecord& record);

}  // namespace vuf

#endif  // VUFD_SERVER_DECISIONS_MAKE_RECORD_H_
