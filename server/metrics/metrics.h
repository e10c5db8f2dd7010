// Every Prometheus family, built once and injected.
#ifndef VUFD_SERVER_METRICS_METRICS_H_
#define VUFD_SERVER_METRICS_METRICS_H_

#include <memory>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "server/base/mutex.h"
#include "server/metrics/migration_metrics.h"
#include "vuf/v1/migration.pb.h"
#include "vuf/v1/verdict.pb.h"

namespace vuf {

// Thread-safe.
class Metrics {
 public:
  Metrics(const std::string& version, absl::Time start);

  // `method` is one of the API's ("VmService/GetVm"), `code` a gRPC code's name.
  void RpcDone(const std::string& method, const std::string& code, absl::Duration took);
  // A verdict was reached, for an evaluation or a migration.
  void Decided(const v1::Verdict& verdict);
  // A migration changed; counts it when it has ended.
  void MigrationChanged(const v1::Migration& migration);
  void SetRegistered(size_t vms, size_t endpoints);
  // Records of decisions that will never reach the disk; `reason` is one of few words.
  void DecisionsNotWritten(const std::string& reason, size_t records);
  // The process of a registered endpoint has ended.
  void BackEndExited();
  // Files that changed and are not used; `what` is "tls", "roles" or "policies".
  void ReloadRefused(const std::string& what);
  // The policy file whose contents are in force now, by their SHA-256.
  void PolicyFileTaken(const std::string& digest, absl::Time at);
  // When the first certificate of the agent's chain ends.
  void SetCertificateEnd(absl::Time at);
  // A call that the gate did not let in; `reason` is one of few words.
  void CallRefused(const std::string& reason);
  // A change to the durable state was written, or was not.
  void StoreWritten(absl::Duration took, bool ok);
  void SetReady(bool ready);
  // A record that the audit log did not take.
  void AuditNotWritten();
  // When the last round over VMs and endpoints ended.
  void RefreshDone(absl::Time at, absl::Duration took);

  // The text exposition format.
  std::string Text() const;

 private:
  void CountFindings(const v1::Verdict& verdict);

  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& rpc_requests_;
  prometheus::Family<prometheus::Histogram>& rpc_duration_;
  prometheus::Family<prometheus::Counter>& decisions_;
  prometheus::Family<prometheus::Counter>& shadow_decisions_;
  prometheus::Family<prometheus::Counter>& blockers_;
  MigrationMetrics migrations_;
  prometheus::Gauge& registered_vms_;
  prometheus::Gauge& registered_endpoints_;
  prometheus::Counter& evidence_unknown_;
  prometheus::Counter& back_end_exits_;
  prometheus::Gauge& last_refresh_;
  prometheus::Gauge& refresh_duration_;
  prometheus::Family<prometheus::Counter>& decisions_not_written_;
  prometheus::Family<prometheus::Counter>& reloads_refused_;
  prometheus::Family<prometheus::Counter>& calls_refused_;
  prometheus::Counter& audit_not_written_;
  prometheus::Histogram& store_write_duration_;
  prometheus::Counter& store_write_failures_;
  prometheus::Gauge& ready_;

  Mutex mu_;
  // Bounds the label: a code that would exceed the limit is counted as OTHER.
  std::set<std::string> blocker_codes_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vuf

#endif  // VUFD_SERVER_METRICS_METRICS_H_
