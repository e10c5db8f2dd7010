#include "client/testing/fake_agent.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "grpcpp/ext/health_check_service_server_builder_option.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/server_builder.h"

namespace vuf {

using grpc::ServerContext;
using grpc::Status;

class FakeAgent::Vms : public v1::VmService::Service {
 public:
  explicit Vms(FakeAgent* agent) : agent_(agent) {}

  Status RegisterVm(ServerContext*, const v1::RegisterVmRequest* request, v1::Vm* vm) override {
    const Status status = agent_->Enter("RegisterVm", *request);
    *vm = request->vm();
    vm->set_name("vms/" + request->vm_id());
    return status;
  }
  Status GetVm(ServerContext*, const v1::GetVmRequest* request, v1::Vm* vm) override {
    const Status status = agent_->Enter("GetVm", *request);
    if (!status.ok()) return status;
    MutexLock lock(&agent_->mu_);
    for (const v1::Vm& known : agent_->world_.vms) {
      if (known.name() != request->name()) continue;
      *vm = known;
      return Status::OK;
    }
    return Status(grpc::StatusCode::NOT_FOUND, request->name() + " is not registered");
  }
  Status ListVms(ServerContext*, const v1::ListVmsRequest* request,
                 v1::ListVmsResponse* response) override {
    const Status status = agent_->Enter("ListVms", *request);
    if (!status.ok()) return status;
    MutexLock lock(&agent_->mu_);
    size_t at = 0;
    if (!absl::SimpleAtoi(request->page_token(), &at)) at = 0;
    const size_t end = std::min(agent_->world_.vms.size(), at + agent_->world_.page_size);
    for (; at < end; ++at) *response->add_vms() = agent_->world_.vms[at];
    if (end < agent_->world_.vms.size()) response->set_next_page_token(absl::StrCat(end));
    return Status::OK;
  }
  Status RemoveVm(ServerContext*, const v1::RemoveVmRequest* request,
                  v1::RemoveVmResponse*) override {
    return agent_->Enter("RemoveVm", *request);
  }

 private:
  FakeAgent* const agent_;
};

class FakeAgent::Endpoints : public v1::EndpointService::Service {
 public:
  explicit Endpoints(FakeAgent* agent) : agent_(agent) {}

  Status ListEndpoints(ServerContext*, const v1::ListEndpointsRequest* request,
                       v1::ListEndpointsResponse*) override {
    return agent_->Enter("ListEndpoints", *request);
  }
  Status UpdateEndpoint(ServerContext*, const v1::UpdateEndpointRequest* request,
                        v1::Endpoint* endpoint) override {
    *endpoint = request->endpoint();
    return agent_->Enter("UpdateEndpoint", *request);
  }
  Status WatchEndpoints(ServerContext* context, const v1::WatchEndpointsRequest* request,
                        grpc::ServerWriter<v1::WatchEndpointsResponse>* writer) override {
    const Status status = agent_->Enter("WatchEndpoints", *request);
    if (!status.ok()) return status;
    std::vector<v1::WatchEndpointsResponse> changes;
    {
      MutexLock lock(&agent_->mu_);
      changes = agent_->world_.endpoint_changes;
    }
    for (const v1::WatchEndpointsResponse& change : changes) writer->Write(change);
    return agent_->StayOpen(context);
  }

 private:
  FakeAgent* const agent_;
};

class FakeAgent::Profiles : public v1::BackEndProfileService::Service {
 public:
  explicit Profiles(FakeAgent* agent) : agent_(agent) {}

  Status CreateBackEndProfile(ServerContext*, const v1::CreateBackEndProfileRequest* request,
                              v1::BackEndProfile* profile) override {
    *profile = request->back_end_profile();
    return agent_->Enter("CreateBackEndProfile", *request);
  }

 private:
  FakeAgent* const agent_;
};

class FakeAgent::Migrations : public v1::MigrationService::Service {
 public:
  explicit Migrations(FakeAgent* agent) : agent_(agent) {}

  Status EvaluateMigration(ServerContext*, const v1::EvaluateMigrationRequest* request,
                           v1::EvaluateMigrationResponse* response) override {
    const Status status = agent_->Enter("EvaluateMigration", *request);
    MutexLock lock(&agent_->mu_);
    *response->mutable_verdict() = agent_->world_.verdict;
    return status;
  }
  Status CreateMigration(ServerContext*, const v1::CreateMigrationRequest* request,
                         v1::Migration* migration) override {
    const Status status = agent_->Enter("CreateMigration", *request);
    MutexLock lock(&agent_->mu_);
    *migration = agent_->world_.migration;
    return status;
  }
  Status UpgradeVm(ServerContext*, const v1::UpgradeVmRequest* request,
                   v1::Migration* migration) override {
    const Status status = agent_->Enter("UpgradeVm", *request);
    MutexLock lock(&agent_->mu_);
    *migration = agent_->world_.migration;
    return status;
  }
  Status ListMigrations(ServerContext*, const v1::ListMigrationsRequest* request,
                        v1::ListMigrationsResponse* response) override {
    const Status status = agent_->Enter("ListMigrations", *request);
    MutexLock lock(&agent_->mu_);
    auto& lists = agent_->world_.migrations;
    if (lists.empty()) return status;
    for (const v1::Migration& migration : lists.front()) *response->add_migrations() = migration;
    if (lists.size() > 1) lists.pop_front();
    return status;
  }
  Status CancelMigration(ServerContext*, const v1::CancelMigrationRequest* request,
                         v1::Migration* migration) override {
    const Status status = agent_->Enter("CancelMigration", *request);
    MutexLock lock(&agent_->mu_);
    *migration = agent_->world_.migration;
    return status;
  }
  Status WatchMigration(ServerContext* context, const v1::WatchMigrationRequest* request,
                        grpc::ServerWriter<v1::WatchMigrationResponse>* writer) override {
    const Status status = agent_->Enter("WatchMigration", *request);
    if (!status.ok()) return status;
    std::vector<v1::Migration> messages;
    bool last = true;
    {
      MutexLock lock(&agent_->mu_);
      if (!agent_->world_.streams.empty()) {
        messages = agent_->world_.streams.front();
        agent_->world_.streams.pop_front();
      }
      last = agent_->world_.streams.empty();
    }
    for (const v1::Migration& message : messages) {
      v1::WatchMigrationResponse response;
      *response.mutable_migration() = message;
      writer->Write(response);
      if (message.has_end_time()) return Status::OK;
    }
    if (!last) return Status(grpc::StatusCode::UNAVAILABLE, "the agent restarts");
    return agent_->StayOpen(context);
  }

 private:
  FakeAgent* const agent_;
};

class FakeAgent::Decisions : public v1::DecisionService::Service {
 public:
  explicit Decisions(FakeAgent* agent) : agent_(agent) {}

  Status GetDecision(ServerContext*, const v1::GetDecisionRequest* request,
                     v1::DecisionRecord* decision) override {
    const Status status = agent_->Enter("GetDecision", *request);
    if (!status.ok()) return status;
    MutexLock lock(&agent_->mu_);
    for (const v1::DecisionRecord& known : agent_->world_.decisions) {
      if (known.name() != request->name()) continue;
      *decision = known;
      return Status::OK;
    }
    return Status(grpc::StatusCode::NOT_FOUND, request->name() + " does not exist");
  }
  Status ListDecisions(ServerContext*, const v1::ListDecisionsRequest* request,
                       v1::ListDecisionsResponse* response) override {
    const Status status = agent_->Enter("ListDecisions", *request);
    if (!status.ok()) return status;
    MutexLock lock(&agent_->mu_);
    size_t at = 0;
    if (!absl::SimpleAtoi(request->page_token(), &at)) at = 0;
    const size_t size = std::min<size_t>(request->page_size(), agent_->world_.page_size);
    const size_t end = std::min(agent_->world_.decisions.size(), at + size);
    for (; at < end; ++at) *response->add_decisions() = agent_->world_.decisions[at];
    if (end < agent_->world_.decisions.size()) response->set_next_page_token(absl::StrCat(end));
    return Status::OK;
  }

 private:
  FakeAgent* const agent_;
};

FakeAgent::FakeAgent(FakeWorld world) : world_(std::move(world)) {
  address_ = absl::StrCat("unix:", directory_.Path("s"));
  services_.push_back(std::make_unique<Vms>(this));
  services_.push_back(std::make_unique<Endpoints>(this));
  services_.push_back(std::make_unique<Profiles>(this));
  services_.push_back(std::make_unique<Migrations>(this));
  services_.push_back(std::make_unique<Decisions>(this));
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address_, grpc::InsecureServerCredentials());
  for (const auto& service : services_) builder.RegisterService(service.get());
  server_ = builder.BuildAndStart();
}

FakeAgent::~FakeAgent() {
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

std::vector<std::string> FakeAgent::calls() {
  MutexLock lock(&mu_);
  return calls_;
}

std::vector<std::string> FakeAgent::request_ids() {
  MutexLock lock(&mu_);
  return request_ids_;
}

grpc::Status FakeAgent::Enter(const std::string& method, const google::protobuf::Message& request) {
  MutexLock lock(&mu_);
  calls_.push_back(absl::StrCat(method, ": ", request.ShortDebugString()));
  const auto* field = request.GetDescriptor()->FindFieldByName("request_id");
  if (field != nullptr) {
    request_ids_.push_back(request.GetReflection()->GetString(request, field));
  }
  if (world_.unavailable > 0) {
    --world_.unavailable;
    return Status(grpc::StatusCode::UNAVAILABLE, "the agent restarts");
  }
  return world_.error;
}

grpc::Status FakeAgent::StayOpen(ServerContext* context) {
  MutexLock lock(&mu_);
  idle_ = true;
  changed_.NotifyAll();
  // The caller's leaving has no event in the synchronous API.
  while (!context->IsCancelled()) changed_.WaitFor(&mu_, absl::Milliseconds(10));
  return Status::CANCELLED;
}

void FakeAgent::SetServing(bool serving) {
  server_->GetHealthCheckService()->SetServingStatus(serving);
}

bool FakeAgent::AwaitIdleStream() {
  const absl::Time limit = absl::Now() + absl::Seconds(10);
  MutexLock lock(&mu_);
  while (!idle_ && absl::Now() < limit) changed_.WaitFor(&mu_, limit - absl::Now());
  return idle_;
}

}  // namespace vuf
