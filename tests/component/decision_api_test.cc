// The log of decisions through the API: what is in it, and that it can be computed again.
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/decisions/replay.h"
#include "tests/component/api_world.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

class DecisionApiTest : public ::testing::Test {
 protected:
  DecisionApiTest() { world_.RegisterSource(); }

  v1::Verdict Evaluate(bool with_destination = true) {
    v1::EvaluateMigrationRequest request;
    request.set_vm("vms/guest");
    request.add_allowed_modes(v1::MIGRATION_MODE_STATEFUL);
    if (with_destination) {
      request.mutable_destination()->mutable_same_host()->set_qmp_socket(world_.destination());
    }
    v1::EvaluateMigrationResponse response;
    EXPECT_TRUE(world_.migrations->EvaluateMigration(Context().get(), request, &response).ok());
    return response.verdict();
  }
  grpc::Status Get(const std::string& name, v1::DecisionRecord* record) {
    v1::GetDecisionRequest request;
    request.set_name(name);
    return world_.decisions->GetDecision(Context().get(), request, record);
  }
  v1::DecisionRecord Must(const std::string& name) {
    v1::DecisionRecord record;
    const grpc::Status status = Get(name, &record);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return record;
  }
  v1::ListDecisionsResponse List(const v1::ListDecisionsRequest& request = {}) {
    v1::ListDecisionsResponse response;
    const grpc::Status status =
        world_.decisions->ListDecisions(Context().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  static void ExpectAgrees(const v1::DecisionRecord& record) {
    const absl::StatusOr<v1::DecisionReplay> replay = ReplayDecision(record);
    ASSERT_TRUE(replay.ok()) << replay.status();
    EXPECT_TRUE(replay->agrees()) << replay->DebugString();
  }

  ApiWorld world_;
};

TEST_F(DecisionApiTest, AVerdictNamesItsRecordWhichIsReadableAtOnceAndAgrees) {
  const v1::Verdict allowed = Evaluate(), refused = Evaluate(false);
  ASSERT_EQ(allowed.decision(), v1::DECISION_ALLOW);
  ASSERT_EQ(refused.decision(), v1::DECISION_REFUSE);
  for (const v1::Verdict& verdict : {allowed, refused}) {
    const v1::DecisionRecord record = Must(verdict.decision_record());
    EXPECT_EQ(record.name(), verdict.decision_record());
    EXPECT_EQ(record.vm(), "vms/guest");
    EXPECT_EQ(record.trigger(), v1::DECISION_TRIGGER_EVALUATE_MIGRATION);
    EXPECT_THAT(record.actor(), AllOf(StartsWith(absl::StrCat("uid:", getuid(), ";")),
                                      HasSubstr("calls itself grpc-c++/")));
    EXPECT_EQ(record.request().allowed_modes_size(), 1);
    EXPECT_EQ(record.verdict().SerializeAsString(), verdict.SerializeAsString());
    ExpectAgrees(record);
  }
}

TEST_F(DecisionApiTest, EvaluatingDoesNotWaitForTheDisk) {
  world_.store.HoldWrites();
  const v1::Verdict verdict = Evaluate();
  EXPECT_TRUE(world_.store.AwaitHeldWrite(absl::Seconds(20)));
  EXPECT_EQ(Must(verdict.decision_record()).vm(), "vms/guest");
  world_.store.ReleaseWrites();
}

TEST_F(DecisionApiTest, AMigrationLeavesItsDecisionAndItsRecheckAndBothAgree) {
  v1::Migration migration;
  ASSERT_TRUE(
      world_.migrations->CreateMigration(Context().get(), world_.MigrationRequest("m1"), &migration)
          .ok());
  migration = world_.Await(migration.name());
  ASSERT_EQ(migration.state(), v1::Migration::STATE_SUCCEEDED) << migration.message();
  const v1::ListDecisionsResponse list = List();
  ASSERT_THAT(list.decisions(), SizeIs(2));
  EXPECT_EQ(list.decisions(0).trigger(), v1::DECISION_TRIGGER_SWITCHOVER);
  EXPECT_EQ(list.decisions(1).name(), migration.verdict().decision_record());
  for (const v1::DecisionRecord& in_short : list.decisions()) {
    EXPECT_EQ(in_short.migration(), migration.name());
    const v1::DecisionRecord record = Must(in_short.name());
    EXPECT_THAT(record.actor(), HasSubstr("calls itself grpc-c++/"));
    ExpectAgrees(record);
  }
}

TEST_F(DecisionApiTest, ACallerCannotSayWhoItIsInTheMigration) {
  v1::CreateMigrationRequest request = world_.MigrationRequest("m1");
  request.mutable_migration()->set_requested_by("root");
  v1::Migration migration;
  ASSERT_TRUE(world_.migrations->CreateMigration(Context().get(), request, &migration).ok());
  EXPECT_THAT(migration.requested_by(), StartsWith(absl::StrCat("uid:", getuid(), ";")));
  world_.Await(migration.name());
}

TEST_F(DecisionApiTest, ListsArePagedNewestFirstInShortAndOfOneVm) {
  std::vector<std::string> names;
  for (int i = 0; i < 5; ++i) names.push_back(Evaluate(i % 2 == 0).decision_record());
  std::vector<std::string> listed;
  v1::ListDecisionsRequest request;
  request.set_page_size(2);
  request.set_vm("vms/guest");
  do {
    const v1::ListDecisionsResponse page = List(request);
    EXPECT_LE(page.decisions_size(), 2);
    for (const v1::DecisionRecord& record : page.decisions()) {
      listed.push_back(record.name());
      EXPECT_EQ(record.facts(), "");
      EXPECT_NE(record.evidence_digest(), "");
      for (const v1::Finding& finding : record.verdict().blockers()) {
        EXPECT_NE(finding.code(), "");
        EXPECT_EQ(finding.message(), "");
      }
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(listed, std::vector<std::string>(names.rbegin(), names.rend()));
  request.Clear();
  request.set_vm("vms/other");
  EXPECT_EQ(List(request).decisions_size(), 0);
}

TEST_F(DecisionApiTest, WhatIsNotThereAndWhatIsNoName) {
  v1::DecisionRecord record;
  EXPECT_EQ(Get("decisions/d0000000000000001", &record).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Get("migrations/m1", &record).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  v1::ListDecisionsRequest request;
  request.set_vm("guest");
  v1::ListDecisionsResponse response;
  EXPECT_EQ(world_.decisions->ListDecisions(Context().get(), request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace vuf
