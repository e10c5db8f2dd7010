// Batches of verdicts and evacuation plans through the API.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/component/api_world.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class PlanningApiTest : public ::testing::Test {
 protected:
  PlanningApiTest() { world_.RegisterSource(); }

  v1::BatchEvaluateRequest BatchRequest() {
    v1::BatchEvaluateRequest request;
    request.add_allowed_modes(v1::MIGRATION_MODE_STATEFUL);
    return request;
  }
  grpc::Status Batch(const v1::BatchEvaluateRequest& request) {
    const auto context = Context();
    const auto reader = world_.planning->BatchEvaluate(context.get(), request);
    v1::BatchEvaluateResponse response;
    answers_.clear();
    while (reader->Read(&response)) answers_.push_back(response);
    return reader->Finish();
  }
  grpc::Status Plan(const v1::PlanEvacuationRequest& request) {
    return world_.planning->PlanEvacuation(Context().get(), request, &plan_);
  }
  v1::PlanEvacuationRequest PlanRequest() {
    v1::PlanEvacuationRequest request;
    request.add_allowed_modes(v1::MIGRATION_MODE_STATEFUL);
    return request;
  }

  ApiWorld world_;
  std::vector<v1::BatchEvaluateResponse> answers_;
  v1::PlanEvacuationResponse plan_;
};

TEST_F(PlanningApiTest, EveryVmIsJudgedWithEveryDestination) {
  v1::BatchEvaluateRequest request = BatchRequest();
  request.add_destinations()->mutable_same_host()->set_qmp_socket(world_.destination());
  request.add_destinations()->mutable_same_host()->set_qmp_socket("/run/vuf/nobody.qmp");
  const grpc::Status status = Batch(request);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_THAT(answers_, SizeIs(2));
  EXPECT_EQ(answers_[0].vm(), "vms/guest");
  EXPECT_EQ(answers_[0].verdict().decision(), v1::DECISION_ALLOW)
      << answers_[0].verdict().DebugString();
  EXPECT_EQ(answers_[1].destination(), 1u);
  EXPECT_EQ(answers_[1].verdict().decision(), v1::DECISION_REFUSE);
  EXPECT_THAT(world_.qemu.Actions(), IsEmpty());
}

// Decision, fingerprint and findings, without when it was looked at.
std::string InShort(const v1::Verdict& verdict) {
  std::string text = absl::StrCat(verdict.decision(), " ", verdict.fingerprint());
  for (const auto* findings : {&verdict.blockers(), &verdict.warnings()}) {
    for (const v1::Finding& finding : *findings) {
      absl::StrAppend(&text, "\n", finding.subject(), " ", finding.code(), " ", finding.message());
    }
  }
  return text;
}

// However the kinds of destinations follow each other, and whatever was prepared for one of them.
TEST_F(PlanningApiTest, ABatchSaysWhatEvaluateMigrationSays) {
  v1::BatchEvaluateRequest request = BatchRequest();
  for (const std::string& socket : {world_.destination(), std::string("/run/vuf/nobody.qmp")}) {
    request.add_destinations()->mutable_same_host()->set_qmp_socket(socket);
    v1::SameHostSequential& later = *request.add_destinations()->mutable_sequential();
    later.set_qmp_socket(socket);
    later.set_state_file("/run/vuf/guest.state");
    request.add_destinations()->mutable_same_host()->set_qmp_socket(socket);
  }
  const grpc::Status status = Batch(request);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_THAT(answers_, SizeIs(request.destinations_size()));
  for (int i = 0; i < request.destinations_size(); ++i) {
    v1::EvaluateMigrationRequest one;
    one.set_vm("vms/guest");
    *one.mutable_allowed_modes() = request.allowed_modes();
    *one.mutable_destination() = request.destinations(i);
    v1::EvaluateMigrationResponse response;
    ASSERT_TRUE(world_.migrations->EvaluateMigration(Context().get(), one, &response).ok());
    EXPECT_EQ(InShort(answers_[i].verdict()), InShort(response.verdict())) << i;
  }
}

TEST_F(PlanningApiTest, WithoutDestinationsTheSourcesAreJudged) {
  ASSERT_TRUE(Batch(BatchRequest()).ok());
  ASSERT_THAT(answers_, SizeIs(1));
  ASSERT_EQ(answers_[0].verdict().blockers_size(), 1);
  EXPECT_EQ(answers_[0].verdict().blockers(0).code(), "DESTINATION_NOT_GIVEN");
}

TEST_F(PlanningApiTest, AVmThatIsNotThereIsAnErrorAndNothingIsJudged) {
  v1::BatchEvaluateRequest request = BatchRequest();
  request.add_vms("vms/guest");
  request.add_vms("vms/nobody");
  const grpc::Status status = Batch(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("vms[1]"));
  EXPECT_THAT(answers_, IsEmpty());
}

TEST_F(PlanningApiTest, BadBatchesNameTheField) {
  v1::BatchEvaluateRequest no_modes;
  EXPECT_THAT(Batch(no_modes).error_message(), HasSubstr("allowed_modes"));
  v1::BatchEvaluateRequest many = BatchRequest();
  for (int i = 0; i < 17; ++i) {
    many.add_destinations()->mutable_same_host()->set_qmp_socket("/run/x.qmp");
  }
  EXPECT_THAT(Batch(many).error_message(), HasSubstr("destinations"));
  v1::BatchEvaluateRequest relative = BatchRequest();
  relative.add_destinations()->mutable_same_host()->set_qmp_socket("x.qmp");
  EXPECT_THAT(Batch(relative).error_message(), HasSubstr("destinations[0].same_host.qmp_socket"));
}

TEST_F(PlanningApiTest, APlanSaysWhoCanLeave) {
  v1::PlanEvacuationRequest request = PlanRequest();
  ASSERT_TRUE(Plan(request).ok());
  ASSERT_EQ(plan_.need_destination_size(), 1) << plan_.DebugString();
  v1::EvacuationTarget& target = *request.add_targets();
  target.set_vm("vms/guest");
  target.mutable_destination()->mutable_same_host()->set_qmp_socket(world_.destination());
  ASSERT_TRUE(Plan(request).ok());
  ASSERT_EQ(plan_.ready_size(), 1) << plan_.DebugString();
  EXPECT_EQ(plan_.ready(0).mode(), v1::MIGRATION_MODE_STATEFUL);
  EXPECT_EQ(plan_.ready(0).memory_bytes(), uint64_t{128} << 20);
}

TEST_F(PlanningApiTest, APlanSaysWhatToMend) {
  v1::CreateMigrationPolicyRequest hold;
  hold.set_migration_policy_id("hold");
  hold.mutable_migration_policy()->set_priority(1);
  hold.mutable_migration_policy()->mutable_hold()->set_holder("ops");
  hold.mutable_migration_policy()->mutable_hold()->set_reason("maintenance");
  v1::MigrationPolicy made;
  ASSERT_TRUE(world_.policies->CreateMigrationPolicy(Context().get(), hold, &made).ok());
  v1::PlanEvacuationRequest request = PlanRequest();
  v1::EvacuationTarget& target = *request.add_targets();
  target.set_vm("vms/guest");
  target.mutable_destination()->mutable_same_host()->set_qmp_socket(world_.destination());
  ASSERT_TRUE(Plan(request).ok());
  ASSERT_EQ(plan_.blocked_size(), 1);
  ASSERT_EQ(plan_.fixes_size(), 1);
  EXPECT_EQ(plan_.fixes(0).code(), "POLICY_HOLD");
  ASSERT_EQ(plan_.fixes(0).frees_size(), 1);
}

TEST_F(PlanningApiTest, BadPlansNameTheField) {
  v1::PlanEvacuationRequest request = PlanRequest();
  v1::EvacuationTarget& target = *request.add_targets();
  target.set_vm("vms/guest");
  EXPECT_THAT(Plan(request).error_message(), HasSubstr("targets[0].destination"));
  target.mutable_destination()->mutable_same_host()->set_qmp_socket(world_.source());
  EXPECT_THAT(Plan(request).error_message(), HasSubstr("this is the source's own"));
  target.mutable_destination()->mutable_same_host()->set_qmp_socket(world_.destination());
  *request.add_targets() = target;
  EXPECT_THAT(Plan(request).error_message(), HasSubstr("each VM once"));
}

}  // namespace
}  // namespace vuf
