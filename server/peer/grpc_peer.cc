#include "server/peer/grpc_peer.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "grpcpp/client_context.h"
#include "server/convert/convert.h"

namespace vuf {
namespace {

template <typename Request, typename Response>
using Method = grpc::Status (v1::PeerService::Stub::*)(grpc::ClientContext*, const Request&,
                                                       Response*);

template <typename Request, typename Response>
absl::StatusOr<Response> Call(const GrpcPeer::Connect& connect, const std::string& agent,
                              Method<Request, Response> method, const Request& request,
                              absl::Time deadline) {
  const absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = connect(agent);
  if (!channel.ok()) return channel.status();
  const std::unique_ptr<v1::PeerService::Stub> stub = v1::PeerService::NewStub(*channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(deadline));
  Response response;
  const grpc::Status status = ((*stub).*method)(&context, request, &response);
  if (status.ok()) return response;
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

template <typename Request>
Request Named(const std::string& reservation) {
  Request request;
  request.set_name(reservation);
  return request;
}

}  // namespace

absl::StatusOr<v1::JudgeIncomingResponse> GrpcPeer::Judge(const std::string& agent,
                                                          const v1::JudgeIncomingRequest& request,
                                                          absl::Time deadline) {
  return Call(connect_, agent, &v1::PeerService::Stub::JudgeIncoming, request, deadline);
}

absl::StatusOr<v1::ReserveResponse> GrpcPeer::Reserve(const std::string& agent,
                                                      const v1::ReserveRequest& request,
                                                      absl::Time deadline) {
  return Call(connect_, agent, &v1::PeerService::Stub::Reserve, request, deadline);
}

absl::Status GrpcPeer::OpenStream(const std::string& agent, const std::string& reservation,
                                  absl::Time deadline) {
  return Call(connect_, agent, &v1::PeerService::Stub::OpenStream,
              Named<v1::OpenStreamRequest>(reservation), deadline)
      .status();
}

absl::StatusOr<absl::Duration> GrpcPeer::Renew(const std::string& agent,
                                               const std::string& reservation,
                                               absl::Time deadline) {
  const absl::StatusOr<v1::RenewReservationResponse> response =
      Call(connect_, agent, &v1::PeerService::Stub::RenewReservation,
           Named<v1::RenewReservationRequest>(reservation), deadline);
  if (!response.ok()) return response.status();
  return FromProto(response->lease());
}

absl::Status GrpcPeer::Recheck(const std::string& agent, const std::string& reservation,
                               absl::Time deadline) {
  return Call(connect_, agent, &v1::PeerService::Stub::RecheckReservation,
              Named<v1::RecheckReservationRequest>(reservation), deadline)
      .status();
}

absl::Status GrpcPeer::Promise(const std::string& agent, const std::string& reservation,
                               absl::Time deadline) {
  return Call(connect_, agent, &v1::PeerService::Stub::PromiseReservation,
              Named<v1::PromiseReservationRequest>(reservation), deadline)
      .status();
}

absl::StatusOr<v1::Reservation> GrpcPeer::Commit(const std::string& agent,
                                                 const std::string& reservation,
                                                 absl::Time deadline) {
  absl::StatusOr<v1::CommitReservationResponse> response =
      Call(connect_, agent, &v1::PeerService::Stub::CommitReservation,
           Named<v1::CommitReservationRequest>(reservation), deadline);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_reservation());
}

absl::StatusOr<v1::AbortReservationResponse> GrpcPeer::Abort(
    const std::string& agent, const v1::AbortReservationRequest& request, absl::Time deadline) {
  return Call(connect_, agent, &v1::PeerService::Stub::AbortReservation, request, deadline);
}

absl::StatusOr<v1::MigrationOutcome> GrpcPeer::Query(const std::string& agent,
                                                     const v1::QueryOutcomeRequest& request,
                                                     absl::Time deadline) {
  const absl::StatusOr<v1::QueryOutcomeResponse> response =
      Call(connect_, agent, &v1::PeerService::Stub::QueryOutcome, request, deadline);
  if (!response.ok()) return response.status();
  return response->outcome();
}

}  // namespace vuf
