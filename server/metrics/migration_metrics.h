// The Prometheus families about migrations.
#ifndef VUFD_SERVER_METRICS_MIGRATION_METRICS_H_
#define VUFD_SERVER_METRICS_MIGRATION_METRICS_H_

#include <cstddef>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "server/base/mutex.h"
#include "vuf/v1/migration.pb.h"

namespace vuf {

// Thread-safe.
class MigrationMetrics {
 public:
  explicit MigrationMetrics(prometheus::Registry& registry);

  // True when it has ended with this.
  bool Changed(const v1::Migration& migration) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // One that has not ended.
  struct UnderWay {
    v1::Migration::State state = v1::Migration::STATE_UNSPECIFIED;
    size_t permits = 0;
  };

  void Show() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Ended(const v1::Migration& migration);

  prometheus::Family<prometheus::Counter>& ended_;
  // By state; of those that are not final.
  std::map<v1::Migration::State, prometheus::Gauge*> in_phase_;
  prometheus::Gauge& running_;
  prometheus::Gauge& queued_;
  prometheus::Gauge& permits_;
  prometheus::Family<prometheus::Counter>& devices_moved_;
  prometheus::Counter& transferred_bytes_;
  prometheus::Histogram& downtime_;
  prometheus::Histogram& total_;

  Mutex mu_;
  std::map<std::string, UnderWay> under_way_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vuf

#endif  // VUFD_SERVER_METRICS_MIGRATION_METRICS_H_
