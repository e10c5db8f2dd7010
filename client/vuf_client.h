// A typed client of vufd's API: one method per RPC, a deadline on every call, request ids that
// survive a retry.
#ifndef VUFD_CLIENT_VUF_CLIENT_H_
#define VUFD_CLIENT_VUF_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/watch_canceller.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/channel.h"
#include "vuf/v1/back_end_profile.grpc.pb.h"
#include "vuf/v1/decision.grpc.pb.h"
#include "vuf/v1/endpoint.grpc.pb.h"
#include "vuf/v1/migration.grpc.pb.h"
#include "vuf/v1/peer.grpc.pb.h"
#include "vuf/v1/planning.grpc.pb.h"
#include "vuf/v1/policy.grpc.pb.h"
#include "vuf/v1/vm.grpc.pb.h"

namespace vuf {

inline constexpr char kDefaultServer[] = "unix:/run/vufd/vufd.sock";

// What mutual TLS needs: paths of PEM files.
struct ClientTls {
  // CAs of the agent's certificate.
  std::string ca_file;
  // The client's own certificate and key.
  std::string certificate_file;
  std::string private_key_file;
};

struct ClientOptions {
  // "unix:/absolute/path"; with `tls` "HOST:PORT", where HOST is in the agent's certificate.
  std::string server = kDefaultServer;
  std::optional<ClientTls> tls;
  // What the caller calls itself, for DecisionRecord.actor. May be empty.
  std::string user_agent;
  // Limit of one method call, its retries included.
  absl::Duration call_timeout = absl::Seconds(30);
  // How long one stream of a watch lives before it is opened anew.
  absl::Duration stream_timeout = absl::Minutes(1);
  // How often a call that met UNAVAILABLE is made in all. Only calls that are safe to repeat are.
  int attempts = 4;
  // How many streams of a watch may be lost in a row without a message before it is given up.
  int watch_attempts = 10;
  // Wait before the second attempt; doubles with each further one.
  absl::Duration first_backoff = absl::Milliseconds(100);
};

// 128 random bits in hex.
std::string NewRequestId();

// "vms" and "web" or "vms/web" make "vms/web". INVALID_ARGUMENT for anything else.
absl::StatusOr<std::string> ResourceName(absl::string_view collection, absl::string_view name);

// Thread-safe. Errors carry the server's code and words.
class VufClient {
 public:
  // INVALID_ARGUMENT when `options.server` is not the address that it ought to be, or an error that
  // names a file that cannot be read. Does not connect yet.
  static absl::StatusOr<std::unique_ptr<VufClient>> Create(const ClientOptions& options);
  // Over any channel; `options.server` is not used.
  VufClient(const std::shared_ptr<grpc::Channel>& channel, const ClientOptions& options);

  // True when the agent says that it takes requests.
  absl::StatusOr<bool> IsServing();

  // Where a request_id is missing, one is made.
  absl::StatusOr<v1::Vm> RegisterVm(v1::RegisterVmRequest request);
  absl::StatusOr<v1::Vm> GetVm(const std::string& name);
  absl::StatusOr<v1::ListVmsResponse> ListVms();
  absl::Status RemoveVm(const v1::RemoveVmRequest& request);
  absl::StatusOr<v1::DiscoverVmsResponse> DiscoverVms(const std::string& socket_glob);

  absl::StatusOr<v1::Endpoint> CreateEndpoint(v1::CreateEndpointRequest request);
  absl::StatusOr<v1::Endpoint> GetEndpoint(const std::string& name);
  absl::StatusOr<v1::ListEndpointsResponse> ListEndpoints(const std::string& filter);
  absl::StatusOr<v1::Endpoint> UpdateEndpoint(const v1::UpdateEndpointRequest& request);
  absl::Status DeleteEndpoint(const v1::DeleteEndpointRequest& request);

  absl::StatusOr<v1::BackEndProfile> CreateBackEndProfile(v1::CreateBackEndProfileRequest request);
  absl::StatusOr<v1::BackEndProfile> GetBackEndProfile(const std::string& name);
  absl::StatusOr<v1::ListBackEndProfilesResponse> ListBackEndProfiles();
  absl::Status DeleteBackEndProfile(const v1::DeleteBackEndProfileRequest& request);

  absl::StatusOr<v1::MigrationPolicy> CreateMigrationPolicy(
      v1::CreateMigrationPolicyRequest request);
  // `revision` 0: the one in force.
  absl::StatusOr<v1::MigrationPolicy> GetMigrationPolicy(const std::string& name,
                                                         uint64_t revision);
  absl::StatusOr<v1::ListMigrationPoliciesResponse> ListMigrationPolicies();
  absl::StatusOr<v1::MigrationPolicy> UpdateMigrationPolicy(
      const v1::UpdateMigrationPolicyRequest& request);
  absl::Status DeleteMigrationPolicy(const v1::DeleteMigrationPolicyRequest& request);
  absl::StatusOr<v1::ListMigrationPolicyRevisionsResponse> ListMigrationPolicyRevisions(
      const std::string& name);
  absl::StatusOr<v1::ExplainPolicyResponse> ExplainPolicy(const std::string& vm);
  absl::StatusOr<v1::Acknowledgement> CreateAcknowledgement(
      v1::CreateAcknowledgementRequest request);
  absl::StatusOr<v1::ListAcknowledgementsResponse> ListAcknowledgements();
  absl::Status DeleteAcknowledgement(const v1::DeleteAcknowledgementRequest& request);

  absl::StatusOr<v1::Verdict> EvaluateMigration(const v1::EvaluateMigrationRequest& request);
  // Reports the verdicts as they come.
  absl::Status BatchEvaluate(
      const v1::BatchEvaluateRequest& request,
      const std::function<void(const v1::BatchEvaluateResponse&)>& on_verdict);
  absl::StatusOr<v1::PlanEvacuationResponse> PlanEvacuation(
      const v1::PlanEvacuationRequest& request);
  absl::StatusOr<v1::Migration> CreateMigration(v1::CreateMigrationRequest request);
  absl::StatusOr<v1::Migration> UpgradeVm(v1::UpgradeVmRequest request);
  absl::StatusOr<v1::Migration> GetMigration(const std::string& name);
  // The newest `limit` of them; `next_page_token` is set when there are more, and only says that.
  absl::StatusOr<v1::ListMigrationsResponse> ListMigrations(const std::string& vm, int limit);
  absl::StatusOr<v1::Migration> CancelMigration(const std::string& name);

  absl::StatusOr<v1::DecisionRecord> GetDecision(const std::string& name);
  // As ListMigrations.
  absl::StatusOr<v1::ListDecisionsResponse> ListDecisions(const std::string& vm, int limit);
  // What comes in from other hosts; at most `limit`, newest first.
  absl::StatusOr<v1::ListReservationsResponse> ListReservations(int limit);

  // Follows a migration to its end and returns it as it ended, surviving lost connections.
  // CANCELLED after canceller->Cancel(); the migration itself is not touched by that.
  absl::StatusOr<v1::Migration> WatchMigration(
      const std::string& name, const std::function<void(const v1::Migration&)>& on_change,
      WatchCanceller* canceller);
  // Reports every message, the present state first, until cancelled (then CANCELLED) or lost for
  // good. After a loss that cannot be resumed the present state is reported again.
  absl::Status WatchEndpoints(
      const std::function<void(const v1::WatchEndpointsResponse&)>& on_message,
      WatchCanceller* canceller);

 private:
  const ClientOptions options_;
  const std::unique_ptr<grpc::health::v1::Health::StubInterface> health_;
  const std::unique_ptr<v1::VmService::StubInterface> vms_;
  const std::unique_ptr<v1::EndpointService::StubInterface> endpoints_;
  const std::unique_ptr<v1::BackEndProfileService::StubInterface> profiles_;
  const std::unique_ptr<v1::MigrationService::StubInterface> migrations_;
  const std::unique_ptr<v1::MigrationPolicyService::StubInterface> policies_;
  const std::unique_ptr<v1::PlanningService::StubInterface> planning_;
  const std::unique_ptr<v1::DecisionService::StubInterface> decisions_;
  const std::unique_ptr<v1::PeerService::StubInterface> peers_;
};

// True only for a verdict that allows without contradicting itself: the reader's half of
// "unknown refuses".
bool Allows(const v1::Verdict& verdict);

}  // namespace vuf

#endif  // VUFD_CLIENT_VUF_CLIENT_H_
