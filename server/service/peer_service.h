// The gRPC shell of what agents of other hosts ask for.
#ifndef VUFD_SERVER_SERVICE_PEER_SERVICE_H_
#define VUFD_SERVER_SERVICE_PEER_SERVICE_H_

#include <functional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "server/service/deps.h"
#include "vuf/v1/peer.grpc.pb.h"

namespace vuf {

template <typename S>
using RawPeerMethods = v1::PeerService::WithRawCallbackMethod_JudgeIncoming<
    v1::PeerService::WithRawCallbackMethod_Reserve<
        v1::PeerService::WithRawCallbackMethod_OpenStream<
            v1::PeerService::WithRawCallbackMethod_RenewReservation<
                v1::PeerService::WithRawCallbackMethod_RecheckReservation<
                    v1::PeerService::WithRawCallbackMethod_PromiseReservation<
                        v1::PeerService::WithRawCallbackMethod_CommitReservation<
                            v1::PeerService::WithRawCallbackMethod_AbortReservation<
                                v1::PeerService::WithRawCallbackMethod_QueryOutcome<
                                    v1::PeerService::WithRawCallbackMethod_ListReservations<
                                        S>>>>>>>>>>;

class PeerServiceShell final : public RawPeerMethods<v1::PeerService::Service> {
 public:
  explicit PeerServiceShell(ServiceDeps deps) : deps_(std::move(deps)) {}

  grpc::ServerUnaryReactor* JudgeIncoming(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* in,
                                          grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* Reserve(grpc::CallbackServerContext* context,
                                    const grpc::ByteBuffer* in, grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* OpenStream(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* in, grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* RenewReservation(grpc::CallbackServerContext* context,
                                             const grpc::ByteBuffer* in,
                                             grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* RecheckReservation(grpc::CallbackServerContext* context,
                                               const grpc::ByteBuffer* in,
                                               grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* PromiseReservation(grpc::CallbackServerContext* context,
                                               const grpc::ByteBuffer* in,
                                               grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* CommitReservation(grpc::CallbackServerContext* context,
                                              const grpc::ByteBuffer* in,
                                              grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* AbortReservation(grpc::CallbackServerContext* context,
                                             const grpc::ByteBuffer* in,
                                             grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* QueryOutcome(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* in,
                                         grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* ListReservations(grpc::CallbackServerContext* context,
                                             const grpc::ByteBuffer* in,
                                             grpc::ByteBuffer* out) override;

 private:
  // A method about one reservation of the caller's.
  template <typename Request, typename Response>
  using Step = std::function<absl::StatusOr<Response>(const Request& request,
                                                      const std::string& caller, absl::Time)>;
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* Call(grpc::CallbackServerContext* context, const char* method,
                                 const grpc::ByteBuffer* in, grpc::ByteBuffer* out,
                                 Step<Request, Response> step);
  absl::StatusOr<v1::ListReservationsResponse> List(const v1::ListReservationsRequest& request);

  const ServiceDeps deps_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_PEER_SERVICE_H_
