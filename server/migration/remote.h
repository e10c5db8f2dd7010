// The destination on another host, as the source's agent sees it: one reservation there.
#ifndef VUFD_SERVER_MIGRATION_REMOTE_H_
#define VUFD_SERVER_MIGRATION_REMOTE_H_

#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/peer/peer.h"
#include "server/peer/stream.h"
#include "vuf/v1/migration.pb.h"

namespace vuf {

// Every error names the agent. For one thread; a thread of its own renews the lease.
class Remote {
 public:
  struct Id {
    // "HOST:PORT" of the destination's agent, and of this one.
    std::string agent;
    std::string own_address;
    // "migrations/{migration}".
    std::string migration;
  };
  Remote(PeerPort* peers, const Clock* clock, Id id)
      : peers_(peers), clock_(clock), id_(std::move(id)) {}
  ~Remote();
  Remote(const Remote&) = delete;
  Remote& operator=(const Remote&) = delete;

  const std::string& agent() const { return id_.agent; }
  // Empty before Reserve; a restart takes it from the migration's record.
  const std::string& reservation() const { return reservation_; }
  void TakeUp(const std::string& reservation) { reservation_ = reservation; }

  // From here on the lease is renewed, until the promise.
  absl::Status Reserve(const v1::ReserveRequest& request, absl::Time deadline);
  // The way to the destination QEMU, which reads from the other end.
  absl::StatusOr<OwnedFd> OpenStream(absl::Time deadline);
  // OK while the destination is known to hold the reservation.
  absl::Status CheckLease() const;
  absl::Status Recheck(absl::Time deadline);
  absl::Status Promise(absl::Time deadline);
  absl::StatusOr<v1::Reservation> Commit(absl::Time deadline);
  // Also when it is not known whether there is a reservation.
  absl::StatusOr<v1::AbortReservationResponse> Abort(absl::Time deadline);

 private:
  absl::Status Named(const absl::Status& status) const;
  void Renew(absl::Duration lease);
  void StopRenewing();

  PeerPort* const peers_;
  const Clock* const clock_;
  const Id id_;
  std::string reservation_;
  std::string stream_address_;
  std::string stream_token_;
  std::thread renewing_;
  mutable Mutex mu_;
  CondVar stop_changed_;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  absl::Time lease_end_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();
  // What the last attempt to renew it ended with.
  absl::Status last_ ABSL_GUARDED_BY(mu_);
  bool lost_ ABSL_GUARDED_BY(mu_) = false;
};

// That there is no way to the other side tells nothing of what it did.
bool IsNoAnswer(const absl::Status& status);

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_REMOTE_H_
