// Runs migrations: one thread each, at most `max_concurrent`, every state change durable.
//
//   QUEUED             only while max_concurrent others run
//       | its turn
//   EVALUATING --refused--> REFUSED
//       | allowed
//   PREPARING          capabilities set, what was there remembered; a permit is armed at every
//   keeper
//       |
//   TRANSFERRING       the guest runs at the source
//       | pre-switchover: the guest is stopped
//   SWITCHING_OVER     same processes, sockets, devices, shares as judged? migrate-continue;
//       |              both sides completed, destination paused and its back-ends connected;
//       |              every keeper agrees and is fenced against the source
//   COMMITTED          written; from here on the source is never resumed
//       | cont destination
//   SUCCEEDED          the destination was seen running
//
// Any failure, cancel or time-out before COMMITTED goes back to the source: migrate_cancel, or
// `cont` if it had completed and the destination never ran. That ends in CANCELLED (on request,
// the guest runs on at the source) or FAILED (anything else, with where the guest is).
//
// Why there are never two running copies: the destination was started with -S and vufd sends it
// `cont` only after the durable commit, and the source only before one. Why there is one: until
// the commit the source holds everything and is resumed, after it the destination.
//
// SWITCHING_OVER is shown but not written: the guest is stopped, a sync would lengthen that, and
// recovery asks QEMU anyway.
#ifndef VUFD_SERVER_MIGRATION_MIGRATOR_H_
#define VUFD_SERVER_MIGRATION_MIGRATOR_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/decision/shadow.h"
#include "server/decisions/decision_log.h"
#include "server/keeper/keeper.h"
#include "server/migration/gather.h"
#include "server/model/facts.h"
#include "server/model/policy.h"
#include "server/model/verdict.h"
#include "server/registry/registry.h"
#include "server/registry/request_key.h"
#include "server/store/store.h"
#include "vuf/v1/migration.pb.h"
#include "vuf/v1/peer.pb.h"

namespace vuf {

class Migrator {
 public:
  struct Options {
    size_t max_concurrent = 4;
    size_t max_queued = 100;
    absl::Duration stuck_timeout = absl::Minutes(1);
    absl::Duration switchover_timeout = absl::Seconds(10);
    absl::Duration default_timeout = absl::Minutes(5);
    size_t history_limit = 1000;
    // Deadline of one QMP command.
    absl::Duration qmp_timeout = absl::Seconds(5);
    // How long to go on trying to bring a guest to the one side where it belongs: after a failure,
    // after a commit, and at start.
    absl::Duration settle_timeout = absl::Seconds(30);
    // Tests put their own judgement here.
    std::function<Verdict(const Facts&)> evaluate = EvaluateWithShadow;
    // Null: a migration of a VM with a back-end behind a keeper fails before anything is touched.
    KeeperPort* keepers = nullptr;
    // Where every decision is written down. Null: every migration fails before anything is touched.
    DecisionLog* decisions = nullptr;
    // The way to other hosts, as the gatherer has it.
    PeerSide peers;
  };
  // Told about every change of state (for metrics and the log); must not block.
  using Observer = std::function<void(const v1::Migration&)>;

  virtual ~Migrator() = default;

  // Reads the history. Migrations that a previous run left under way are settled from then on, all
  // at once and within about settle_timeout, as settle.h says: one that has not handed over is
  // cancelled (the guest goes on at the source), a committed one is finished if that is certain to
  // be right, and of any other nothing is assumed: it becomes INTERRUPTED. Until that is done,
  // Create and Cancel are UNAVAILABLE; what only reads works.
  static absl::StatusOr<std::unique_ptr<Migrator>> Open(Gatherer* gatherer,
                                                        HypervisorConnector* connector,
                                                        Registry* registry, Store* store,
                                                        const Clock* clock, const Options& options,
                                                        Observer observer);

  // Nothing that an earlier run left behind is being settled any more.
  virtual bool Settled() const = 0;
  virtual void AwaitSettled() = 0;

  // Accepts a migration (validated by the service) and starts it. Errors as the API documents.
  virtual absl::StatusOr<v1::Migration> Create(v1::Migration migration, const RequestKey& key) = 0;
  virtual absl::StatusOr<v1::Migration> Get(const std::string& name) const = 0;
  // Newest first.
  virtual std::vector<v1::Migration> List() const = 0;
  // Those that have not ended, and the newest `ended` of the others; newest first.
  virtual std::vector<v1::Migration> Recent(size_t ended) const = 0;
  virtual absl::StatusOr<v1::Migration> Cancel(const std::string& name) = 0;
  // What a destination on another host is told that asks for the outcome of the migration it holds
  // `reservation` for.
  virtual v1::MigrationOutcome OutcomeOf(const std::string& name,
                                         const std::string& reservation) const = 0;
  // Name of the running migration of a VM, or "".
  virtual std::string RunningMigrationOf(const std::string& vm) const = 0;
  // How many running migrations have a place under each limit.
  virtual void CountRunning(std::vector<ConcurrencyLimit>& limits) const = 0;
  // Calls `notify` after every change of any migration until Unsubscribe returns.
  virtual uint64_t Subscribe(std::function<void()> notify) = 0;
  virtual void Unsubscribe(uint64_t id) = 0;
  // Cancels what is before its commit, finishes what is behind it, and waits for the threads.
  // What is being settled is settled first.
  // A guest must not be left stopped at pre-switchover with nobody to continue it.
  virtual void Shutdown() = 0;
};

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_MIGRATOR_H_
