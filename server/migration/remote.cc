#include "server/migration/remote.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/convert/convert.h"

namespace vuf {

bool IsNoAnswer(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
         absl::IsCancelled(status);
}

Remote::~Remote() { StopRenewing(); }

absl::Status Remote::Named(const absl::Status& status) const {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("vufd at ", id_.agent, ": ", status.message()));
}

absl::Status Remote::Reserve(const v1::ReserveRequest& request, absl::Time deadline) {
  const absl::Time sent = clock_->Now();
  absl::StatusOr<v1::ReserveResponse> response = peers_->Reserve(id_.agent, request, deadline);
  if (!response.ok()) return Named(response.status());
  reservation_ = response->reservation().name();
  stream_address_ = response->stream_address();
  stream_token_ = response->stream_token();
  const absl::Duration lease = FromProto(response->lease());
  if (reservation_.empty() || stream_address_.empty() || lease < absl::Milliseconds(100)) {
    return Named(absl::InternalError("its answer to Reserve lacks what was reserved"));
  }
  {
    MutexLock lock(&mu_);
    lease_end_ = sent + lease;
  }
  renewing_ = std::thread([this, lease] { Renew(lease); });
  return absl::OkStatus();
}

void Remote::Renew(absl::Duration lease) {
  while (true) {
    {
      MutexLock lock(&mu_);
      const absl::Time next = clock_->Now() + lease / 3;
      while (!stop_ && clock_->Now() < next) {
        stop_changed_.WaitFor(&mu_, next - clock_->Now());
      }
      if (stop_) return;
    }
    const absl::Time sent = clock_->Now();
    const absl::StatusOr<absl::Duration> renewed =
        peers_->Renew(id_.agent, reservation_, sent + lease / 3);
    MutexLock lock(&mu_);
    last_ = renewed.status();
    if (renewed.ok()) lease_end_ = sent + *renewed;
    if (!renewed.ok() && !IsNoAnswer(renewed.status())) lost_ = true;
  }
}

void Remote::StopRenewing() {
  {
    MutexLock lock(&mu_);
    stop_ = true;
    stop_changed_.NotifyAll();
  }
  if (renewing_.joinable()) renewing_.join();
}

absl::Status Remote::CheckLease() const {
  MutexLock lock(&mu_);
  if (lost_) return Named(last_);
  if (clock_->Now() < lease_end_) return absl::OkStatus();
  return Named(absl::FailedPreconditionError(absl::StrCat(
      "lost: the lease of ", reservation_, " could not be renewed (", last_.message(), ")")));
}

absl::StatusOr<OwnedFd> Remote::OpenStream(absl::Time deadline) {
  absl::StatusOr<OwnedFd> stream = ConnectStream(stream_address_, stream_token_, deadline);
  if (!stream.ok()) return Named(stream.status());
  const absl::Status opened = peers_->OpenStream(id_.agent, reservation_, deadline);
  if (!opened.ok()) return Named(opened);
  return stream;
}

absl::Status Remote::Recheck(absl::Time deadline) {
  return Named(peers_->Recheck(id_.agent, reservation_, deadline));
}

absl::Status Remote::Promise(absl::Time deadline) {
  // The lease goes on meanwhile: should this call be lost, it frees the other side.
  const absl::Status promised = peers_->Promise(id_.agent, reservation_, deadline);
  StopRenewing();
  return Named(promised);
}

absl::StatusOr<v1::Reservation> Remote::Commit(absl::Time deadline) {
  absl::StatusOr<v1::Reservation> committed = peers_->Commit(id_.agent, reservation_, deadline);
  if (!committed.ok()) return Named(committed.status());
  return committed;
}

absl::StatusOr<v1::AbortReservationResponse> Remote::Abort(absl::Time deadline) {
  StopRenewing();
  v1::AbortReservationRequest request;
  request.set_name(reservation_);
  request.set_migration(id_.migration);
  request.set_source_agent(id_.own_address);
  absl::StatusOr<v1::AbortReservationResponse> aborted =
      peers_->Abort(id_.agent, request, deadline);
  if (!aborted.ok()) return Named(aborted.status());
  return aborted;
}

}  // namespace vuf
