// A vufd that dies at a point that it is told: before or after anything that a migration does to
// the store, to a QEMU or to a keeper. The decorators here go between an ordinary agent and its
// adapters.
//
// A point has a name that is the same in every run: "after configure the source", "before write
// COMMITTED", "after arm at fs0.control". What is done twice has a number from the second time on.
// A message to the agent of another host is one, too.
// What changes nothing (a look, waiting for an event) is a point once after each thing that does,
// and named after it: "before query-status at the destination [write COMMITTED]".
//
// Nothing is a point before the first migration, or reservation for one from another host, is
// written down.
#ifndef VUFD_TESTS_FAULT_CRASH_POINTS_H_
#define VUFD_TESTS_FAULT_CRASH_POINTS_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "server/base/mutex.h"
#include "server/hypervisor/hypervisor.h"
#include "server/keeper/keeper.h"
#include "server/peer/peer.h"
#include "server/store/store.h"

namespace vuf {

// Thread-safe.
class CrashPoints {
 public:
  // Every point is told on standard error; at the one named `at` the process gets `signal`:
  // SIGKILL, or SIGSTOP, so that the world around it can be changed before it goes on. "": never.
  CrashPoints(std::string at, int signal) : at_(std::move(at)), signal_(signal) {}

  // The migration begins. `destination`: its monitor; any other one is the source's.
  void Begin(const std::string& destination);
  // "source" or "destination".
  std::string SideOf(const std::string& qmp_socket) const;

  // One thing that is done, from its beginning to its end: a point at each. Not a point at all when
  // the name is "".
  class Span {
   public:
    Span(CrashPoints* points, std::string name) : points_(points), name_(std::move(name)) {
      points_->Reach("before ", name_);
    }
    ~Span() { points_->Reach("after ", name_); }
    Span(const Span&) = delete;
    Span& operator=(const Span&) = delete;

   private:
    CrashPoints* const points_;
    const std::string name_;
  };
  // `what` changes something.
  Span Act(const std::string& what) { return {this, NameOfAct(what)}; }
  // `what` is done beside others, so it names no point after it.
  Span Aside(const std::string& what) { return {this, NameOfAside(what)}; }
  // `what` changes nothing.
  Span Look(const std::string& what) { return {this, NameOfLook(what)}; }

 private:
  // The two sides are told and asked at the same time, so a look at one of them is named after the
  // last act there, any other after the last of all.
  struct Place {
    std::string last_act;
    std::set<std::string> looks;
  };
  Place& PlaceOf(const std::string& what) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  std::string NameOfAct(const std::string& what);
  std::string NameOfAside(const std::string& what) const;
  std::string NameOfLook(const std::string& what);
  void Reach(const char* when, const std::string& name);

  const std::string at_;
  const int signal_;
  mutable Mutex mu_;
  bool begun_ ABSL_GUARDED_BY(mu_) = false;
  std::string destination_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, int> acts_ ABSL_GUARDED_BY(mu_);
  Place source_ ABSL_GUARDED_BY(mu_);
  Place there_ ABSL_GUARDED_BY(mu_);
  Place anywhere_ ABSL_GUARDED_BY(mu_);
};

class CrashingStore : public Store {
 public:
  CrashingStore(CrashPoints* points, std::unique_ptr<Store> store)
      : points_(points), store_(std::move(store)) {}

  absl::StatusOr<std::vector<Record>> ReadAll(Table table) override {
    return store_->ReadAll(table);
  }
  absl::Status Write(const std::vector<Change>& changes) override;

 private:
  CrashPoints* const points_;
  const std::unique_ptr<Store> store_;
};

class CrashingConnector : public HypervisorConnector {
 public:
  CrashingConnector(CrashPoints* points, HypervisorConnector* connector)
      : points_(points), connector_(connector) {}

  absl::StatusOr<std::unique_ptr<Hypervisor>> Connect(const std::string& qmp_socket,
                                                      absl::Time deadline) override;

 private:
  CrashPoints* const points_;
  HypervisorConnector* const connector_;
};

class CrashingKeepers : public KeeperPort {
 public:
  CrashingKeepers(CrashPoints* points, KeeperPort* keepers) : points_(points), keepers_(keepers) {}

  absl::StatusOr<KeeperFacts> Look(const KeeperAddress& address, absl::Time deadline) override;
  absl::StatusOr<KeeperFacts> Arm(const KeeperAddress& address, const KeeperPermit& permit,
                                  absl::Time deadline) override;
  absl::StatusOr<KeeperFacts> Disarm(const KeeperAddress& address, const std::string& permit,
                                     absl::Time deadline) override;
  absl::StatusOr<KeeperFacts> Fence(const KeeperAddress& address, const std::string& permit,
                                    absl::Time deadline) override;
  absl::StatusOr<KeeperFacts> ReplaceBackEnd(const KeeperAddress& address,
                                             const std::string& socket_path,
                                             absl::Time deadline) override {
    return keepers_->ReplaceBackEnd(address, socket_path, deadline);
  }

 private:
  CrashPoints* const points_;
  KeeperPort* const keepers_;
};

// What is sent now and then (the lease, the question for an outcome) is no point.
class CrashingPeers : public PeerPort {
 public:
  CrashingPeers(CrashPoints* points, PeerPort* peers) : points_(points), peers_(peers) {}

  absl::StatusOr<v1::JudgeIncomingResponse> Judge(const std::string& agent,
                                                  const v1::JudgeIncomingRequest& request,
                                                  absl::Time deadline) override;
  absl::StatusOr<v1::ReserveResponse> Reserve(const std::string& agent,
                                              const v1::ReserveRequest& request,
                                              absl::Time deadline) override;
  absl::Status OpenStream(const std::string& agent, const std::string& reservation,
                          absl::Time deadline) override;
  absl::StatusOr<absl::Duration> Renew(const std::string& agent, const std::string& reservation,
                                       absl::Time deadline) override {
    return peers_->Renew(agent, reservation, deadline);
  }
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
                                             absl::Time deadline) override {
    return peers_->Query(agent, request, deadline);
  }

 private:
  CrashPoints* const points_;
  PeerPort* const peers_;
};

}  // namespace vuf

#endif  // VUFD_TESTS_FAULT_CRASH_POINTS_H_
