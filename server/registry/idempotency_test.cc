// The same request id gives the same answer.
#include "absl/strings/str_cat.h"
#include "server/registry/registry.h"
#include "server/registry/registry_test_util.h"

namespace vuf {
namespace {

using testing::HasSubstr;

TEST_F(RegistryTest, RetryGetsTheFirstAnswerAlsoAfterReopen) {
  const absl::StatusOr<v1::Vm> first = Create(MakeVm("a"), Key("r1"));
  ASSERT_TRUE(first.ok());
  for (int i = 0; i < 2; ++i) {
    const absl::StatusOr<v1::Vm> again = Create(MakeVm("a"), Key("r1"));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->SerializeAsString(), first->SerializeAsString());
    const auto replay = registry_->Replay(Key("r1"));
    ASSERT_TRUE(replay.ok());
    EXPECT_EQ(*replay, first->SerializeAsString());
    Reopen();
  }
}

TEST_F(RegistryTest, AnswerIsKeptWhenTheRecordIsGone) {
  const std::string etag = Create(MakeVm("a"), Key("r1"))->etag();
  ASSERT_TRUE(registry_->DeleteVm("vms/a", "", Soon()).ok());
  EXPECT_EQ(Create(MakeVm("a"), Key("r1"))->etag(), etag);
  EXPECT_EQ(registry_->snapshot()->vms.size(), 0u);
}

TEST_F(RegistryTest, OtherArgumentsWithTheSameIdAreRefused) {
  ASSERT_TRUE(Create(MakeVm("a"), Key("r1")).ok());
  const auto other = Create(MakeVm("b"), Key("r1", "other digest"));
  EXPECT_TRUE(absl::IsAlreadyExists(other.status()));
  EXPECT_THAT(MessageOf(other), HasSubstr("r1"));
  EXPECT_TRUE(absl::IsAlreadyExists(registry_->Replay(Key("r1", "other digest")).status()));
  EXPECT_EQ(registry_->snapshot()->vms.size(), 1u);
}

TEST_F(RegistryTest, IdsOfOtherMethodsAndNoIdAreIndependent) {
  ASSERT_TRUE(Create(MakeVm("a"), Key("r1")).ok());
  EXPECT_FALSE(registry_->Replay({"Service.Other", "r1", "d"})->has_value());
  EXPECT_FALSE(registry_->Replay(Key(""))->has_value());
  ASSERT_TRUE(Create(MakeVm("b"), Key("")).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(Create(MakeVm("b"), Key("")).status()));
}

TEST_F(RegistryTest, AnswersAreForgottenAfterAnHourAndTheirRowsGo) {
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(Create(MakeVm(absl::StrCat(i)), Key(absl::StrCat("r", i))).ok());
  }
  clock_.Advance(absl::Minutes(59));
  EXPECT_TRUE(registry_->Replay(Key("r1"))->has_value());
  clock_.Advance(absl::Minutes(1));
  EXPECT_FALSE(registry_->Replay(Key("r1"))->has_value());
  ASSERT_TRUE(Create(MakeVm("new"), Key("r1")).ok());
  EXPECT_EQ(store_.ReadAll(Table::kRequests)->size(), 1u);
  Reopen();
  EXPECT_TRUE(registry_->Replay(Key("r1"))->has_value());
}

TEST_F(RegistryTest, FailedRequestIsNotRemembered) {
  store_.FailWrites(absl::ResourceExhaustedError("disk full"));
  ASSERT_FALSE(Create(MakeVm("a"), Key("r1")).ok());
  EXPECT_FALSE(registry_->Replay(Key("r1"))->has_value());
  EXPECT_TRUE(Create(MakeVm("a"), Key("r1")).ok());
}

TEST_F(RegistryTest, RecordAndAnswerAreWrittenTogether) {
  ASSERT_TRUE(Create(MakeVm("a"), Key("r1")).ok());
  EXPECT_EQ(store_.writes(), std::vector<size_t>{2});
}

TEST_F(RegistryTest, RowsOfOthersInTheTableOfRequestsAreLeftAlone) {
  ASSERT_TRUE(store_.Write({{Table::kRequests, "migrator:x", "not ours"}}).ok());
  Reopen();
  ASSERT_TRUE(Create(MakeVm("a"), Key("r1")).ok());
  clock_.Advance(absl::Hours(2));
  ASSERT_TRUE(Create(MakeVm("b"), Key("r2")).ok());
  EXPECT_EQ(store_.ReadAll(Table::kRequests)->size(), 2u);
}

TEST(RequestKeyTest, DigestCoversEverythingButTheId) {
  v1::RegisterVmRequest request;
  request.set_vm_id("a");
  (*request.mutable_vm()->mutable_labels())["k1"] = "v";
  (*request.mutable_vm()->mutable_labels())["k2"] = "v";
  request.set_request_id("one");
  v1::RegisterVmRequest same;
  (*same.mutable_vm()->mutable_labels())["k2"] = "v";
  (*same.mutable_vm()->mutable_labels())["k1"] = "v";
  same.set_vm_id("a");
  same.set_request_id("two");
  const RequestKey key = MakeRequestKey("VmService.RegisterVm", request);
  EXPECT_EQ(key.method, "VmService.RegisterVm");
  EXPECT_EQ(key.request_id, "one");
  EXPECT_EQ(MakeRequestKey("m", same).arguments_digest, key.arguments_digest);
  same.mutable_vm()->set_qmp_socket("/x");
  EXPECT_NE(MakeRequestKey("m", same).arguments_digest, key.arguments_digest);
}

// Stored digests are compared with those of later builds.
TEST(RequestKeyTest, DigestIsTheSameInEveryBuild) {
  v1::RegisterVmRequest request;
  EXPECT_EQ(MakeRequestKey("m", request).arguments_digest, "6c62272e07bb014262b821756295c58d");
  request.set_vm_id("a");
  EXPECT_EQ(MakeRequestKey("m", request).arguments_digest, "a68c0552fd8b5822836dbc78e8c941df");
}

}  // namespace
}  // namespace vuf
