#include "server/service/migration_service.h"

#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/base/migration_state.h"
#include "server/convert/convert.h"
#include "server/decision/shadow.h"
#include "server/decisions/make_record.h"
#include "server/registry/request_key.h"
#include "server/service/actor.h"
#include "server/service/find_vm.h"
#include "server/service/migration_request.h"
#include "server/service/paging.h"
#include "server/service/validate.h"

namespace vuf {
namespace {

// Ascending keys are newest first.
std::string NewestFirstKey(const v1::Migration& migration) {
  const int64_t nanos = absl::ToUnixNanos(FromProto(migration.create_time()));
  return absl::StrFormat("%020d %s", std::numeric_limits<int64_t>::max() - nanos, migration.name());
}

WatchSource FollowMigration(Migrator* migrator, const std::string& name, uint64_t after) {
  // The state counts as sent only once: an ended migration is sent, then the stream ends.
  return [migrator, name, after, ended = false]() mutable -> WatchStep {
    if (ended) return {std::nullopt, absl::OkStatus()};
    absl::StatusOr<v1::Migration> migration = migrator->Get(name);
    if (!migration.ok()) return {std::nullopt, migration.status()};
    ended = IsFinal(migration->state());
    if (migration->revision() <= after) {
      return ended ? WatchStep{std::nullopt, absl::OkStatus()} : WatchStep{};
    }
    after = migration->revision();
    v1::WatchMigrationResponse message;
    *message.mutable_migration() = *std::move(migration);
    return {*SerializeMessage(message), std::nullopt};
  };
}

}  // namespace

absl::StatusOr<v1::EvaluateMigrationResponse> MigrationServiceShell::Evaluate(
    const v1::EvaluateMigrationRequest& request, const std::string& actor, absl::Time deadline) {
  absl::Status checked = CheckRequest(request);
  if (!checked.ok()) return checked;
  const std::shared_ptr<const Registry::Snapshot> registry = deps_.registry->snapshot();
  const absl::StatusOr<const v1::Vm*> vm = FindVm(*registry, "vm", request.vm());
  if (!vm.ok()) return vm.status();
  checked = CheckIsElsewhere("destination", request.destination(), **vm);
  if (!checked.ok()) return checked;
  GatherRequest gather;
  gather.vm = request.vm();
  gather.source_socket = (*vm)->qmp_socket();
  if (request.destination().has_same_host()) {
    gather.destination_socket = request.destination().same_host().qmp_socket();
  }
  if (request.destination().has_other_host()) {
    gather.other_host = request.destination().other_host();
  }
  gather.request = ModelRequest(request);
  gather.running_migration = deps_.migrator->RunningMigrationOf(request.vm());
  Facts facts = deps_.gatherer->Gather(gather, deadline).facts;
  deps_.migrator->CountRunning(facts.policy.value->limits);
  v1::DecisionRecord record = MakeRecord(facts, EvaluateWithShadow(facts));
  record.set_vm(request.vm());
  record.set_trigger(v1::DECISION_TRIGGER_EVALUATE_MIGRATION);
  record.set_actor(actor);
  *record.mutable_request() = request;
  deps_.decisions->Add(record);
  v1::EvaluateMigrationResponse response;
  *response.mutable_verdict() = std::move(*record.mutable_verdict());
  deps_.metrics->Decided(response.verdict());
  return response;
}

absl::StatusOr<v1::Migration> MigrationServiceShell::Create(
    const v1::CreateMigrationRequest& request, const std::string& actor) {
  const absl::Status checked = CheckRequest(request);
  if (!checked.ok()) return checked;
  // The VM is looked for there: a retry is answered even when the VM was removed meanwhile.
  v1::Migration migration = InputOf(request.migration());
  migration.set_requested_by(actor);
  return deps_.migrator->Create(std::move(migration),
                                MakeRequestKey("MigrationService.CreateMigration", request));
}

absl::StatusOr<v1::Migration> MigrationServiceShell::Upgrade(const v1::UpgradeVmRequest& request,
                                                             const std::string& actor) {
  const absl::Status checked = CheckRequest(request);
  if (!checked.ok()) return checked;
  v1::Migration migration = MigrationOf(request);
  migration.set_requested_by(actor);
  return deps_.migrator->Create(std::move(migration),
                                MakeRequestKey("MigrationService.UpgradeVm", request));
}

absl::StatusOr<v1::Migration> MigrationServiceShell::Get(const v1::GetMigrationRequest& request) {
  const absl::Status checked = CheckName("name", "migrations", request.name());
  if (!checked.ok()) return checked;
  return deps_.migrator->Get(request.name());
}

absl::StatusOr<v1::ListMigrationsResponse> MigrationServiceShell::List(
    const v1::ListMigrationsRequest& request) {
  const absl::Status checked =
      request.vm().empty() ? absl::OkStatus() : CheckName("vm", "vms", request.vm());
  if (!checked.ok()) return checked;
  absl::StatusOr<Page> page = Page::Begin(absl::StrCat("ListMigrations ", request.vm()),
                                          request.page_size(), request.page_token());
  if (!page.ok()) return page.status();
  std::map<std::string, v1::Migration> ordered;
  for (v1::Migration& migration : deps_.migrator->List()) {
    if (!request.vm().empty() && migration.vm() != request.vm()) continue;
    const std::string key = NewestFirstKey(migration);
    ordered.emplace(key, std::move(migration));
  }
  v1::ListMigrationsResponse response;
  for (auto& [key, migration] : ordered) {
    if (page->Takes(key)) *response.add_migrations() = std::move(migration);
  }
  response.set_next_page_token(page->NextToken());
  return response;
}

absl::StatusOr<v1::Migration> MigrationServiceShell::Cancel(
    const v1::CancelMigrationRequest& request) {
  const absl::Status checked = CheckName("name", "migrations", request.name());
  if (!checked.ok()) return checked;
  return deps_.migrator->Cancel(request.name());
}

grpc::ServerUnaryReactor* MigrationServiceShell::EvaluateMigration(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::EvaluateMigrationRequest, v1::EvaluateMigrationResponse>(
      context, "MigrationService/EvaluateMigration", deps_.monitor_pool, in, out,
      [this, actor = ActorOf(*context)](const auto& request, absl::Time deadline) {
        return Evaluate(request, actor, deadline);
      });
}

grpc::ServerUnaryReactor* MigrationServiceShell::CreateMigration(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::CreateMigrationRequest, v1::Migration>(
      context, "MigrationService/CreateMigration", deps_.write_pool, in, out,
      [this, actor = ActorOf(*context)](const auto& request, absl::Time) {
        return Create(request, actor);
      });
}

grpc::ServerUnaryReactor* MigrationServiceShell::UpgradeVm(grpc::CallbackServerContext* context,
                                                           const grpc::ByteBuffer* in,
                                                           grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::UpgradeVmRequest, v1::Migration>(
      context, "MigrationService/UpgradeVm", deps_.write_pool, in, out,
      [this, actor = ActorOf(*context)](const auto& request, absl::Time) {
        return Upgrade(request, actor);
      });
}

grpc::ServerUnaryReactor* MigrationServiceShell::GetMigration(grpc::CallbackServerContext* context,
                                                              const grpc::ByteBuffer* in,
                                                              grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::GetMigrationRequest, v1::Migration>(
      context, "MigrationService/GetMigration", nullptr, in, out,
      [this](const auto& request, absl::Time) { return Get(request); });
}

grpc::ServerUnaryReactor* MigrationServiceShell::ListMigrations(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::ListMigrationsRequest, v1::ListMigrationsResponse>(
      context, "MigrationService/ListMigrations", nullptr, in, out,
      [this](const auto& request, absl::Time) { return List(request); });
}

grpc::ServerUnaryReactor* MigrationServiceShell::CancelMigration(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return deps_.calls->Unary<v1::CancelMigrationRequest, v1::Migration>(
      // Not on a pool: it does not block, and must not wait behind calls that do.
      context, "MigrationService/CancelMigration", nullptr, in, out,
      [this](const auto& request, absl::Time) { return Cancel(request); });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* MigrationServiceShell::WatchMigration(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* in) {
  return deps_.watches->Watch(*context, "MigrationService/WatchMigration", [this, in] {
    v1::WatchMigrationRequest request;
    absl::Status status = ParseMessage(*in, &request);
    if (status.ok()) status = CheckName("name", "migrations", request.name());
    return status.ok() ? FollowMigration(deps_.migrator, request.name(), request.after_revision())
                       : EndsWith(status);
  });
}

}  // namespace vuf
