// The port to other hosts' agents over gRPC.
#ifndef VUFD_SERVER_PEER_GRPC_PEER_H_
#define VUFD_SERVER_PEER_GRPC_PEER_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "grpcpp/channel.h"
#include "server/peer/peer.h"
#include "vuf/v1/peer.grpc.pb.h"

namespace vuf {

class GrpcPeer : public PeerPort {
 public:
  // The way to "HOST:PORT", asked for with every call. Thread-safe.
  using Connect =
      std::function<absl::StatusOr<std::shared_ptr<grpc::Channel>>(const std::string& agent)>;
  explicit GrpcPeer(Connect connect) : connect_(std::move(connect)) {}

  absl::StatusOr<v1::JudgeIncomingResponse> Judge(const std::string& agent,
                                                  const v1::JudgeIncomingRequest& request,
                                                  absl::Time deadline) override;
  absl::StatusOr<v1::ReserveResponse> Reserve(const std::string& agent,
                                              const v1::ReserveRequest& request,
                                              absl::Time deadline) override;
  absl::Status OpenStream(const std::string& agent, const std::string& reservation,
                          absl::Time deadline) override;
  absl::StatusOr<absl::Duration> Renew(const std::string& agent, const std::string& reservation,
                                       absl::Time deadline) override;
  absl::Status Recheck(const std::string& agent, const std::string& reservation,
                       absl::Time deadline) override;
  absl::Status Promise(const std::string& agent, const std::string& reservation,
                       absl::Time deadline) override;
  absl::StatusOr<v1::Reservation> Commit(const std::string& agent, const std::string& reservation,
                                         absl::Time deadline) override;
  absl::StatusOr<v1::AbortReservationResponse> Abort(const std::string& agent,
                                                     const v1::AbortReservationRequest& request,
                                                     absl::Time deadline) override;
  absl::StatusOr<v1::MigrationOutcome> Query(const std::string& agent,
                                             const v1::QueryOutcomeRequest& request,
                                             absl::Time deadline) override;

 private:
  const Connect connect_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_PEER_GRPC_PEER_H_
