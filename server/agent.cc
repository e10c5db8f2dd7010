#include "server/agent.h"

#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "server/base/log.h"
#include "server/profile/profile.h"
#include "server/store/sqlite_store.h"
#include "server/version.h"
#include "vuf/v1/migration.pb.h"

namespace vuf {
namespace {

constexpr absl::Duration kDrainTime = absl::Seconds(5);

// The executables that profiles name may be asked for their version.
HostDiscoveryOptions DiscoveryOptions() {
  HostDiscoveryOptions options;
  for (const v1::BackEndProfile& profile : ShippedProfiles()) {
    if (profile.kind() == "virtiofsd") options.executable_names.insert(profile.executable_name());
  }
  return options;
}

void LogMigration(const v1::Migration& migration) {
  Log(LogLevel::kInfo, "migration changed",
      {{"migration", migration.name()},
       {"vm", migration.vm()},
       {"state", v1::Migration::State_Name(migration.state())},
       {"message", migration.message()}});
}

}  // namespace

Agent::Agent()
    : qmp_(&clock_),
      discovery_(DiscoveryOptions(), std::make_unique<NetlinkSocketTable>(), &clock_, &keepers_),
      qemus_(std::make_unique<NetlinkSocketTable>()),
      metrics_(kVersion, clock_.Now()) {}

absl::Status Agent::OpenState(const Config& config, const Between& between) {
  absl::StatusOr<std::unique_ptr<SqliteStore>> store = SqliteStore::Open(config.state_directory);
  if (!store.ok()) return store.status();
  store_ = *std::move(store);
  if (between.store) store_ = between.store(std::move(store_));
  if (between.hypervisors) between_hypervisors_ = between.hypervisors(&qmp_);
  if (between.keepers) between_keepers_ = between.keepers(&keepers_);
  absl::StatusOr<std::unique_ptr<Registry>> registry =
      Registry::Open(store_.get(), &clock_, ShippedProfiles());
  if (!registry.ok()) return registry.status();
  registry_ = *std::move(registry);
  if (absl::Status opened = OpenDecisions(config); !opened.ok()) return opened;
  HypervisorConnector* const hypervisors =
      between_hypervisors_ == nullptr ? &qmp_ : between_hypervisors_.get();
  connector_ = std::make_unique<GuardedConnector>(hypervisors, &discovery_, registry_.get());
  gatherer_ = std::make_unique<Gatherer>(connector_.get(), &discovery_, registry_.get(), &clock_,
                                         config.qmp_timeout);
  return OpenMigrator(config);
}

absl::Status Agent::OpenMigrator(const Config& config) {
  Migrator::Options options;
  options.max_concurrent = config.max_concurrent_migrations;
  options.default_timeout = config.default_migration_timeout;
  options.history_limit = config.migration_history_limit;
  options.qmp_timeout = config.qmp_timeout;
  options.keepers = between_keepers_ == nullptr ? &keepers_ : between_keepers_.get();
  options.decisions = decisions_.get();
  absl::StatusOr<std::unique_ptr<Migrator>> migrator =
      Migrator::Open(gatherer_.get(), connector_.get(), registry_.get(), store_.get(), &clock_,
                     options, [this](const v1::Migration& migration) {
                       metrics_.MigrationChanged(migration);
                       LogMigration(migration);
                     });
  if (!migrator.ok()) return migrator.status();
  migrator_ = *std::move(migrator);
  return absl::OkStatus();
}

absl::Status Agent::OpenDecisions(const Config& config) {
  DurableDecisionLog::Options options;
  options.limits = {config.decision_history_limit, config.decision_history_bytes};
  using Lost = DurableDecisionLog::Lost;
  absl::StatusOr<std::unique_ptr<DurableDecisionLog>> log =
      DurableDecisionLog::Open(store_.get(), &clock_, options, [this](Lost why, size_t records) {
        metrics_.DecisionsNotWritten(why == Lost::kQueueFull ? "queue_full" : "store", records);
      });
  if (!log.ok()) return log.status();
  decisions_ = *std::move(log);
  return absl::OkStatus();
}

absl::Status Agent::StartHttp(const std::string& address) {
  absl::StatusOr<std::unique_ptr<HttpServer>> http = HttpServer::Start(
      address,
      {{"/metrics",
        [this] {
          const std::shared_ptr<const Registry::Snapshot> now = registry_->snapshot();
          metrics_.SetRegistered(now->vms.size(), now->endpoints.size());
          return HttpAnswer{200, metrics_.Text()};
        }},
       {"/healthz", [this] {
          if (!serving_) return HttpAnswer{503, "not serving\n"};
          return migrator_->Settled() ? HttpAnswer{200, "ok\n"} : HttpAnswer{503, "RECONCILING\n"};
        }}});
  if (!http.ok()) return http.status();
  http_ = *std::move(http);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Agent>> Agent::Start(const Config& config, const Between& between) {
  std::unique_ptr<Agent> agent(new Agent());
  absl::Status status = agent->OpenState(config, between);
  if (status.ok() && !config.http_address.empty()) status = agent->StartHttp(config.http_address);
  if (!status.ok()) return status;
  absl::StatusOr<std::unique_ptr<ApiServer>> api = ApiServer::Start(
      {agent->registry_.get(), agent->migrator_.get(), agent->gatherer_.get(),
       agent->connector_.get(), &agent->discovery_, &agent->processes_, &agent->qemus_,
       &agent->metrics_, &agent->clock_, agent->decisions_.get()},
      {config.listen_socket, config.qmp_socket_globs, config.discovery_period, config.qmp_timeout});
  if (!api.ok()) return api.status();
  agent->api_ = *std::move(api);
  agent->serving_ = true;
  return agent;
}

void Agent::Stop() {
  serving_ = false;
  api_->BeginStop();
  // Before the drain: a watcher of the API cannot keep a guest waiting at its switch-over.
  migrator_->Shutdown();
  api_->Stop(absl::Now() + kDrainTime);
}

}  // namespace vuf
