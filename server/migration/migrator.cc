#include "server/migration/migrator.h"

#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "server/base/migration_state.h"
#include "server/base/mutex.h"
#include "server/migration/ledger.h"
#include "server/migration/run.h"
#include "server/migration/run_remote.h"
#include "server/migration/saved_guests.h"
#include "server/migration/sequential_load.h"
#include "server/migration/settle.h"
#include "server/migration/state_file.h"

namespace vuf {
namespace {

class MigratorImpl : public Migrator {
 public:
  MigratorImpl(Gatherer* gatherer, HypervisorConnector* connector, Registry* registry, Store* store,
               const Clock* clock, const Options& options, Observer observer)
      : ledger_(store, clock, {options.max_concurrent, options.history_limit, options.max_queued},
                std::move(observer)),
        saved_guests_(store),
        parts_{gatherer,
               connector,
               registry,
               &ledger_,
               clock,
               options.evaluate,
               options.qmp_timeout,
               options.settle_timeout,
               options.default_timeout,
               options.stuck_timeout,
               options.switchover_timeout,
               options.keepers,
               &saved_guests_,
               options.decisions,
               options.peers.port,
               options.peers.own_address} {}
  ~MigratorImpl() override { MigratorImpl::Shutdown(); }

  absl::Status Start() {
    if (absl::Status loaded = ledger_.Load(); !loaded.ok()) return loaded;
    if (absl::Status loaded = saved_guests_.Load(); !loaded.ok()) return loaded;
    if (ledger_.Unfinished().empty()) {
      SetSettled();
      return absl::OkStatus();
    }
    settler_ = std::thread([this] {
      SettleUnfinished(parts_);
      // What waits for a destination goes on waiting.
      for (const v1::Migration& migration : ledger_.Unfinished()) {
        if (migration.state() != v1::Migration::STATE_QUEUED) Launch(migration, "");
      }
      SetSettled();
      BeginQueued();
    });
    return absl::OkStatus();
  }

  bool Settled() const override {
    MutexLock lock(&mu_);
    return settled_;
  }
  void AwaitSettled() override {
    MutexLock lock(&mu_);
    while (!settled_) (void)settled_changed_.WaitFor(&mu_, absl::Seconds(1));
  }

  absl::StatusOr<v1::Migration> Create(v1::Migration migration, const RequestKey& key) override;
  absl::StatusOr<v1::Migration> Get(const std::string& name) const override {
    return ledger_.Get(name);
  }
  std::vector<v1::Migration> List() const override { return ledger_.List(); }
  std::vector<v1::Migration> Recent(size_t ended) const override { return ledger_.Recent(ended); }
  absl::StatusOr<v1::Migration> Cancel(const std::string& name) override {
    if (!Settled()) return NotSettled();
    return ledger_.Cancel(name);
  }
  v1::MigrationOutcome OutcomeOf(const std::string& name,
                                 const std::string& reservation) const override;
  std::string RunningMigrationOf(const std::string& vm) const override {
    return ledger_.RunningOf(vm);
  }
  void CountRunning(std::vector<ConcurrencyLimit>& limits) const override {
    ledger_.CountRunning(limits);
  }
  uint64_t Subscribe(std::function<void()> notify) override {
    return ledger_.Subscribe(std::move(notify));
  }
  void Unsubscribe(uint64_t id) override { ledger_.Unsubscribe(id); }
  void Shutdown() override;

 private:
  static absl::Status NotSettled() {
    return absl::UnavailableError(
        "vufd has just started and settles the migrations that were under way when it ended; "
        "ask again in a moment");
  }
  void SetSettled() {
    MutexLock lock(&mu_);
    settled_ = true;
    settled_changed_.NotifyAll();
  }
  // Begins with those whose turn it is.
  void BeginQueued();
  void NotBegun(const std::string& name, const absl::Status& why);
  // Joins the threads whose migration has ended.
  void Reap();
  void Begin(const v1::Migration& migration, const std::string& source_socket);
  // False: Shutdown no longer waits for new threads.
  bool Launch(const v1::Migration& migration, const std::string& source_socket);

  // Why this VM's guest, which may be in a file, cannot be migrated so.
  absl::Status CheckSaved(const v1::Migration& migration) const;
  // A new migration of a guest that is in a file already.
  absl::Status TakeUp(const record::v1::SavedGuest& guest, const std::string& name);
  // What one migration's thread does.
  void Go(const v1::Migration& migration, const std::string& source_socket);

  Ledger ledger_;
  SavedGuests saved_guests_;
  const RunParts parts_;
  std::thread settler_;
  mutable Mutex mu_;
  CondVar settled_changed_;
  bool settled_ ABSL_GUARDED_BY(mu_) = false;
  std::map<std::string, std::thread> threads_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> finished_ ABSL_GUARDED_BY(mu_);
  bool shut_down_ ABSL_GUARDED_BY(mu_) = false;
};

absl::StatusOr<v1::Migration> MigratorImpl::Create(v1::Migration migration, const RequestKey& key) {
  if (!Settled()) return NotSettled();
  Reap();
  // Before anything else: a retry is answered even when the VM was removed meanwhile.
  absl::StatusOr<Ledger::Added> added = ledger_.Replay(key);
  if (!added.ok()) return added.status();
  if (added->replayed) return added->migration;
  const std::shared_ptr<const Registry::Snapshot> registry = parts_.registry->snapshot();
  const auto vm = registry->vms.find(migration.vm());
  if (vm == registry->vms.end()) {
    return absl::NotFoundError(
        absl::StrCat("migration.vm: there is no VM \"", migration.vm(), "\""));
  }
  if (absl::Status possible = CheckSaved(migration); !possible.ok()) return possible;
  added = ledger_.Add(std::move(migration), key);
  if (!added.ok()) return added.status();
  if (added->replayed) return added->migration;
  if (added->migration.state() == v1::Migration::STATE_QUEUED) {
    BeginQueued();
    return added->migration;
  }
  Begin(added->migration, vm->second.qmp_socket());
  return added->migration;
}

void MigratorImpl::Begin(const v1::Migration& migration, const std::string& source_socket) {
  if (Launch(migration, source_socket)) return;
  ledger_.End(migration.name(), v1::Migration::STATE_CANCELLED,
              "cancelled because vufd is stopping; the guest was not touched");
}

void MigratorImpl::NotBegun(const std::string& name, const absl::Status& why) {
  switch (ledger_.StopRequested(name)) {
    case Ledger::Stop::kShutdown:
      // Still queued on the disk, so the next start begins with it.
      return;
    case Ledger::Stop::kCancel:
      return ledger_.End(name, v1::Migration::STATE_CANCELLED,
                         "cancelled on request while it waited for its turn");
    case Ledger::Stop::kNone:
      return ledger_.End(name, v1::Migration::STATE_FAILED,
                         absl::StrCat("its turn could not be written (", why.message(),
                                      "); the guest was not touched"));
  }
}

void MigratorImpl::BeginQueued() {
  while (const std::optional<v1::Migration> next = ledger_.TakeNext()) {
    const absl::Status begun = ledger_.Advance(next->name(), v1::Migration::STATE_EVALUATING);
    if (!begun.ok()) {
      NotBegun(next->name(), begun);
      continue;
    }
    const std::shared_ptr<const Registry::Snapshot> registry = parts_.registry->snapshot();
    const auto vm = registry->vms.find(next->vm());
    const absl::StatusOr<v1::Migration> now = ledger_.Get(next->name());
    Begin(now.ok() ? *now : *next, vm == registry->vms.end() ? "" : vm->second.qmp_socket());
  }
}

v1::MigrationOutcome MigratorImpl::OutcomeOf(const std::string& name,
                                             const std::string& reservation) const {
  const absl::StatusOr<v1::Migration> migration = ledger_.Get(name);
  // It is written down before anything is reserved for it.
  if (!migration.ok()) return v1::MIGRATION_OUTCOME_ABORTED;
  switch (migration->state()) {
    case v1::Migration::STATE_COMMITTED:
      // Read from the store, it does not count before the source was seen stopped (ResumeRemote).
      if (!ledger_.Claimed(name)) return v1::MIGRATION_OUTCOME_UNDECIDED;
      [[fallthrough]];
    case v1::Migration::STATE_SUCCEEDED:
      // Of another one of the same name, before this agent's state was lost.
      return migration->reservation() == reservation ? v1::MIGRATION_OUTCOME_COMMITTED
                                                     : v1::MIGRATION_OUTCOME_ABORTED;
    case v1::Migration::STATE_REFUSED:
    case v1::Migration::STATE_FAILED:
    case v1::Migration::STATE_CANCELLED:
      return v1::MIGRATION_OUTCOME_ABORTED;
    default:
      return v1::MIGRATION_OUTCOME_UNDECIDED;
  }
}

absl::Status MigratorImpl::CheckSaved(const v1::Migration& migration) const {
  const std::optional<record::v1::SavedGuest> guest = saved_guests_.Get(migration.vm());
  const std::string& file = migration.destination().sequential().state_file();
  if (!guest.has_value()) {
    if (!migration.destination().has_sequential()) return absl::OkStatus();
    const absl::Status free = StateFile::CheckNew(file);
    return absl::Status(
        free.code(), absl::StrCat("migration.destination.sequential.state_file: ", free.message()));
  }
  // Of one that is running, the ledger says so.
  if (file == guest->state_file() || !ledger_.RunningOf(migration.vm()).empty()) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("migration.destination: the guest of ", migration.vm(), " is in ",
                   guest->state_file(), " since ", guest->migration(),
                   " saved it there, and runs nowhere: only a sequential migration ",
                   "with that state_file can bring it up"));
}

// With a guest in a file there is no source: the migration goes on from there.
void MigratorImpl::Go(const v1::Migration& migration, const std::string& source_socket) {
  if (IsCommittedElsewhere(migration)) return ResumeRemote(parts_, migration);
  std::optional<record::v1::SavedGuest> guest = saved_guests_.Get(migration.vm());
  if (guest.has_value() &&
      guest->state_file() != migration.destination().sequential().state_file()) {
    return ledger_.End(migration.name(), v1::Migration::STATE_FAILED,
                       absl::StrCat("the guest is in ", guest->state_file(), " and runs nowhere"));
  }
  const absl::StatusOr<v1::Migration> before = ledger_.Get(migration.name());
  if (!guest.has_value() && before.ok() &&
      before->state() == v1::Migration::STATE_AWAITING_DESTINATION) {
    return ledger_.End(
        migration.name(), v1::Migration::STATE_INTERRUPTED,
        "the store has no record of the guest that this migration saved: look at its "
        "state file and its keepers");
  }
  if (!guest.has_value()) {
    Run(parts_, migration, source_socket).Go();
    guest = saved_guests_.Get(migration.vm());
  }
  absl::StatusOr<v1::Migration> now = ledger_.Get(migration.name());
  if (!now.ok() || IsFinal(now->state()) || !guest.has_value()) return;
  if (now->state() != v1::Migration::STATE_AWAITING_DESTINATION) {
    const absl::Status advanced = TakeUp(*guest, now->name());
    if (!advanced.ok()) {
      return ledger_.End(now->name(), v1::Migration::STATE_FAILED, std::string(advanced.message()));
    }
    now = ledger_.Get(migration.name());
  }
  SequentialLoad(parts_, *now, *guest).Go();
}

absl::Status MigratorImpl::TakeUp(const record::v1::SavedGuest& guest, const std::string& name) {
  if (!ledger_.ClaimCommit(name)) return absl::CancelledError("cancelled; the state file was kept");
  return ledger_.Advance(name, v1::Migration::STATE_AWAITING_DESTINATION,
                         [&](v1::Migration& migration) {
                           *migration.mutable_source_qemu() = guest.source_qemu();
                           *migration.mutable_permits() = guest.permits();
                         });
}

bool MigratorImpl::Launch(const v1::Migration& migration, const std::string& source_socket) {
  MutexLock lock(&mu_);
  if (shut_down_) return false;
  threads_[migration.name()] = std::thread([this, migration, source_socket] {
    Go(migration, source_socket);
    BeginQueued();
    MutexLock done(&mu_);
    finished_.push_back(migration.name());
  });
  return true;
}

void MigratorImpl::Reap() {
  std::vector<std::thread> ended;
  {
    MutexLock lock(&mu_);
    for (const std::string& name : finished_) {
      const auto it = threads_.find(name);
      if (it == threads_.end()) continue;
      ended.push_back(std::move(it->second));
      threads_.erase(it);
    }
    finished_.clear();
  }
  for (std::thread& thread : ended) thread.join();
}

void MigratorImpl::Shutdown() {
  ledger_.StopAll();
  if (settler_.joinable()) settler_.join();
  std::map<std::string, std::thread> threads;
  {
    MutexLock lock(&mu_);
    shut_down_ = true;
    threads.swap(threads_);
  }
  for (auto& [name, thread] : threads) thread.join();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Migrator>> Migrator::Open(Gatherer* gatherer,
                                                         HypervisorConnector* connector,
                                                         Registry* registry, Store* store,
                                                         const Clock* clock, const Options& options,
                                                         Observer observer) {
  auto migrator = std::make_unique<MigratorImpl>(gatherer, connector, registry, store, clock,
                                                 options, std::move(observer));
  if (absl::Status started = migrator->Start(); !started.ok()) return started;
  return std::unique_ptr<Migrator>(std::move(migrator));
}

}  // namespace vuf
