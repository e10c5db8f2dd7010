#include "client/vuf_client.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/channel.h"
#include "client/rpc.h"

namespace vuf {
namespace {

// A migration carries its verdict with all evidence: tens of kilobytes.
constexpr int kMigrationPageSize = 50;

}  // namespace

std::string NewRequestId() {
  std::random_device random;
  return absl::StrFormat("%08x%08x%08x%08x", random(), random(), random(), random());
}

absl::StatusOr<std::string> ResourceName(absl::string_view collection, absl::string_view name) {
  const std::string prefix = absl::StrCat(collection, "/");
  absl::string_view id = name;
  if (absl::StartsWith(id, prefix)) id.remove_prefix(prefix.size());
  if (id.empty() || absl::StrContains(id, "/")) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", name, "\" is not a name: want \"ID\" or \"", prefix, "ID\""));
  }
  return absl::StrCat(prefix, id);
}

absl::StatusOr<std::unique_ptr<VufClient>> VufClient::Create(const ClientOptions& options) {
  const absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = MakeChannel(options);
  if (!channel.ok()) return channel.status();
  return std::make_unique<VufClient>(*channel, options);
}

VufClient::VufClient(const std::shared_ptr<grpc::Channel>& channel, const ClientOptions& options)
    : options_(options),
      health_(grpc::health::v1::Health::NewStub(channel)),
      vms_(v1::VmService::NewStub(channel)),
      endpoints_(v1::EndpointService::NewStub(channel)),
      profiles_(v1::BackEndProfileService::NewStub(channel)),
      migrations_(v1::MigrationService::NewStub(channel)),
      policies_(v1::MigrationPolicyService::NewStub(channel)),
      planning_(v1::PlanningService::NewStub(channel)),
      decisions_(v1::DecisionService::NewStub(channel)),
      peers_(v1::PeerService::NewStub(channel)) {}

absl::StatusOr<bool> VufClient::IsServing() {
  using grpc::health::v1::Health;
  using grpc::health::v1::HealthCheckRequest;
  using grpc::health::v1::HealthCheckResponse;
  const absl::StatusOr<HealthCheckResponse> answer =
      Call(*health_, &Health::StubInterface::Check, HealthCheckRequest(), Repeat::kSafe, options_);
  if (!answer.ok()) return answer.status();
  return answer->status() == HealthCheckResponse::SERVING;
}

absl::StatusOr<v1::Vm> VufClient::RegisterVm(v1::RegisterVmRequest request) {
  if (request.request_id().empty()) request.set_request_id(NewRequestId());
  return Call(*vms_, &v1::VmService::StubInterface::RegisterVm, request, Repeat::kSafe, options_);
}

absl::StatusOr<v1::Vm> VufClient::GetVm(const std::string& name) {
  return Call(*vms_, &v1::VmService::StubInterface::GetVm, Named<v1::GetVmRequest>(name),
              Repeat::kSafe, options_);
}

absl::StatusOr<v1::ListVmsResponse> VufClient::ListVms() {
  const auto fetch = [this](const std::string& token) {
    v1::ListVmsRequest request;
    request.set_page_size(kPageSize);
    request.set_page_token(token);
    return Call(*vms_, &v1::VmService::StubInterface::ListVms, request, Repeat::kSafe, options_);
  };
  return AllPages<v1::ListVmsResponse>(fetch, [](const auto&) { return false; });
}

absl::Status VufClient::RemoveVm(const v1::RemoveVmRequest& request) {
  return StatusOf(
      Call(*vms_, &v1::VmService::StubInterface::RemoveVm, request, Repeat::kOnce, options_));
}

absl::StatusOr<v1::DiscoverVmsResponse> VufClient::DiscoverVms(const std::string& socket_glob) {
  v1::DiscoverVmsRequest request;
  request.set_socket_glob(socket_glob);
  return Call(*vms_, &v1::VmService::StubInterface::DiscoverVms, request, Repeat::kSafe, options_);
}

absl::StatusOr<v1::Endpoint> VufClient::CreateEndpoint(v1::CreateEndpointRequest request) {
  if (request.request_id().empty()) request.set_request_id(NewRequestId());
  return Call(*endpoints_, &v1::EndpointService::StubInterface::CreateEndpoint, request,
              Repeat::kSafe, options_);
}

absl::StatusOr<v1::Endpoint> VufClient::GetEndpoint(const std::string& name) {
  return Call(*endpoints_, &v1::EndpointService::StubInterface::GetEndpoint,
              Named<v1::GetEndpointRequest>(name), Repeat::kSafe, options_);
}

absl::StatusOr<v1::ListEndpointsResponse> VufClient::ListEndpoints(const std::string& filter) {
  const auto fetch = [this, &filter](const std::string& token) {
    v1::ListEndpointsRequest request;
    request.set_page_size(kPageSize);
    request.set_page_token(token);
    request.set_filter(filter);
    return Call(*endpoints_, &v1::EndpointService::StubInterface::ListEndpoints, request,
                Repeat::kSafe, options_);
  };
  return AllPages<v1::ListEndpointsResponse>(fetch, [](const auto&) { return false; });
}

absl::StatusOr<v1::Endpoint> VufClient::UpdateEndpoint(const v1::UpdateEndpointRequest& request) {
  return Call(*endpoints_, &v1::EndpointService::StubInterface::UpdateEndpoint, request,
              Repeat::kOnce, options_);
}

absl::Status VufClient::DeleteEndpoint(const v1::DeleteEndpointRequest& request) {
  return StatusOf(Call(*endpoints_, &v1::EndpointService::StubInterface::DeleteEndpoint, request,
                       Repeat::kOnce, options_));
}

absl::StatusOr<v1::BackEndProfile> VufClient::CreateBackEndProfile(
    v1::CreateBackEndProfileRequest request) {
  if (request.request_id().empty()) request.set_request_id(NewRequestId());
  return Call(*profiles_, &v1::BackEndProfileService::StubInterface::CreateBackEndProfile, request,
              Repeat::kSafe, options_);
}

absl::StatusOr<v1::BackEndProfile> VufClient::GetBackEndProfile(const std::string& name) {
  return Call(*profiles_, &v1::BackEndProfileService::StubInterface::GetBackEndProfile,
              Named<v1::GetBackEndProfileRequest>(name), Repeat::kSafe, options_);
}

absl::StatusOr<v1::ListBackEndProfilesResponse> VufClient::ListBackEndProfiles() {
  const auto fetch = [this](const std::string& token) {
    v1::ListBackEndProfilesRequest request;
    request.set_page_size(kPageSize);
    request.set_page_token(token);
    return Call(*profiles_, &v1::BackEndProfileService::StubInterface::ListBackEndProfiles, request,
                Repeat::kSafe, options_);
  };
  return AllPages<v1::ListBackEndProfilesResponse>(fetch, [](const auto&) { return false; });
}

absl::Status VufClient::DeleteBackEndProfile(const v1::DeleteBackEndProfileRequest& request) {
  return StatusOf(Call(*profiles_, &v1::BackEndProfileService::StubInterface::DeleteBackEndProfile,
                       request, Repeat::kOnce, options_));
}

absl::StatusOr<v1::Verdict> VufClient::EvaluateMigration(
    const v1::EvaluateMigrationRequest& request) {
  absl::StatusOr<v1::EvaluateMigrationResponse> answer =
      Call(*migrations_, &v1::MigrationService::StubInterface::EvaluateMigration, request,
           Repeat::kSafe, options_);
  if (!answer.ok()) return answer.status();
  return std::move(*answer->mutable_verdict());
}

absl::StatusOr<v1::Migration> VufClient::CreateMigration(v1::CreateMigrationRequest request) {
  if (request.request_id().empty()) request.set_request_id(NewRequestId());
  return Call(*migrations_, &v1::MigrationService::StubInterface::CreateMigration, request,
              Repeat::kSafe, options_);
}

absl::StatusOr<v1::Migration> VufClient::UpgradeVm(v1::UpgradeVmRequest request) {
  if (request.request_id().empty()) request.set_request_id(NewRequestId());
  return Call(*migrations_, &v1::MigrationService::StubInterface::UpgradeVm, request, Repeat::kSafe,
              options_);
}

absl::StatusOr<v1::Migration> VufClient::GetMigration(const std::string& name) {
  return Call(*migrations_, &v1::MigrationService::StubInterface::GetMigration,
              Named<v1::GetMigrationRequest>(name), Repeat::kSafe, options_);
}

absl::StatusOr<v1::ListMigrationsResponse> VufClient::ListMigrations(const std::string& vm,
                                                                     int limit) {
  const int page_size = std::min(limit, kMigrationPageSize);
  const auto fetch = [&](const std::string& token) {
    v1::ListMigrationsRequest request;
    request.set_page_size(page_size);
    request.set_page_token(token);
    request.set_vm(vm);
    return Call(*migrations_, &v1::MigrationService::StubInterface::ListMigrations, request,
                Repeat::kSafe, options_);
  };
  absl::StatusOr<v1::ListMigrationsResponse> all = AllPages<v1::ListMigrationsResponse>(
      fetch, [limit](const auto& so_far) { return so_far.migrations_size() >= limit; });
  if (!all.ok() || all->migrations_size() <= limit) return all;
  all->mutable_migrations()->DeleteSubrange(limit, all->migrations_size() - limit);
  all->set_next_page_token("more");
  return all;
}

absl::StatusOr<v1::Migration> VufClient::CancelMigration(const std::string& name) {
  return Call(*migrations_, &v1::MigrationService::StubInterface::CancelMigration,
              Named<v1::CancelMigrationRequest>(name), Repeat::kOnce, options_);
}

bool Allows(const v1::Verdict& verdict) {
  const bool has_mode = verdict.mode() == v1::MIGRATION_MODE_STATELESS ||
                        verdict.mode() == v1::MIGRATION_MODE_STATEFUL;
  return verdict.decision() == v1::DECISION_ALLOW && has_mode && verdict.blockers_size() == 0;
}

}  // namespace vuf
