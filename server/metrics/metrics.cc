#include "server/metrics/metrics.h"

#include "absl/strings/numbers.h"
#include "prometheus/text_serializer.h"
#include "server/metrics/families.h"

namespace vuf {
namespace {

constexpr size_t kMaxBlockerCodes = 256;

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using Buckets = prometheus::Histogram::BucketBoundaries;

const Buckets& RpcBuckets() {
  static const auto* const buckets =
      new Buckets{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};
  return *buckets;
}

}  // namespace

Metrics::Metrics(const std::string& version, absl::Time start)
    : rpc_requests_(BuildCounter()
                        .Name("vufd_rpc_requests_total")
                        .Help("RPCs that have ended, by method and gRPC code.")
                        .Register(registry_)),
      rpc_duration_(BuildHistogram()
                        .Name("vufd_rpc_duration_seconds")
                        .Help("Time from an RPC's arrival to its answer; watches are not timed.")
                        .Register(registry_)),
      decisions_(BuildCounter()
                     .Name("vufd_decisions_total")
                     .Help("Verdicts reached, for evaluations and migrations.")
                     .Register(registry_)),
      shadow_decisions_(BuildCounter()
                            .Name("vufd_shadow_decisions_total")
                            .Help("Verdicts that shadow policies have a word on, by whether they "
                                  "would decide otherwise.")
                            .Register(registry_)),
      blockers_(BuildCounter()
                    .Name("vufd_blockers_total")
                    .Help("Blockers in verdicts, by code; docs/reasons.md explains each.")
                    .Register(registry_)),
      migrations_(registry_),
      registered_vms_(OneGauge(registry_, "vufd_registered_vms", "VMs in the registry.")),
      registered_endpoints_(
          OneGauge(registry_, "vufd_registered_endpoints", "Endpoints in the registry.")),
      evidence_unknown_(OneCounter(registry_, "vufd_evidence_unknown_total",
                                   "Facts in findings that could not be established.")),
      back_end_exits_(
          OneCounter(registry_, "vufd_back_end_exits_total",
                     "Back-ends of registered endpoints that ended while vufd watched.")),
      last_refresh_(OneGauge(registry_, "vufd_last_refresh_timestamp_seconds",
                             "When the last round over VMs and endpoints ended.")),
      refresh_duration_(OneGauge(registry_, "vufd_refresh_duration_seconds",
                                 "How long the last round over VMs and endpoints took.")),
      decisions_not_written_(
          BuildCounter()
              .Name("vufd_decision_records_not_written_total")
              .Help("Records of decisions that did not reach the disk, by reason.")
              .Register(registry_)),
      reloads_refused_(BuildCounter()
                           .Name("vufd_reload_failures_total")
                           .Help("Changed files that are not used, by what they are; the last good "
                                 "ones stay in use.")
                           .Register(registry_)),
      calls_refused_(BuildCounter()
                         .Name("vufd_calls_refused_total")
                         .Help("Calls refused for who makes them, by reason.")
                         .Register(registry_)),
      audit_not_written_(OneCounter(registry_, "vufd_audit_write_failures_total",
                                    "Records that could not be written to the audit log.")),
      store_write_duration_(
          OneHistogram(registry_, "vufd_store_write_duration_seconds",
                       "How long a change took to be durable; an fsync is most of it.",
                       {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2})),
      store_write_failures_(OneCounter(registry_, "vufd_store_write_failures_total",
                                       "Changes that could not be made durable.")),
      ready_(OneGauge(registry_, "vufd_ready",
                      "1 when everything that was under way at the start is settled, else 0.")) {
  BuildGauge()
      .Name("vufd_build_info")
      .Help("Always 1; the label says which vufd this is.")
      .Register(registry_)
      .Add({{"version", version}})
      .Set(1);
  OneGauge(registry_, "vufd_start_time_seconds", "When the agent started, as Unix time.")
      .Set(absl::ToDoubleSeconds(start - absl::UnixEpoch()));
  // Series that alerts compare with exist from the start, at zero.
  decisions_.Add({{"decision", "allow"}});
  decisions_.Add({{"decision", "refuse"}});
  shadow_decisions_.Add({{"changed", "false"}});
  shadow_decisions_.Add({{"changed", "true"}});
  for (const char* const reason : {"queue_full", "store"}) DecisionsNotWritten(reason, 0);
  for (const char* const what : {"tls", "roles", "policies"})
    reloads_refused_.Add({{"what", what}});
  for (const char* const reason : {"no_identity", "limit", "role"}) {
    calls_refused_.Add({{"reason", reason}});
  }
}

void Metrics::DecisionsNotWritten(const std::string& reason, size_t records) {
  decisions_not_written_.Add({{"reason", reason}}).Increment(static_cast<double>(records));
}

void Metrics::ReloadRefused(const std::string& what) {
  reloads_refused_.Add({{"what", what}}).Increment();
}

void Metrics::PolicyFileTaken(const std::string& digest, absl::Time at) {
  // A double holds 48 bits of it exactly. Only an agent that has such a file has the series.
  uint64_t hash = 0;
  if (!absl::SimpleHexAtoi(digest.substr(0, 12), &hash)) return;
  OneGauge(registry_, "vufd_policy_file_hash",
           "The first 48 bits of the SHA-256 of the policy file that is in force.")
      .Set(static_cast<double>(hash));
  OneGauge(registry_, "vufd_policy_file_timestamp_seconds",
           "When the policy file that is in force was taken over, as Unix time.")
      .Set(absl::ToDoubleSeconds(at - absl::UnixEpoch()));
}

void Metrics::SetCertificateEnd(absl::Time at) {
  // Only an agent that has a certificate has the series.
  BuildGauge()
      .Name("vufd_certificate_expiry_timestamp_seconds")
      .Help("When the first certificate of the agent's chain ends, as Unix time.")
      .Register(registry_)
      .Add({})
      .Set(absl::ToDoubleSeconds(at - absl::UnixEpoch()));
}

void Metrics::CallRefused(const std::string& reason) {
  calls_refused_.Add({{"reason", reason}}).Increment();
}

void Metrics::StoreWritten(absl::Duration took, bool ok) {
  store_write_duration_.Observe(absl::ToDoubleSeconds(took));
  if (!ok) store_write_failures_.Increment();
}

void Metrics::SetReady(bool ready) { ready_.Set(ready ? 1 : 0); }

void Metrics::AuditNotWritten() { audit_not_written_.Increment(); }

void Metrics::RpcDone(const std::string& method, const std::string& code, absl::Duration took) {
  rpc_requests_.Add({{"method", method}, {"code", code}}).Increment();
  if (took == absl::InfiniteDuration()) return;
  rpc_duration_.Add({{"method", method}}, RpcBuckets()).Observe(absl::ToDoubleSeconds(took));
}

void Metrics::Decided(const v1::Verdict& verdict) {
  const bool allow = verdict.decision() == v1::DECISION_ALLOW;
  decisions_.Add({{"decision", allow ? "allow" : "refuse"}}).Increment();
  if (verdict.has_shadow()) {
    const bool changed = verdict.shadow().decision() != verdict.decision();
    shadow_decisions_.Add({{"changed", changed ? "true" : "false"}}).Increment();
  }
  CountFindings(verdict);
}

void Metrics::CountFindings(const v1::Verdict& verdict) {
  for (const v1::Finding& finding : verdict.blockers()) {
    std::string code = finding.code();
    {
      MutexLock lock(&mu_);
      if (blocker_codes_.count(code) == 0 && blocker_codes_.size() >= kMaxBlockerCodes) {
        code = "OTHER";
      } else {
        blocker_codes_.insert(code);
      }
    }
    blockers_.Add({{"code", code}}).Increment();
    for (const v1::Evidence& evidence : finding.evidence()) {
      if (evidence.unknown()) evidence_unknown_.Increment();
    }
  }
}

void Metrics::MigrationChanged(const v1::Migration& migration) {
  const bool ended = migrations_.Changed(migration);
  if (ended && migration.has_verdict()) Decided(migration.verdict());
}

void Metrics::SetRegistered(size_t vms, size_t endpoints) {
  registered_vms_.Set(static_cast<double>(vms));
  registered_endpoints_.Set(static_cast<double>(endpoints));
}

void Metrics::BackEndExited() { back_end_exits_.Increment(); }

void Metrics::RefreshDone(absl::Time at, absl::Duration took) {
  last_refresh_.Set(absl::ToDoubleSeconds(at - absl::UnixEpoch()));
  refresh_duration_.Set(absl::ToDoubleSeconds(took));
}

std::string Metrics::Text() const {
  return prometheus::TextSerializer().Serialize(registry_.Collect());
}

}  // namespace vuf
