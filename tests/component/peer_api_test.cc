// Two agents over real gRPC, and what users see of a migration from one to the other.
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"
#include "server/peer/grpc_peer.h"
#include "tests/component/api_world.h"
#include "tests/testing/safe_facts.h"
#include "tests/testing/temp_directory.h"
#include "vuf/v1/peer.grpc.pb.h"

namespace vuf {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kA[] = "a.example:7443";
constexpr char kB[] = "b.example:7443";

class PeerApiTest : public ::testing::Test {
 protected:
  PeerApiTest() { a_.RegisterSource(); }

  // Whoever runs the test is an agent, too.
  ApiWorld::Options OptionsFor(HypervisorConnector* connector, const PeerSide& peers) {
    const std::string path = directory_.Path("roles.textproto");
    std::ofstream(path) << "bindings { identity: \"uid:" << getuid()
                        << "\" roles: ROLE_OPERATOR roles: ROLE_POLICY_ADMIN roles: ROLE_PEER }\n";
    ApiWorld::Options options;
    options.connector = connector;
    options.roles_file = path;
    options.peers = peers;
    return options;
  }
  std::shared_ptr<grpc::Channel> ChannelTo(const std::string& agent) {
    if (agent == kA) return a_.channel;
    if (agent == kB) return b_.channel;
    return grpc::CreateChannel("unix:" + a_.directory.Path("nobody"),
                               grpc::InsecureChannelCredentials());
  }
  static void Allow(ApiWorld& host, const std::vector<v1::MigrationScope>& scopes) {
    v1::CreateMigrationPolicyRequest request;
    request.set_migration_policy_id("scopes");
    v1::MigrationPolicy& policy = *request.mutable_migration_policy();
    policy.set_priority(10);
    policy.mutable_allowed_scopes();
    for (const v1::MigrationScope scope : scopes) {
      policy.mutable_allowed_scopes()->add_scopes(scope);
    }
    v1::MigrationPolicy made;
    const grpc::Status status =
        host.policies->CreateMigrationPolicy(Context().get(), request, &made);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  void AllowBoth() {
    for (ApiWorld* host : {&a_, &b_}) Allow(*host, {v1::MIGRATION_SCOPE_OTHER_HOST});
  }
  v1::EvaluateMigrationRequest EvaluateRequest(const std::string& agent = kB) const {
    v1::EvaluateMigrationRequest request;
    request.set_vm("vms/guest");
    request.add_allowed_modes(v1::MIGRATION_MODE_STATEFUL);
    request.mutable_destination()->mutable_other_host()->set_agent(agent);
    request.mutable_destination()->mutable_other_host()->set_qmp_socket(a_.destination());
    return request;
  }
  v1::Verdict Evaluate(const v1::EvaluateMigrationRequest& request) {
    v1::EvaluateMigrationResponse response;
    const grpc::Status status =
        a_.migrations->EvaluateMigration(Context().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.verdict();
  }
  static std::vector<std::string> Codes(const v1::Verdict& verdict) {
    std::vector<std::string> codes;
    for (const v1::Finding& finding : verdict.blockers()) codes.push_back(finding.code());
    return codes;
  }
  v1::CreateMigrationRequest MigrationRequest() const {
    v1::CreateMigrationRequest request = a_.MigrationRequest("r1");
    *request.mutable_migration()->mutable_destination() = EvaluateRequest().destination();
    return request;
  }
  v1::Migration Migrate(const v1::CreateMigrationRequest& request) {
    v1::Migration migration;
    const grpc::Status status =
        a_.migrations->CreateMigration(Context().get(), request, &migration);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return a_.Await(migration.name());
  }

  TempDirectory directory_;
  // Each asks the other, once both are there.
  GrpcPeer from_a_{[this](const std::string& agent) { return ChannelTo(agent); }};
  GrpcPeer from_b_{[this](const std::string& agent) { return ChannelTo(agent); }};
  ApiWorld a_{OptionsFor(nullptr, {&from_a_, kA})};
  ApiWorld b_{OptionsFor(&a_.qemu, {&from_b_, kB})};
};

TEST_F(PeerApiTest, ByDefaultNothingLeavesAHost) {
  EXPECT_THAT(Codes(Evaluate(EvaluateRequest())),
              ElementsAre("OTHER_HOST_REFUSES", "POLICY_FORBIDS_SCOPE"))
      << "and the other agent's own policy says the same";
}

TEST_F(PeerApiTest, EachHostsPolicyCounts) {
  Allow(a_, {v1::MIGRATION_SCOPE_OTHER_HOST});
  const v1::Verdict verdict = Evaluate(EvaluateRequest());
  ASSERT_THAT(Codes(verdict), ElementsAre("OTHER_HOST_REFUSES"));
  EXPECT_THAT(verdict.blockers(0).message(),
              AllOf(HasSubstr(kB), HasSubstr("POLICY_FORBIDS_SCOPE")));
}

TEST_F(PeerApiTest, AllowedByBothItMoves) {
  AllowBoth();
  const v1::Verdict verdict = Evaluate(EvaluateRequest());
  EXPECT_EQ(verdict.decision(), v1::DECISION_ALLOW) << verdict.DebugString();
  ASSERT_EQ(verdict.warnings_size(), 1);
  EXPECT_EQ(verdict.warnings(0).code(), "STREAM_NOT_ENCRYPTED");

  const v1::Migration migration = Migrate(MigrationRequest());
  EXPECT_EQ(migration.state(), v1::Migration::STATE_SUCCEEDED) << migration.message();
  EXPECT_EQ(a_.qemu.RunState(a_.destination()), "running");
  v1::GetVmRequest get;
  get.set_name("vms/guest");
  v1::Vm vm;
  EXPECT_EQ(a_.vms->GetVm(Context().get(), get, &vm).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_TRUE(b_.vms->GetVm(Context().get(), get, &vm).ok());

  v1::ListReservationsResponse list;
  const auto peer = v1::PeerService::NewStub(b_.channel);
  EXPECT_TRUE(peer->ListReservations(Context().get(), v1::ListReservationsRequest(), &list).ok());
  ASSERT_EQ(list.reservations_size(), 1);
  EXPECT_EQ(list.reservations(0).name(), migration.reservation());
  EXPECT_EQ(list.reservations(0).state(), v1::Reservation::STATE_DONE);
}

// Tsirkin's case: what was permitted for a restart on this host is none for another.
TEST_F(PeerApiTest, AVerdictForThisHostIsNoneForAnother) {
  for (ApiWorld* host : {&a_, &b_}) {
    Allow(*host, {v1::MIGRATION_SCOPE_SAME_HOST, v1::MIGRATION_SCOPE_OTHER_HOST});
  }
  v1::EvaluateMigrationRequest here = EvaluateRequest();
  here.mutable_destination()->mutable_same_host()->set_qmp_socket(a_.destination());
  const v1::Verdict same_host = Evaluate(here);
  ASSERT_EQ(same_host.decision(), v1::DECISION_ALLOW) << same_host.DebugString();

  v1::CreateMigrationRequest request = MigrationRequest();
  request.mutable_migration()->set_required_fingerprint(same_host.fingerprint());
  const v1::Migration migration = Migrate(request);
  EXPECT_EQ(migration.state(), v1::Migration::STATE_FAILED);
  EXPECT_THAT(migration.message(), HasSubstr("ABORTED: required_fingerprint"));
  EXPECT_EQ(a_.qemu.RunState(a_.source()), "running");
  EXPECT_EQ(a_.qemu.MigrationStatus(a_.source()), "") << "nothing was begun";
}

TEST_F(PeerApiTest, TheStatelessModeStaysOnItsHost) {
  AllowBoth();
  v1::EvaluateMigrationRequest request = EvaluateRequest();
  request.clear_allowed_modes();
  request.add_allowed_modes(v1::MIGRATION_MODE_STATELESS);
  EXPECT_THAT(Codes(Evaluate(request)), Contains("STATELESS_NEEDS_SAME_HOST"));
}

TEST_F(PeerApiTest, NobodyAnswersThere) {
  AllowBoth();
  const v1::Verdict verdict = Evaluate(EvaluateRequest("c.example:7443"));
  EXPECT_EQ(verdict.decision(), v1::DECISION_REFUSE);
  EXPECT_THAT(verdict.DebugString(), HasSubstr("vufd at c.example:7443"));
}

TEST_F(PeerApiTest, BadDestinationsAreNamed) {
  for (const char* agent : {"", "b.example", "unix:/run/x", "b.example:0"}) {
    v1::EvaluateMigrationResponse response;
    const grpc::Status status =
        a_.migrations->EvaluateMigration(Context().get(), EvaluateRequest(agent), &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << agent;
    EXPECT_THAT(status.error_message(), HasSubstr("destination.other_host.agent")) << agent;
  }
}

TEST_F(PeerApiTest, AnUpgradeStaysOnItsHost) {
  v1::UpgradeVmRequest request;
  request.set_vm("vms/guest");
  request.set_request_id("r1");
  *request.mutable_destination() = EvaluateRequest().destination();
  v1::Migration migration;
  const grpc::Status status = a_.migrations->UpgradeVm(Context().get(), request, &migration);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("stays on its host"));
}

TEST_F(PeerApiTest, AnAgentThatIsNotSetUpSaysSo) {
  ApiWorld alone(OptionsFor(nullptr, {}));
  alone.RegisterSource();
  v1::EvaluateMigrationResponse response;
  ASSERT_TRUE(
      alone.migrations->EvaluateMigration(Context().get(), EvaluateRequest(), &response).ok());
  EXPECT_THAT(response.verdict().DebugString(), HasSubstr("peer.address"));
  const auto peer = v1::PeerService::NewStub(alone.channel);
  v1::JudgeIncomingResponse judged;
  EXPECT_EQ(peer->JudgeIncoming(Context().get(), v1::JudgeIncomingRequest(), &judged).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(PeerApiTest, FactsThatAreNoneAreRefused) {
  const auto peer = v1::PeerService::NewStub(b_.channel);
  v1::JudgeIncomingRequest request;
  v1::IncomingMigration& incoming = *request.mutable_incoming();
  incoming.set_source_agent(kA);
  incoming.set_vm("vms/guest");
  incoming.set_qmp_socket(a_.destination());
  incoming.set_source_facts("nonsense");
  v1::JudgeIncomingResponse response;
  const grpc::Status status = peer->JudgeIncoming(Context().get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("source_facts"));
}

}  // namespace
}  // namespace vuf
