// Facts that agents tell each other. Clocks of two hosts differ, ages do not.
#ifndef VUFD_SERVER_CONVERT_PEER_FACTS_H_
#define VUFD_SERVER_CONVERT_PEER_FACTS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/model/facts.h"

namespace vuf {

inline constexpr size_t kMaxPeerFactsBytes = size_t{1} << 20;

// What SerializeFacts() made on another host, as if its `now` there were `as_of` here.
// INVALID_ARGUMENT: too long, or what ParseFacts() says.
absl::StatusOr<Facts> FactsFromPeer(const std::string& bytes, absl::Time as_of);

}  // namespace vuf

#endif  // VUFD_SERVER_CONVERT_PEER_FACTS_H_
