#include "server/migration/migrator.h"

#include <map>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "server/base/mutex.h"
#include "server/migration/ledger.h"
#include "server/migration/run.h"
#include "server/migration/settle.h"

namespace vuf {
namespace {

class MigratorImpl : public Migrator {
 public:
  MigratorImpl(Gatherer* gatherer, HypervisorConnector* connector, Registry* registry, Store* store,
               const Clock* clock, const Options& options, Observer observer)
      : ledger_(store, clock, {options.max_concurrent, options.history_limit}, std::move(observer)),
        parts_{gatherer,
               connector,
               registry,
               &ledger_,
               clock,
               options.evaluate,
               options.qmp_timeout,
               options.settle_timeout,
               options.default_timeout,
               options.keepers} {}
  ~MigratorImpl() override { MigratorImpl::Shutdown(); }

  absl::Status Start() {
    if (absl::Status loaded = ledger_.Load(); !loaded.ok()) return loaded;
    SettleUnfinished(parts_);
    return absl::OkStatus();
  }

  absl::StatusOr<v1::Migration> Create(v1::Migration migration, const RequestKey& key) override;
  absl::StatusOr<v1::Migration> Get(const std::string& name) const override {
    return ledger_.Get(name);
  }
  std::vector<v1::Migration> List() const override { return ledger_.List(); }
  absl::StatusOr<v1::Migration> Cancel(const std::string& name) override {
    return ledger_.Cancel(name);
  }
  std::string RunningMigrationOf(const std::string& vm) const override {
    return ledger_.RunningOf(vm);
  }
  uint64_t Subscribe(std::function<void()> notify) override {
    return ledger_.Subscribe(std::move(notify));
  }
  void Unsubscribe(uint64_t id) override { ledger_.Unsubscribe(id); }
  void Shutdown() override;

 private:
  // Joins the threads whose migration has ended.
  void Reap();
  // False: Shutdown no longer waits for new threads.
  bool Launch(const v1::Migration& migration, const std::string& source_socket);

  Ledger ledger_;
  const RunParts parts_;
  Mutex mu_;
  std::map<std::string, std::thread> threads_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> finished_ ABSL_GUARDED_BY(mu_);
  bool shut_down_ ABSL_GUARDED_BY(mu_) = false;
};

absl::StatusOr<v1::Migration> MigratorImpl::Create(v1::Migration migration, const RequestKey& key) {
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
  added = ledger_.Add(std::move(migration), key);
  if (!added.ok()) return added.status();
  if (!added->replayed && !Launch(added->migration, vm->second.qmp_socket())) {
    ledger_.End(added->migration.name(), v1::Migration::STATE_CANCELLED,
                "cancelled because vufd is stopping; the guest was not touched");
    return ledger_.Get(added->migration.name());
  }
  return added->migration;
}

bool MigratorImpl::Launch(const v1::Migration& migration, const std::string& source_socket) {
  MutexLock lock(&mu_);
  if (shut_down_) return false;
  threads_[migration.name()] = std::thread([this, migration, source_socket] {
    Run(parts_, migration, source_socket).Go();
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
