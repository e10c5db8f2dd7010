#include "server/service/peer_service.h"

#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/base/host_port.h"
#include "server/convert/convert.h"
#include "server/convert/peer_facts.h"
#include "server/security/identity.h"
#include "server/service/paging.h"
#include "server/service/validate.h"

namespace vuf {
namespace {

absl::Status CheckAgent(absl::string_view field, const std::string& agent) {
  if (IsHostPort(agent)) return absl::OkStatus();
  return InvalidField(field, agent, kHostPortAllowed);
}

absl::Status Check(const v1::IncomingMigration& incoming) {
  absl::Status status = CheckAgent("incoming.source_agent", incoming.source_agent());
  if (status.ok()) status = CheckName("incoming.vm", "vms", incoming.vm());
  if (status.ok()) status = CheckSocketPath("incoming.qmp_socket", incoming.qmp_socket());
  if (status.ok()) status = CheckLabels("incoming.labels", incoming.labels());
  if (status.ok() && incoming.source_facts().size() > kMaxPeerFactsBytes) {
    status = absl::InvalidArgumentError(
        absl::StrCat("incoming.source_facts: ", incoming.source_facts().size(), " bytes; at most ",
                     kMaxPeerFactsBytes));
  }
  return status;
}

absl::Status CheckReservation(const std::string& name) {
  return CheckName("name", "reservations", name);
}

// Ascending keys are newest first.
std::string NewestFirstKey(const v1::Reservation& reservation) {
  const int64_t nanos = absl::ToUnixNanos(FromProto(reservation.create_time()));
  return absl::StrFormat("%020d %s", std::numeric_limits<int64_t>::max() - nanos,
                         reservation.name());
}

// What a step that only succeeds or fails answers.
template <typename Response>
absl::StatusOr<Response> Answer(const absl::Status& status) {
  if (!status.ok()) return status;
  return Response();
}

}  // namespace

template <typename Request, typename Response>
grpc::ServerUnaryReactor* PeerServiceShell::Call(grpc::CallbackServerContext* context,
                                                 const char* method, const grpc::ByteBuffer* in,
                                                 grpc::ByteBuffer* out,
                                                 Step<Request, Response> step) {
  return deps_.calls->Unary<Request, Response>(
      context, method, deps_.monitor_pool, in, out,
      [this, caller = IdentityOf(*context).name(), step = std::move(step)](
          const Request& request, absl::Time deadline) -> absl::StatusOr<Response> {
        if (deps_.incoming == nullptr) {
          return absl::FailedPreconditionError(
              "this vufd is not set up for other hosts (peer in its configuration)");
        }
        return step(request, caller, deadline);
      });
}

grpc::ServerUnaryReactor* PeerServiceShell::JudgeIncoming(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* in,
                                                          grpc::ByteBuffer* out) {
  return Call<v1::JudgeIncomingRequest, v1::JudgeIncomingResponse>(
      context, "PeerService/JudgeIncoming", in, out,
      [this](const auto& request, const std::string&,
             absl::Time deadline) -> absl::StatusOr<v1::JudgeIncomingResponse> {
        if (absl::Status checked = Check(request.incoming()); !checked.ok()) return checked;
        return deps_.incoming->Judge(request.incoming(), deadline);
      });
}

grpc::ServerUnaryReactor* PeerServiceShell::Reserve(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* in,
                                                    grpc::ByteBuffer* out) {
  return Call<v1::ReserveRequest, v1::ReserveResponse>(
      context, "PeerService/Reserve", in, out,
      [this](const auto& request, const std::string& caller,
             absl::Time deadline) -> absl::StatusOr<v1::ReserveResponse> {
        absl::Status checked = Check(request.incoming());
        if (checked.ok()) {
          checked = CheckName("incoming.migration", "migrations", request.incoming().migration());
        }
        if (!checked.ok()) return checked;
        return deps_.incoming->Reserve(request, caller, deadline);
      });
}

grpc::ServerUnaryReactor* PeerServiceShell::OpenStream(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* in,
                                                       grpc::ByteBuffer* out) {
  return Call<v1::OpenStreamRequest, v1::OpenStreamResponse>(
      context, "PeerService/OpenStream", in, out,
      [this](const auto& request, const std::string& caller,
             absl::Time deadline) -> absl::StatusOr<v1::OpenStreamResponse> {
        if (absl::Status checked = CheckReservation(request.name()); !checked.ok()) return checked;
        return Answer<v1::OpenStreamResponse>(
            deps_.incoming->OpenStream(request.name(), caller, deadline));
      });
}

grpc::ServerUnaryReactor* PeerServiceShell::RenewReservation(grpc::CallbackServerContext* context,
                                                             const grpc::ByteBuffer* in,
                                                             grpc::ByteBuffer* out) {
  return Call<v1::RenewReservationRequest, v1::RenewReservationResponse>(
      context, "PeerService/RenewReservation", in, out,
      [this](const auto& request, const std::string& caller,
             absl::Time deadline) -> absl::StatusOr<v1::RenewReservationResponse> {
        if (absl::Status checked = CheckReservation(request.name()); !checked.ok()) return checked;
        const absl::StatusOr<absl::Duration> lease =
            deps_.incoming->Renew(request.name(), caller, deadline);
        if (!lease.ok()) return lease.status();
        v1::RenewReservationResponse response;
        *response.mutable_lease() = ToProto(*lease);
        return response;
      });
}

grpc::ServerUnaryReactor* PeerServiceShell::RecheckReservation(grpc::CallbackServerContext* context,
                                                               const grpc::ByteBuffer* in,
                                                               grpc::ByteBuffer* out) {
  return Call<v1::RecheckReservationRequest, v1::RecheckReservationResponse>(
      context, "PeerService/RecheckReservation", in, out,
      [this](const auto& request, const std::string& caller,
             absl::Time deadline) -> absl::StatusOr<v1::RecheckReservationResponse> {
        if (absl::Status checked = CheckReservation(request.name()); !checked.ok()) return checked;
        return Answer<v1::RecheckReservationResponse>(
            deps_.incoming->Recheck(request.name(), caller, deadline));
      });
}

grpc::ServerUnaryReactor* PeerServiceShell::PromiseReservation(grpc::CallbackServerContext* context,
                                                               const grpc::ByteBuffer* in,
                                                               grpc::ByteBuffer* out) {
  return Call<v1::PromiseReservationRequest, v1::PromiseReservationResponse>(
      context, "PeerService/PromiseReservation", in, out,
      [this](const auto& request, const std::string& caller,
             absl::Time deadline) -> absl::StatusOr<v1::PromiseReservationResponse> {
        if (absl::Status checked = CheckReservation(request.name()); !checked.ok()) return checked;
        return Answer<v1::PromiseReservationResponse>(
            deps_.incoming->Promise(request.name(), caller, deadline));
      });
}

grpc::ServerUnaryReactor* PeerServiceShell::CommitReservation(grpc::CallbackServerContext* context,
                                                              const grpc::ByteBuffer* in,
                                                              grpc::ByteBuffer* out) {
  return Call<v1::CommitReservationRequest, v1::CommitReservationResponse>(
      context, "PeerService/CommitReservation", in, out,
      [this](const auto& request, const std::string& caller,
             absl::Time deadline) -> absl::StatusOr<v1::CommitReservationResponse> {
        if (absl::Status checked = CheckReservation(request.name()); !checked.ok()) return checked;
        absl::StatusOr<v1::Reservation> committed =
            deps_.incoming->Commit(request.name(), caller, deadline);
        if (!committed.ok()) return committed.status();
        v1::CommitReservationResponse response;
        *response.mutable_reservation() = *std::move(committed);
        return response;
      });
}

grpc::ServerUnaryReactor* PeerServiceShell::AbortReservation(grpc::CallbackServerContext* context,
                                                             const grpc::ByteBuffer* in,
                                                             grpc::ByteBuffer* out) {
  return Call<v1::AbortReservationRequest, v1::AbortReservationResponse>(
      context, "PeerService/AbortReservation", in, out,
      [this](const auto& request, const std::string& caller,
             absl::Time deadline) -> absl::StatusOr<v1::AbortReservationResponse> {
        const absl::Status checked = request.name().empty()
                                         ? CheckName("migration", "migrations", request.migration())
                                         : CheckReservation(request.name());
        if (!checked.ok()) return checked;
        return deps_.incoming->Abort(request, caller, deadline);
      });
}

grpc::ServerUnaryReactor* PeerServiceShell::QueryOutcome(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* in,
                                                         grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::QueryOutcomeRequest, v1::QueryOutcomeResponse>(
      context, "PeerService/QueryOutcome", nullptr, in, out,
      [this](const auto& request, absl::Time) -> absl::StatusOr<v1::QueryOutcomeResponse> {
        absl::Status checked = CheckName("migration", "migrations", request.migration());
        if (checked.ok()) checked = CheckName("reservation", "reservations", request.reservation());
        if (!checked.ok()) return checked;
        v1::QueryOutcomeResponse response;
        response.set_outcome(deps_.migrator->OutcomeOf(request.migration(), request.reservation()));
        return response;
      });
}

absl::StatusOr<v1::ListReservationsResponse> PeerServiceShell::List(
    const v1::ListReservationsRequest& request) {
  absl::StatusOr<Page> page =
      Page::Begin("ListReservations", request.page_size(), request.page_token());
  if (!page.ok()) return page.status();
  v1::ListReservationsResponse response;
  if (deps_.incoming == nullptr) return response;
  for (const v1::Reservation& reservation : deps_.incoming->List()) {
    if (page->Takes(NewestFirstKey(reservation))) *response.add_reservations() = reservation;
  }
  response.set_next_page_token(page->NextToken());
  return response;
}

grpc::ServerUnaryReactor* PeerServiceShell::ListReservations(grpc::CallbackServerContext* context,
                                                             const grpc::ByteBuffer* in,
                                                             grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::ListReservationsRequest, v1::ListReservationsResponse>(
      context, "PeerService/ListReservations", nullptr, in, out,
      [this](const auto& request, absl::Time) { return List(request); });
}

}  // namespace vuf
