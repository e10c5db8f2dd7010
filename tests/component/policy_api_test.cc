// Policies and acknowledgements through the API, and what they make of verdicts.
#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/convert/convert.h"
#include "tests/component/api_world.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::MigrationPolicy HoldPolicy() {
  v1::MigrationPolicy policy;
  policy.set_priority(10);
  policy.mutable_hold()->set_holder("storage");
  policy.mutable_hold()->set_reason("a snapshot runs");
  return policy;
}

class PolicyApiTest : public ::testing::Test {
 protected:
  PolicyApiTest() { world_.RegisterSource(); }

  grpc::Status Create(const std::string& id, const v1::MigrationPolicy& policy,
                      v1::MigrationPolicy* made = nullptr) {
    v1::CreateMigrationPolicyRequest request;
    request.set_migration_policy_id(id);
    *request.mutable_migration_policy() = policy;
    v1::MigrationPolicy answer;
    const grpc::Status status =
        world_.policies->CreateMigrationPolicy(Context().get(), request, &answer);
    if (made != nullptr) *made = answer;
    return status;
  }
  grpc::Status Update(const v1::MigrationPolicy& policy, v1::MigrationPolicy* made) {
    v1::UpdateMigrationPolicyRequest request;
    *request.mutable_migration_policy() = policy;
    return world_.policies->UpdateMigrationPolicy(Context().get(), request, made);
  }
  v1::Verdict Evaluate() {
    v1::EvaluateMigrationRequest request;
    request.set_vm("vms/guest");
    request.add_allowed_modes(v1::MIGRATION_MODE_STATEFUL);
    request.mutable_destination()->mutable_same_host()->set_qmp_socket(world_.destination());
    v1::EvaluateMigrationResponse response;
    EXPECT_TRUE(world_.migrations->EvaluateMigration(Context().get(), request, &response).ok());
    return response.verdict();
  }
  std::vector<std::string> Blockers() {
    std::vector<std::string> codes;
    const v1::Verdict verdict = Evaluate();
    for (const v1::Finding& finding : verdict.blockers()) codes.push_back(finding.code());
    return codes;
  }
  v1::ExplainPolicyResponse Explain() {
    v1::ExplainPolicyRequest request;
    request.set_vm("vms/guest");
    v1::ExplainPolicyResponse response;
    EXPECT_TRUE(world_.policies->ExplainPolicy(Context().get(), request, &response).ok());
    return response;
  }
  grpc::Status Acknowledge(const std::string& code, absl::Duration for_how_long) {
    v1::CreateAcknowledgementRequest request;
    request.set_acknowledgement_id("a");
    v1::Acknowledgement& one = *request.mutable_acknowledgement();
    one.set_vm("vms/guest");
    one.set_code(code);
    one.set_author("ann");
    one.set_reason("the guest only reads");
    *one.mutable_expire_time() = ToProto(absl::Now() + for_how_long);
    v1::Acknowledgement made;
    return world_.policies->CreateAcknowledgement(Context().get(), request, &made);
  }
  void MountDestinationReadOnly() {
    BackEndFacts back_end = SeenNow(SafeDestination().devices.value->at(0).back_end);
    back_end.share.value->mount_read_only = true;
    world_.host.SetBackEnd(back_end.socket.value->path, back_end);
  }

  ApiWorld world_;
};

TEST_F(PolicyApiTest, TheShippedPolicyAllowsAndIsNamedInTheVerdict) {
  const v1::Verdict verdict = Evaluate();
  EXPECT_EQ(verdict.decision(), v1::DECISION_ALLOW) << verdict.DebugString();
  EXPECT_THAT(verdict.policies(), ElementsAre("migrationPolicies/default@1"));
}

TEST_F(PolicyApiTest, AHoldRefusesUntilItIsDeleted) {
  ASSERT_TRUE(Create("hold", HoldPolicy()).ok());
  EXPECT_THAT(Blockers(), ElementsAre("POLICY_HOLD"));
  v1::DeleteMigrationPolicyRequest request;
  request.set_name("migrationPolicies/hold");
  v1::DeleteMigrationPolicyResponse response;
  ASSERT_TRUE(world_.policies->DeleteMigrationPolicy(Context().get(), request, &response).ok());
  EXPECT_THAT(Blockers(), IsEmpty());
}

TEST_F(PolicyApiTest, AMigrationIsRefusedInTheSameWay) {
  ASSERT_TRUE(Create("hold", HoldPolicy()).ok());
  v1::Migration migration;
  ASSERT_TRUE(
      world_.migrations->CreateMigration(Context().get(), world_.MigrationRequest("r"), &migration)
          .ok());
  EXPECT_EQ(world_.Await(migration.name()).state(), v1::Migration::STATE_REFUSED);
  EXPECT_THAT(world_.qemu.Actions(), IsEmpty());
}

TEST_F(PolicyApiTest, APolicyOutranksTheShippedOne) {
  v1::MigrationPolicy policy;
  policy.set_priority(1);
  policy.mutable_allowed_modes();
  ASSERT_TRUE(Create("none", policy).ok());
  EXPECT_THAT(Blockers(), Contains("POLICY_FORBIDS_STATEFUL"));
}

TEST_F(PolicyApiTest, RevisionsAreKeptAndNeverChange) {
  v1::MigrationPolicy made;
  ASSERT_TRUE(Create("hold", HoldPolicy(), &made).ok());
  EXPECT_EQ(made.revision(), 1u);
  v1::MigrationPolicy next = made;
  next.mutable_hold()->set_reason("another one");
  ASSERT_TRUE(Update(next, &made).ok());
  EXPECT_EQ(made.revision(), 2u);

  v1::GetMigrationPolicyRequest get;
  get.set_name(made.name());
  get.set_revision(1);
  v1::MigrationPolicy first;
  ASSERT_TRUE(world_.policies->GetMigrationPolicy(Context().get(), get, &first).ok());
  EXPECT_EQ(first.hold().reason(), "a snapshot runs");
  v1::ListMigrationPolicyRevisionsRequest list;
  list.set_name(made.name());
  v1::ListMigrationPolicyRevisionsResponse all;
  ASSERT_TRUE(world_.policies->ListMigrationPolicyRevisions(Context().get(), list, &all).ok());
  ASSERT_EQ(all.migration_policies_size(), 2);
  EXPECT_EQ(all.migration_policies(0).revision(), 2u);
}

TEST_F(PolicyApiTest, AnUpdateThatChangesNothingIsNoRevision) {
  v1::MigrationPolicy made;
  ASSERT_TRUE(Create("hold", HoldPolicy(), &made).ok());
  v1::MigrationPolicy same = HoldPolicy();
  same.set_name(made.name());
  ASSERT_TRUE(Update(same, &made).ok());
  EXPECT_EQ(made.revision(), 1u);
}

TEST_F(PolicyApiTest, AnOldEtagIsAborted) {
  v1::MigrationPolicy made;
  ASSERT_TRUE(Create("hold", HoldPolicy(), &made).ok());
  v1::MigrationPolicy stale = made;
  v1::MigrationPolicy next = made;
  next.set_description("changed");
  ASSERT_TRUE(Update(next, &made).ok());
  EXPECT_EQ(Update(stale, &made).error_code(), grpc::StatusCode::ABORTED);
}

TEST_F(PolicyApiTest, TheShippedPolicyStaysAsItIs) {
  v1::MigrationPolicy next = HoldPolicy();
  next.set_name("migrationPolicies/default");
  EXPECT_EQ(Update(next, &next).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  v1::DeleteMigrationPolicyRequest request;
  request.set_name("migrationPolicies/default");
  v1::DeleteMigrationPolicyResponse response;
  EXPECT_EQ(
      world_.policies->DeleteMigrationPolicy(Context().get(), request, &response).error_code(),
      grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(PolicyApiTest, ExplainSaysWhoDecidesWhat) {
  v1::MigrationPolicy policy;
  policy.set_priority(3);
  policy.set_max_bandwidth_bytes_per_second(1000);
  ASSERT_TRUE(Create("slow", policy).ok());
  const v1::ExplainPolicyResponse explained = Explain();
  EXPECT_THAT(explained.matching_policies(),
              ElementsAre("migrationPolicies/slow@1", "migrationPolicies/default@1"));
  bool found = false;
  for (const v1::EffectiveSetting& setting : explained.settings()) {
    if (setting.setting() != "max_bandwidth_bytes_per_second") continue;
    found = true;
    EXPECT_EQ(setting.decided_by(), "migrationPolicies/slow@1");
    EXPECT_EQ(setting.value(), "1000 B/s");
  }
  EXPECT_TRUE(found) << explained.DebugString();
  EXPECT_THAT(world_.qemu.Actions(), IsEmpty());
}

TEST_F(PolicyApiTest, AShadowPolicyOnlySaysWhatItWouldDo) {
  v1::MigrationPolicy policy = HoldPolicy();
  policy.set_enforcement(v1::ENFORCEMENT_SHADOW);
  ASSERT_TRUE(Create("next", policy).ok());
  const v1::Verdict verdict = Evaluate();
  EXPECT_EQ(verdict.decision(), v1::DECISION_ALLOW);
  EXPECT_EQ(verdict.shadow().decision(), v1::DECISION_REFUSE);
  EXPECT_THAT(verdict.shadow().added_blockers(), ElementsAre("POLICY_HOLD (request)"));
  EXPECT_THAT(world_.metrics.Text(), HasSubstr("vufd_shadow_decisions_total{changed=\"true\"} 1"));
  EXPECT_GT(Explain().shadow_settings_size(), 0);
}

TEST_F(PolicyApiTest, AnAcknowledgementTurnsItsBlockerIntoAWarning) {
  MountDestinationReadOnly();
  ASSERT_THAT(Blockers(), ElementsAre("SHARE_MOUNT_DIFFERS"));
  ASSERT_TRUE(Acknowledge("SHARE_MOUNT_DIFFERS", absl::Hours(1)).ok());
  const v1::Verdict verdict = Evaluate();
  EXPECT_EQ(verdict.decision(), v1::DECISION_ALLOW);
  ASSERT_EQ(verdict.warnings_size(), 1);
  EXPECT_THAT(verdict.warnings(0).message(), HasSubstr("Accepted by ann"));

  v1::DeleteAcknowledgementRequest request;
  request.set_name("acknowledgements/a");
  v1::DeleteAcknowledgementResponse response;
  ASSERT_TRUE(world_.policies->DeleteAcknowledgement(Context().get(), request, &response).ok());
  EXPECT_THAT(Blockers(), ElementsAre("SHARE_MOUNT_DIFFERS"));
}

TEST_F(PolicyApiTest, MostBlockersCannotBeAcknowledged) {
  const grpc::Status status = Acknowledge("SHARE_DIFFERS", absl::Hours(1));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("cannot be acknowledged"));
}

TEST_F(PolicyApiTest, AnAcknowledgementHasAnEnd) {
  for (const absl::Duration bad : {-absl::Hours(1), absl::Hours(24 * 31)}) {
    const grpc::Status status = Acknowledge("SHARE_MOUNT_DIFFERS", bad);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr("acknowledgement.expire_time"));
  }
}

TEST_F(PolicyApiTest, AVmOfTheSameNameInheritsNoAcknowledgement) {
  ASSERT_TRUE(Acknowledge("SHARE_MOUNT_DIFFERS", absl::Hours(1)).ok());
  v1::RemoveVmRequest remove;
  remove.set_name("vms/guest");
  v1::RemoveVmResponse removed;
  ASSERT_TRUE(world_.vms->RemoveVm(Context().get(), remove, &removed).ok());
  v1::ListAcknowledgementsRequest list;
  v1::ListAcknowledgementsResponse all;
  ASSERT_TRUE(world_.policies->ListAcknowledgements(Context().get(), list, &all).ok());
  EXPECT_THAT(all.acknowledgements(), IsEmpty());
}

// One bad thing each: the field's name is in the error.
TEST_F(PolicyApiTest, BadInputNamesTheField) {
  using Spoil = std::function<void(v1::MigrationPolicy&)>;
  const std::pair<const char*, Spoil> bad[] = {
      {"migration_policy.priority", [](auto& p) { p.set_priority(0); }},
      {"migration_policy.priority", [](auto& p) { p.set_priority(1001); }},
      {"it has no setting", [](auto& p) { p.clear_hold(); }},
      {"migration_policy.hold.holder", [](auto& p) { p.mutable_hold()->clear_holder(); }},
      {"migration_policy.hold.reason", [](auto& p) { p.mutable_hold()->clear_reason(); }},
      {"selector.vms[0]", [](auto& p) { p.mutable_selector()->add_vms("guest"); }},
      {"selector.back_end_kinds[0]",
       [](auto& p) { p.mutable_selector()->add_back_end_kinds("virtiofs"); }},
      {"selector.back_end_min_version",
       [](auto& p) { p.mutable_selector()->set_back_end_min_version("new"); }},
      {"allowed_modes.modes",
       [](auto& p) { p.mutable_allowed_modes()->add_modes(v1::MIGRATION_MODE_NONE); }},
      {"allowed_scopes.scopes",
       [](auto& p) { p.mutable_allowed_scopes()->add_scopes(v1::MIGRATION_SCOPE_UNSPECIFIED); }},
      {"max_downtime", [](auto& p) { p.mutable_max_downtime()->set_seconds(3000); }},
      {"max_timeout", [](auto& p) { p.mutable_max_timeout()->set_nanos(1); }},
      {"convergence[0].after", [](auto& p) { p.add_convergence()->set_cancel(true); }},
      {"convergence[0]", [](auto& p) { p.add_convergence()->mutable_after()->set_seconds(1); }},
      {"windows[0].duration", [](auto& p) { p.add_windows()->set_start("22:00"); }},
      {"windows[0].start",
       [](auto& p) {
         p.add_windows()->mutable_duration()->set_seconds(3600);
         p.mutable_windows(0)->set_start("25:00");
       }},
      {"windows[0].time_zone",
       [](auto& p) {
         p.add_windows()->mutable_duration()->set_seconds(3600);
         p.mutable_windows(0)->set_start("22:00");
         p.mutable_windows(0)->set_time_zone("Mars/Olympus");
       }},
      {"windows[0].days",
       [](auto& p) {
         p.add_windows()->mutable_duration()->set_seconds(3600);
         p.mutable_windows(0)->add_days(8);
       }},
      {"warning_overrides[0].code",
       [](auto& p) {
         p.add_warning_overrides()->set_code("SHARE_DIFFERS");
         p.mutable_warning_overrides(0)->set_action(v1::WarningOverride::ACTION_HIDE);
       }},
      {"warning_overrides[0].action",
       [](auto& p) { p.add_warning_overrides()->set_code("SANDBOX_DIFFERS"); }},
      {"migration_policy.replaces", [](auto& p) { p.set_replaces("migrationPolicies/default"); }},
      {"migration_policy.replaces",
       [](auto& p) {
         p.set_enforcement(v1::ENFORCEMENT_SHADOW);
         p.set_replaces("migrationPolicies/nobody");
       }},
  };
  for (const auto& [field, spoil] : bad) {
    SCOPED_TRACE(field);
    v1::MigrationPolicy policy = HoldPolicy();
    spoil(policy);
    const grpc::Status status = Create("p", policy);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr(field));
  }
  EXPECT_THAT(Blockers(), IsEmpty()) << "nothing of it is in force";
}

TEST_F(PolicyApiTest, ARetriedCreateIsAnsweredAndAnotherOneIsNot) {
  ASSERT_TRUE(Create("hold", HoldPolicy()).ok());
  EXPECT_EQ(Create("hold", HoldPolicy()).error_code(), grpc::StatusCode::ALREADY_EXISTS);
}

}  // namespace
}  // namespace vuf
