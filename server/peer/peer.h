// The port to the agents of other hosts (proto/vuf/v1/peer.proto says what each call means).
#ifndef VUFD_SERVER_PEER_PEER_H_
#define VUFD_SERVER_PEER_PEER_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "vuf/v1/peer.pb.h"

namespace vuf {

// `agent` is "HOST:PORT". UNAVAILABLE or DEADLINE_EXCEEDED: nothing is known of what became of the
// call. Every other error is that agent's answer. Thread-safe.
class PeerPort {
 public:
  virtual ~PeerPort() = default;

  virtual absl::StatusOr<v1::JudgeIncomingResponse> Judge(const std::string& agent,
                                                          const v1::JudgeIncomingRequest& request,
                                                          absl::Time deadline) = 0;
  virtual absl::StatusOr<v1::ReserveResponse> Reserve(const std::string& agent,
                                                      const v1::ReserveRequest& request,
                                                      absl::Time deadline) = 0;
  virtual absl::Status OpenStream(const std::string& agent, const std::string& reservation,
                                  absl::Time deadline) = 0;
  // How long from now.
  virtual absl::StatusOr<absl::Duration> Renew(const std::string& agent,
                                               const std::string& reservation,
                                               absl::Time deadline) = 0;
  virtual absl::Status Recheck(const std::string& agent, const std::string& reservation,
                               absl::Time deadline) = 0;
  virtual absl::Status Promise(const std::string& agent, const std::string& reservation,
                               absl::Time deadline) = 0;
  virtual absl::StatusOr<v1::Reservation> Commit(const std::string& agent,
                                                 const std::string& reservation,
                                                 absl::Time deadline) = 0;
  virtual absl::StatusOr<v1::AbortReservationResponse> Abort(
      const std::string& agent, const v1::AbortReservationRequest& request,
      absl::Time deadline) = 0;
  virtual absl::StatusOr<v1::MigrationOutcome> Query(const std::string& agent,
                                                     const v1::QueryOutcomeRequest& request,
                                                     absl::Time deadline) = 0;
};

}  // namespace vuf

#endif  // VUFD_SERVER_PEER_PEER_H_
