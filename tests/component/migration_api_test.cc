// Evaluations and migrations through the API.
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/component/api_world.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class MigrationApiTest : public ::testing::Test {
 protected:
  v1::Verdict Evaluate(bool with_destination = true) {
    v1::EvaluateMigrationRequest request;
    request.set_vm("vms/guest");
    request.add_allowed_modes(v1::MIGRATION_MODE_STATEFUL);
    if (with_destination) {
      request.mutable_destination()->mutable_same_host()->set_qmp_socket(world_.destination());
    }
    v1::EvaluateMigrationResponse response;
    const grpc::Status status =
        world_.migrations->EvaluateMigration(Context().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.verdict();
  }
  grpc::Status Create(const std::string& request_id, v1::Migration* migration) {
    return world_.migrations->CreateMigration(Context().get(), world_.MigrationRequest(request_id),
                                              migration);
  }

  v1::UpgradeVmRequest UpgradeRequest() {
    v1::UpgradeVmRequest request;
    request.set_vm("vms/guest");
    request.mutable_destination()->mutable_same_host()->set_qmp_socket(world_.destination());
    request.mutable_timeout()->set_seconds(77);
    request.set_request_id("u1");
    return request;
  }

  ApiWorld world_;
};

TEST_F(MigrationApiTest, SafeWorldIsAllowedAndNothingIsTouched) {
  world_.RegisterSource();
  const v1::Verdict verdict = Evaluate();
  EXPECT_EQ(verdict.decision(), v1::DECISION_ALLOW) << verdict.DebugString();
  EXPECT_EQ(verdict.mode(), v1::MIGRATION_MODE_STATEFUL);
  EXPECT_NE(verdict.fingerprint(), "");
  EXPECT_THAT(world_.qemu.Actions(), IsEmpty());
}

TEST_F(MigrationApiTest, OneSpoiledThingIsRefusedWithReasonAndRemedy) {
  world_.RegisterSource();
  BackEndFacts old = SafeSource().devices.value->at(0).back_end;
  old.version.value = Version{1, 10, 0};
  world_.host.SetBackEnd(SafeSource().devices.value->at(0).chardev.value->socket_path, old);
  const v1::Verdict verdict = Evaluate();
  EXPECT_EQ(verdict.decision(), v1::DECISION_REFUSE);
  ASSERT_GT(verdict.blockers_size(), 0);
  EXPECT_NE(verdict.blockers(0).remedy(), "");
  EXPECT_THAT(world_.metrics.Text(), HasSubstr("vufd_decisions_total{decision=\"refuse\"} 1"));
}

TEST_F(MigrationApiTest, WithoutDestinationTheAnswerCanOnlyRefuse) {
  world_.RegisterSource();
  EXPECT_EQ(Evaluate(false).decision(), v1::DECISION_REFUSE);
}

TEST_F(MigrationApiTest, MonitorThatIsGoneIsARefusalNotAnError) {
  world_.RegisterSource();
  world_.qemu.Die(world_.source());
  EXPECT_EQ(Evaluate().decision(), v1::DECISION_REFUSE);
}

TEST_F(MigrationApiTest, MigratesAndReportsEveryStep) {
  world_.RegisterSource();
  v1::Migration migration;
  const grpc::Status status = Create("m1", &migration);
  ASSERT_TRUE(status.ok()) << status.error_message();
  const v1::Migration end = world_.Await(migration.name());
  EXPECT_EQ(end.state(), v1::Migration::STATE_SUCCEEDED) << end.message();
  EXPECT_EQ(world_.qemu.RunState(world_.destination()), "running");
  EXPECT_FALSE(world_.qemu.SplitBrain());
  EXPECT_THAT(world_.metrics.Text(), HasSubstr("vufd_migrations_total{outcome=\"succeeded\"} 1"));
  // The VM is now where it went.
  v1::GetVmRequest get;
  get.set_name("vms/guest");
  v1::Vm vm;
  ASSERT_TRUE(world_.vms->GetVm(Context().get(), get, &vm).ok());
  EXPECT_EQ(vm.qmp_socket(), world_.destination());
}

TEST_F(MigrationApiTest, RetriedCreateIsNotASecondMigration) {
  world_.RegisterSource();
  v1::Migration first, second;
  ASSERT_TRUE(Create("m1", &first).ok());
  ASSERT_TRUE(Create("m1", &second).ok());
  EXPECT_EQ(second.name(), first.name());
  world_.Await(first.name());
  v1::ListMigrationsResponse all;
  ASSERT_TRUE(
      world_.migrations->ListMigrations(Context().get(), v1::ListMigrationsRequest(), &all).ok());
  EXPECT_EQ(all.migrations_size(), 1);
}

TEST_F(MigrationApiTest, ARetriedCreateIsAnsweredThoughTheVmWasRemovedMeanwhile) {
  world_.RegisterSource();
  v1::Migration first, second;
  ASSERT_TRUE(Create("m1", &first).ok());
  world_.Await(first.name());
  v1::RemoveVmRequest remove;
  remove.set_name("vms/guest");
  v1::RemoveVmResponse removed;
  ASSERT_TRUE(world_.vms->RemoveVm(Context().get(), remove, &removed).ok());
  const grpc::Status again = Create("m1", &second);
  ASSERT_TRUE(again.ok()) << again.error_message();
  EXPECT_EQ(second.name(), first.name());
  const grpc::Status other = Create("m2", &second);
  EXPECT_EQ(other.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(other.error_message(), HasSubstr("migration.vm"));
}

TEST_F(MigrationApiTest, AnUpgradeIsAMigrationWithWhatItWantsFilledIn) {
  world_.RegisterSource();
  v1::UpgradeVmRequest request = UpgradeRequest();
  v1::Migration first, second;
  const grpc::Status status = world_.migrations->UpgradeVm(Context().get(), request, &first);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(first.allowed_modes(),
              ElementsAre(v1::MIGRATION_MODE_STATELESS, v1::MIGRATION_MODE_STATEFUL));
  EXPECT_EQ(first.source_disposition(), v1::SOURCE_DISPOSITION_QUIT);
  EXPECT_EQ(first.timeout().seconds(), 77);
  ASSERT_TRUE(world_.migrations->UpgradeVm(Context().get(), request, &second).ok());
  EXPECT_EQ(second.name(), first.name());
  EXPECT_EQ(world_.Await(first.name()).state(), v1::Migration::STATE_SUCCEEDED);
  EXPECT_FALSE(world_.qemu.Alive(world_.source()));
  request.add_allowed_modes(v1::MIGRATION_MODE_STATEFUL);
  EXPECT_EQ(world_.migrations->UpgradeVm(Context().get(), request, &second).error_code(),
            grpc::StatusCode::ALREADY_EXISTS);
}

TEST_F(MigrationApiTest, WhatAnUpgradeCanGetWrongIsNamed) {
  world_.RegisterSource();
  const std::vector<std::pair<std::string, std::function<void(v1::UpgradeVmRequest&)>>> spoils = {
      {"vm: ", [](auto& r) { r.clear_vm(); }},
      {"destination: required", [](auto& r) { r.clear_destination(); }},
      {"allowed_modes: ", [](auto& r) { r.add_allowed_modes(v1::MIGRATION_MODE_UNSPECIFIED); }},
      {"ram_transfer: ", [](auto& r) { r.set_ram_transfer(static_cast<v1::RamTransfer>(9)); }},
      {"timeout: ", [](auto& r) { r.mutable_timeout()->set_seconds(90000); }},
      {"request_id: ", [](auto& r) { r.clear_request_id(); }}};
  for (const auto& [words, spoil] : spoils) {
    v1::UpgradeVmRequest request = UpgradeRequest();
    spoil(request);
    v1::Migration migration;
    const grpc::Status status = world_.migrations->UpgradeVm(Context().get(), request, &migration);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << words;
    EXPECT_THAT(status.error_message(), StartsWith(words));
  }
}

TEST_F(MigrationApiTest, WhatTheSequentialFormNeedsIsNamed) {
  world_.RegisterSource();
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"", "destination.sequential.state_file: required"},
      {"state", "destination.sequential.state_file: \"state\""},
      {"/run/", "destination.sequential.state_file: \"/run/\""},
      {"/" + std::string(5000, 'x'), "destination.sequential.state_file: "}};
  for (const auto& [file, words] : rows) {
    v1::UpgradeVmRequest request = UpgradeRequest();
    v1::SameHostSequential& wanted = *request.mutable_destination()->mutable_sequential();
    wanted.set_qmp_socket("/run/b.qmp");
    wanted.set_state_file(file);
    v1::Migration migration;
    const grpc::Status status = world_.migrations->UpgradeVm(Context().get(), request, &migration);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << words;
    EXPECT_THAT(status.error_message(), StartsWith(words));
  }
}

TEST_F(MigrationApiTest, AnUnknownWayToMoveMemoryIsRefused) {
  world_.RegisterSource();
  v1::CreateMigrationRequest create = world_.MigrationRequest("m1");
  create.mutable_migration()->set_ram_transfer(static_cast<v1::RamTransfer>(9));
  v1::Migration migration;
  EXPECT_THAT(
      world_.migrations->CreateMigration(Context().get(), create, &migration).error_message(),
      StartsWith("migration.ram_transfer: \"9\""));
  v1::EvaluateMigrationRequest evaluate;
  evaluate.set_vm("vms/guest");
  evaluate.add_allowed_modes(v1::MIGRATION_MODE_STATEFUL);
  evaluate.set_ram_transfer(static_cast<v1::RamTransfer>(9));
  v1::EvaluateMigrationResponse response;
  EXPECT_THAT(
      world_.migrations->EvaluateMigration(Context().get(), evaluate, &response).error_message(),
      StartsWith("ram_transfer: \"9\""));
}

TEST_F(MigrationApiTest, PermitsAreNotTakenFromTheCaller) {
  world_.RegisterSource();
  v1::CreateMigrationRequest create = world_.MigrationRequest("m1");
  create.mutable_migration()->add_permits()->set_permit("mine");
  v1::Migration migration;
  ASSERT_TRUE(world_.migrations->CreateMigration(Context().get(), create, &migration).ok());
  EXPECT_EQ(world_.Await(migration.name()).permits_size(), 0);
}

TEST_F(MigrationApiTest, ARunningMigrationHoldsItsVmAndCanBeCancelled) {
  world_.RegisterSource();
  world_.qemu.SetOutcome(world_.source(), FakeOutcome::kNeverConverges);
  v1::Migration migration, other;
  ASSERT_TRUE(Create("m1", &migration).ok());
  const grpc::Status second = Create("m2", &other);
  EXPECT_EQ(second.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_THAT(second.error_message(), HasSubstr(migration.name()));
  v1::RemoveVmRequest remove;
  remove.set_name("vms/guest");
  v1::RemoveVmResponse removed;
  EXPECT_EQ(world_.vms->RemoveVm(Context().get(), remove, &removed).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  v1::CancelMigrationRequest cancel;
  cancel.set_name(migration.name());
  ASSERT_TRUE(world_.migrations->CancelMigration(Context().get(), cancel, &other).ok());
  EXPECT_EQ(world_.Await(migration.name()).state(), v1::Migration::STATE_CANCELLED);
  EXPECT_EQ(world_.qemu.RunState(world_.source()), "running");
  EXPECT_EQ(world_.migrations->CancelMigration(Context().get(), cancel, &other).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(MigrationApiTest, WatchResumesAfterARevision) {
  world_.RegisterSource();
  v1::Migration migration;
  ASSERT_TRUE(Create("m1", &migration).ok());
  const v1::Migration end = world_.Await(migration.name());
  v1::WatchMigrationRequest request;
  request.set_name(migration.name());
  request.set_after_revision(end.revision());
  const auto context = Context();
  const auto reader = world_.migrations->WatchMigration(context.get(), request);
  v1::WatchMigrationResponse message;
  EXPECT_FALSE(reader->Read(&message));
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_F(MigrationApiTest, UnknownMigrationsAreNotFound) {
  v1::WatchMigrationRequest request;
  request.set_name("migrations/none");
  const auto context = Context();
  const auto reader = world_.migrations->WatchMigration(context.get(), request);
  v1::WatchMigrationResponse message;
  EXPECT_FALSE(reader->Read(&message));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace vuf
