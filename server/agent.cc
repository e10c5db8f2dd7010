#include "server/agent.h"

#include <limits.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/audit/file_audit_log.h"
#include "server/base/log.h"
#include "server/decision/shadow.h"
#include "server/profile/profile.h"
#include "server/status/status_page.h"
#include "server/store/measured_store.h"
#include "server/store/sqlite_store.h"
#include "server/version.h"
#include "vuf/v1/migration.pb.h"

namespace vuf {
namespace {

constexpr absl::Duration kDrainTime = absl::Seconds(5);
constexpr absl::Duration kPolicyFilePeriod = absl::Seconds(1);
constexpr size_t kEndedShown = 20;

std::string HostName() {
  char name[HOST_NAME_MAX + 1] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "an unknown host";
}

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
  store_ = std::make_unique<MeasuredStore>(
      std::move(store_), [this](absl::Duration took, const absl::Status& outcome) {
        metrics_.StoreWritten(took, outcome.ok());
      });
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
  if (!config.peer_address.empty()) {
    peers_ = std::make_unique<GrpcPeer>(
        [this](const std::string& agent) { return security_->peers()->To(agent); });
    if (between.peers) between_peers_ = between.peers(peers_.get());
  }
  gatherer_ =
      std::make_unique<Gatherer>(connector_.get(), &discovery_, registry_.get(), &clock_,
                                 config.qmp_timeout, PeerSide{peers(), config.peer_address});
  const absl::Status opened = peers_ == nullptr ? absl::OkStatus() : OpenIncoming(config);
  return opened.ok() ? OpenMigrator(config) : opened;
}

absl::Status Agent::OpenIncoming(const Config& config) {
  Incoming::Options options;
  options.stream_host = config.stream_address;
  options.limits.open = config.max_incoming;
  options.lease = config.lease;
  options.qmp_timeout = config.qmp_timeout;
  absl::StatusOr<std::unique_ptr<Incoming>> incoming =
      Incoming::Open({gatherer_.get(), connector_.get(), registry_.get(), store_.get(), &clock_,
                      peers(), decisions_.get(), EvaluateWithShadow},
                     options);
  if (!incoming.ok()) return incoming.status();
  incoming_ = *std::move(incoming);
  return absl::OkStatus();
}

absl::Status Agent::OpenMigrator(const Config& config) {
  Migrator::Options options;
  options.max_concurrent = config.max_concurrent_migrations;
  options.default_timeout = config.default_migration_timeout;
  options.history_limit = config.migration_history_limit;
  options.max_queued = config.max_queued_migrations;
  options.stuck_timeout = config.stuck_timeout;
  options.switchover_timeout = config.switchover_timeout;
  options.qmp_timeout = config.qmp_timeout;
  options.keepers = between_keepers_ == nullptr ? &keepers_ : between_keepers_.get();
  options.decisions = decisions_.get();
  options.peers = {peers(), config.peer_address};
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

std::string Agent::Health() const {
  if (!serving_) return "NOT SERVING";
  return migrator_->Settled() ? "READY" : "RECONCILING";
}

std::string Agent::Status() const {
  StatusFacts facts;
  facts.version = kVersion;
  facts.host = HostName();
  facts.start = start_;
  facts.now = clock_.Now();
  facts.health = Health();
  facts.registry = registry_->snapshot();
  facts.migrations = migrator_->Recent(kEndedShown);
  facts.decisions = decisions_->List("");
  return StatusPage(facts);
}

HttpServer::Handlers Agent::HttpHandlers(bool any_name) {
  return {{"/",
           [this, any_name](const HttpRequest& request) {
             if (!any_name && !request.names_loopback) {
               return HttpAnswer{421, "only by a name or address of loopback\n"};
             }
             return HttpAnswer{200, Status(), "text/html; charset=utf-8"};
           }},
          {"/status.css",
           [](const HttpRequest&) {
             return HttpAnswer{200, kStatusStyle, "text/css; charset=utf-8"};
           }},
          {"/status.js",
           [](const HttpRequest&) {
             return HttpAnswer{200, kStatusScript, "text/javascript; charset=utf-8"};
           }},
          {"/metrics",
           [this](const HttpRequest&) {
             const std::shared_ptr<const Registry::Snapshot> now = registry_->snapshot();
             metrics_.SetRegistered(now->vms.size(), now->endpoints.size());
             metrics_.SetReady(serving_ && migrator_->Settled());
             return HttpAnswer{200, metrics_.Text()};
           }},
          {"/healthz", [this](const HttpRequest&) {
             const std::string health = Health();
             return health == "READY" ? HttpAnswer{200, "ok\n"} : HttpAnswer{503, health + "\n"};
           }}};
}

absl::Status Agent::StartHttp(const Config& config) {
  if (!config.http_address.empty()) {
    auto http =
        HttpServer::Start({"http_address", config.http_address}, HttpHandlers(/*any_name=*/false));
    if (!http.ok()) return http.status();
    http_ = *std::move(http);
  }
  if (!config.tls.http_address.empty()) {
    tls_http_ = std::make_unique<TlsHttp>(security_->tls(), security_->roles());
    auto https = HttpServer::Start(
        {"tls.http_address", config.tls.http_address, /*only_loopback=*/false},
        HttpHandlers(/*any_name=*/true), [this](int fd) { return tls_http_->Make(fd); });
    if (!https.ok()) return https.status();
    https_ = *std::move(https);
  }
  return absl::OkStatus();
}

absl::Status Agent::OpenAudit(const Config& config) {
  FileAuditLog::Options options;
  options.directory = absl::StrCat(config.state_directory, "/audit");
  options.file_bytes = config.audit.file_bytes;
  options.files = config.audit.files;
  options.on_failure = [this](const absl::Status& why) {
    metrics_.AuditNotWritten();
    Log(LogLevel::kError, "audit log not written", {{"error", std::string(why.message())}});
  };
  absl::StatusOr<std::unique_ptr<FileAuditLog>> audit =
      FileAuditLog::Open(std::move(options), &clock_);
  if (!audit.ok()) return audit.status();
  audit_ = *std::move(audit);
  return absl::OkStatus();
}

absl::Status Agent::OpenPolicyFile(const Config& config) {
  PolicyFile::Events events;
  events.taken = [this](const std::string& digest) {
    metrics_.PolicyFileTaken(digest, clock_.Now());
    Log(LogLevel::kInfo, "policy file in force", {{"sha256", digest}});
  };
  events.refused = [this](const absl::Status& why) {
    metrics_.ReloadRefused("policies");
    Log(LogLevel::kError, "the changed policy file is not used; the last good one stays in force",
        {{"error", std::string(why.message())}});
  };
  absl::StatusOr<std::unique_ptr<PolicyFile>> file =
      PolicyFile::Open(config.policy_file, registry_.get(), &clock_, std::move(events));
  if (!file.ok()) return file.status();
  policy_file_ = *std::move(file);
  policy_poller_ = std::make_unique<Poller>(kPolicyFilePeriod, [this] { policy_file_->Poll(); });
  return absl::OkStatus();
}

absl::Status Agent::StartApi(const Config& config) {
  ApiServer::Options options;
  options.listen_socket = config.listen_socket;
  options.qmp_socket_globs = config.qmp_socket_globs;
  options.discovery_period = config.discovery_period;
  options.monitor_timeout = config.qmp_timeout;
  options.tls_address = config.tls.listen_address;
  options.max_request_bytes = static_cast<int>(config.limits.request_bytes);
  options.requests_in_flight = config.limits.requests_in_flight;
  absl::StatusOr<std::unique_ptr<ApiServer>> api =
      ApiServer::Start({registry_.get(), migrator_.get(), gatherer_.get(), connector_.get(),
                        &discovery_, &processes_, &qemus_, &metrics_, &clock_, decisions_.get(),
                        security_->gate(), audit_.get(), security_->tls(), incoming_.get()},
                       options);
  if (!api.ok()) return api.status();
  api_ = *std::move(api);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Agent>> Agent::Start(const Config& config, const Between& between) {
  std::unique_ptr<Agent> agent(new Agent());
  // Before anything is touched: an agent that nobody could call rightly does not begin.
  absl::StatusOr<std::unique_ptr<AgentSecurity>> security =
      AgentSecurity::Open(config, &agent->clock_, &agent->metrics_);
  if (!security.ok()) return security.status();
  agent->security_ = *std::move(security);
  absl::Status status = agent->OpenState(config, between);
  if (status.ok()) status = agent->OpenAudit(config);
  // Before the first verdict.
  if (status.ok()) status = agent->OpenPolicyFile(config);
  if (status.ok()) status = agent->StartHttp(config);
  if (status.ok()) status = agent->StartApi(config);
  if (!status.ok()) return status;
  agent->serving_ = true;
  return agent;
}

void Agent::Stop() {
  serving_ = false;
  api_->BeginStop();
  // Before the drain: a watcher of the API cannot keep a guest waiting at its switch-over.
  migrator_->Shutdown();
  api_->Stop(absl::Now() + kDrainTime);
  // After it: another agent may be in the middle of a call.
  if (incoming_ != nullptr) incoming_->Shutdown();
}

}  // namespace vuf
