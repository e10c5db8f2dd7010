// VMs that come in from other hosts: what PeerService does at the destination's agent.
//
//   RESERVED   the destination QEMU listens; the lease frees it when the source's agent is lost
//       | Promise: it has everything and stands paused; written
//   PROMISED   only the source's agent decides; it is asked when it says nothing
//       | Commit: written
//   COMMITTED  the guest is resumed, as often as it takes
//       | seen running
//   DONE
// RESERVED and PROMISED may end RELEASED instead: the QEMU is quit, the guest was never resumed.
//
// Why there are never two running copies: the guest is resumed only in COMMITTED, which only
// Commit or the answer to Query leads to, and the source's agent gives either only once it has
// written its own COMMITTED, after which it never resumes the source.
#ifndef VUFD_SERVER_MIGRATION_INCOMING_H_
#define VUFD_SERVER_MIGRATION_INCOMING_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/decisions/decision_log.h"
#include "server/migration/gather.h"
#include "server/migration/monitor.h"
#include "server/migration/reservations.h"
#include "server/peer/peer.h"
#include "server/peer/stream.h"
#include "vuf/v1/peer.pb.h"

namespace vuf {

class Incoming {
 public:
  struct Parts {
    Gatherer* gatherer;
    HypervisorConnector* connector;
    Registry* registry;
    Store* store;
    const Clock* clock;
    // To ask source agents. Null: nothing comes in.
    PeerPort* peers;
    DecisionLog* decisions;
    std::function<Verdict(const Facts&)> evaluate;
  };
  struct Options {
    // Numeric address that streams come in at. Empty: nothing comes in.
    std::string stream_host;
    Reservations::Limits limits;
    absl::Duration lease = absl::Seconds(15);
    absl::Duration qmp_timeout = absl::Seconds(5);
    absl::Duration settle_timeout = absl::Seconds(30);
    // Between two questions to a source's agent that says nothing.
    absl::Duration ask_every = absl::Seconds(2);
  };

  // Reads the reservations. What was RESERVED when vufd ended is released; the rest goes on.
  static absl::StatusOr<std::unique_ptr<Incoming>> Open(const Parts& parts, const Options& options);
  ~Incoming();
  Incoming(const Incoming&) = delete;
  Incoming& operator=(const Incoming&) = delete;

  // As PeerService documents them; `caller` is the identity of the connection.
  absl::StatusOr<v1::JudgeIncomingResponse> Judge(const v1::IncomingMigration& incoming,
                                                  absl::Time deadline);
  absl::StatusOr<v1::ReserveResponse> Reserve(const v1::ReserveRequest& request,
                                              const std::string& caller, absl::Time deadline);
  absl::Status OpenStream(const std::string& name, const std::string& caller, absl::Time deadline);
  absl::StatusOr<absl::Duration> Renew(const std::string& name, const std::string& caller,
                                       absl::Time deadline);
  absl::Status Recheck(const std::string& name, const std::string& caller, absl::Time deadline);
  absl::Status Promise(const std::string& name, const std::string& caller, absl::Time deadline);
  absl::StatusOr<v1::Reservation> Commit(const std::string& name, const std::string& caller,
                                         absl::Time deadline);
  absl::StatusOr<v1::AbortReservationResponse> Abort(const v1::AbortReservationRequest& request,
                                                     const std::string& caller,
                                                     absl::Time deadline);
  std::vector<v1::Reservation> List() const { return book_.List(); }

  // Ends the thread. What is reserved stays as it is.
  void Shutdown();

 private:
  // What is known of an open reservation beyond its record.
  struct Held {
    bool busy = false;
    std::unique_ptr<Monitor> monitor;
    // What was judged; absent after a restart.
    std::optional<Facts> decided;
    std::unique_ptr<StreamListener> listener;
    std::string token;
    // The QEMU receives.
    bool streaming = false;
    absl::Time lease_end = absl::InfinitePast();
    absl::Time next_step = absl::InfinitePast();
  };
  // The use of one reservation, for one thread at a time.
  class Use;

  Incoming(const Parts& parts, const Options& options)
      : parts_(parts), options_(options), book_(parts.store, options.limits) {}

  absl::Status Start();
  void HoldAgain(const v1::Reservation& reservation);
  // Null: there is none of this name that is open.
  std::shared_ptr<Held> Find(const std::string& name) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Waits for whoever uses it. NOT_FOUND: not one of the caller's. An empty caller is vufd itself.
  absl::StatusOr<std::unique_ptr<Use>> Take(const std::string& name, const std::string& caller,
                                            absl::Time deadline);
  absl::Status CheckOwner(const std::string& name, const std::string& caller,
                          v1::Reservation& record) const;

  absl::StatusOr<v1::Reservation> Judged(const v1::ReserveRequest& request,
                                         const std::string& caller, Held& held,
                                         absl::Time deadline);
  absl::Status RecordDecisionOf(const v1::ReserveRequest& request, const std::string& caller,
                                const Facts& facts, const Verdict& verdict);
  v1::ReserveResponse ResponseOf(const v1::Reservation& reservation, const Held& held) const;
  absl::Status Configure(Held& held);
  // RELEASED, durably; OK as well when somebody else had resumed the guest, which `guest_ran` says.
  absl::Status Release(Use& use, const std::string& why, bool* guest_ran);
  // COMMITTED, durably, and on to DONE as far as it goes.
  absl::Status Finish(Use& use);
  absl::Status EndDone(Use& use, bool guest_seen, const std::string& message);
  std::string RegisterVm(const v1::Reservation& reservation);

  // The thread: leases, promises nobody comes back to, guests that are still to be resumed.
  void Tend();
  void TendOne(const std::string& name);
  void AskSource(Use& use);
  std::vector<std::string> Due(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckStop() const;

  const Parts parts_;
  const Options options_;
  Reservations book_;
  mutable Mutex mu_;
  CondVar changed_;
  std::map<std::string, std::shared_ptr<Held>> held_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_INCOMING_H_
