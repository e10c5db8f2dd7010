// Computes a recorded decision again.
#ifndef VUFD_SERVER_DECISIONS_REPLAY_H_
#define VUFD_SERVER_DECISIONS_REPLAY_H_

#include "absl/status/statusor.h"
#include "vuf/v1/decision.pb.h"

namespace vuf {

// Judges the recorded facts with this program's rules, and compares. Pure. An error when the facts
// cannot be read, or hold something that this program does not know: then nothing was compared.
absl::StatusOr<v1::DecisionReplay> ReplayDecision(const v1::DecisionRecord& record);

}  // namespace vuf

#endif  // VUFD_SERVER_DECISIONS_REPLAY_H_
