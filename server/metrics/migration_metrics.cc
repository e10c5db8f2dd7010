#include "server/metrics/migration_metrics.h"

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "server/base/migration_state.h"
#include "server/metrics/families.h"

namespace vuf {
namespace {

using State = v1::Migration::State;
using prometheus::BuildCounter;
using prometheus::BuildGauge;

std::string Label(State state) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::Migration::State_Name(state), "STATE_"));
}

std::string Label(v1::MigrationMode mode) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::MigrationMode_Name(mode), "MIGRATION_MODE_"));
}

double Seconds(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) + duration.nanos() / 1e9;
}

}  // namespace

MigrationMetrics::MigrationMetrics(prometheus::Registry& registry)
    : ended_(BuildCounter()
                 .Name("vufd_migrations_total")
                 .Help("Migrations that have ended, by outcome.")
                 .Register(registry)),
      running_(OneGauge(registry, "vufd_migrations_running",
                        "Migrations that have begun and not ended.")),
      queued_(
          OneGauge(registry, "vufd_migrations_queued", "Migrations that wait until others end.")),
      permits_(OneGauge(registry, "vufd_permits",
                        "Permits at keepers that belong to migrations that have not ended.")),
      devices_moved_(BuildCounter()
                         .Name("vufd_devices_moved_total")
                         .Help("Devices of successful migrations, by mode; a stateless one is a "
                               "hand-over of a keeper's session.")
                         .Register(registry)),
      transferred_bytes_(
          OneCounter(registry, "vufd_migration_transferred_bytes_total",
                     "Guest memory that successful migrations sent, as QEMU counts.")),
      downtime_(OneHistogram(
          registry, "vufd_migration_downtime_seconds",
          "How long guests were stopped by successful migrations, as QEMU measured it.",
          {0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30})),
      total_(OneHistogram(registry, "vufd_migration_total_seconds",
                          "Total time of successful migrations, as QEMU measured it.",
                          {0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600})) {
  auto& in_phase = BuildGauge()
                       .Name("vufd_migrations_in_phase")
                       .Help("Migrations that have not ended, by their state in the API.")
                       .Register(registry);
  // Series that alerts compare with exist from the start, at zero.
  for (int i = v1::Migration::State_MIN; i <= v1::Migration::State_MAX; ++i) {
    if (!v1::Migration::State_IsValid(i) || i == v1::Migration::STATE_UNSPECIFIED) continue;
    const auto state = static_cast<State>(i);
    if (IsFinal(state)) {
      ended_.Add({{"outcome", Label(state)}});
    } else {
      in_phase_.emplace(state, &in_phase.Add({{"phase", Label(state)}}));
    }
  }
  for (const auto mode : {v1::MIGRATION_MODE_STATELESS, v1::MIGRATION_MODE_STATEFUL}) {
    devices_moved_.Add({{"mode", Label(mode)}});
  }
}

bool MigrationMetrics::Changed(const v1::Migration& migration) {
  const bool ended = IsFinal(migration.state());
  {
    MutexLock lock(&mu_);
    // One that ended in a single step was never seen under way; it counts all the same.
    if (ended) {
      under_way_.erase(migration.name());
    } else {
      under_way_[migration.name()] = {migration.state(),
                                      static_cast<size_t>(migration.permits_size())};
    }
    Show();
  }
  if (ended) Ended(migration);
  return ended;
}

void MigrationMetrics::Show() {
  std::map<State, size_t> by_state;
  size_t permits = 0;
  for (const auto& [name, one] : under_way_) {
    ++by_state[one.state];
    permits += one.permits;
  }
  for (const auto& [state, gauge] : in_phase_) gauge->Set(static_cast<double>(by_state[state]));
  const size_t queued = by_state[v1::Migration::STATE_QUEUED];
  queued_.Set(static_cast<double>(queued));
  running_.Set(static_cast<double>(under_way_.size() - queued));
  permits_.Set(static_cast<double>(permits));
}

void MigrationMetrics::Ended(const v1::Migration& migration) {
  ended_.Add({{"outcome", Label(migration.state())}}).Increment();
  if (migration.state() != v1::Migration::STATE_SUCCEEDED) return;
  for (const v1::DeviceVerdict& device : migration.verdict().devices()) {
    devices_moved_.Add({{"mode", Label(device.mode())}}).Increment();
  }
  const v1::Progress& progress = migration.progress();
  transferred_bytes_.Increment(static_cast<double>(progress.ram_transferred_bytes()));
  if (progress.has_downtime()) downtime_.Observe(Seconds(progress.downtime()));
  if (progress.has_total_time()) total_.Observe(Seconds(progress.total_time()));
}

}  // namespace vuf
