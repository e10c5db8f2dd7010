// What watchers of endpoints see.
#include "absl/strings/str_cat.h"
#include "server/registry/registry.h"
#include "server/registry/registry_test_util.h"

namespace vuf {
namespace {

class EndpointHistoryTest : public RegistryTest {
 protected:
  uint64_t Revision() const { return registry_->snapshot()->revision; }
  void SetLabel(const std::string& value) {
    ASSERT_TRUE(registry_
                    ->UpdateEndpoint(
                        "endpoints/e",
                        [&](v1::Endpoint& endpoint) {
                          (*endpoint.mutable_labels())["k"] = value;
                          return absl::OkStatus();
                        },
                        Soon())
                    .ok());
  }
};

TEST_F(EndpointHistoryTest, ChangesComeInOrderFromTheRevisionAskedFor) {
  const uint64_t start = Revision();
  ASSERT_TRUE(Create(MakeEndpoint("e")).ok());
  const uint64_t created = Revision();
  ASSERT_TRUE(Create(MakeVm("between")).ok());
  SetLabel("1");
  ASSERT_TRUE(registry_->DeleteEndpoint("endpoints/e", "", Soon()).ok());

  const auto all = registry_->EndpointChangesSince(start);
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->size(), 3u);
  EXPECT_EQ((*all)[0].revision, created);
  EXPECT_EQ((*all)[1].endpoint.labels().at("k"), "1");
  EXPECT_TRUE((*all)[2].deleted);
  EXPECT_EQ((*all)[2].endpoint.name(), "endpoints/e");
  EXPECT_LT((*all)[1].revision, (*all)[2].revision);
  EXPECT_EQ((*all)[2].revision, Revision());
  EXPECT_EQ(registry_->EndpointChangesSince(created)->size(), 2u);
  EXPECT_EQ(registry_->EndpointChangesSince(Revision())->size(), 0u);
}

TEST_F(EndpointHistoryTest, UpdateThatChangesNothingIsNoChange) {
  ASSERT_TRUE(Create(MakeEndpoint("e")).ok());
  SetLabel("1");
  const uint64_t revision = Revision();
  const auto writes = store_.writes();
  SetLabel("1");
  EXPECT_EQ(Revision(), revision);
  EXPECT_EQ(store_.writes(), writes);
}

TEST_F(EndpointHistoryTest, RevisionsAheadAndOfAnEarlierRunAreOutOfRange) {
  ASSERT_TRUE(Create(MakeEndpoint("e")).ok());
  EXPECT_TRUE(absl::IsOutOfRange(registry_->EndpointChangesSince(Revision() + 1).status()));
  const uint64_t earlier_run = Revision();
  clock_.Advance(absl::Seconds(1));
  Reopen();
  EXPECT_TRUE(absl::IsOutOfRange(registry_->EndpointChangesSince(earlier_run).status()));
}

TEST_F(EndpointHistoryTest, ForgottenChangesAreOutOfRangeAndNeverAGap) {
  ASSERT_TRUE(Create(MakeEndpoint("e")).ok());
  const uint64_t created = Revision();
  for (int i = 0; i < 4096; ++i) SetLabel(absl::StrCat(i));
  EXPECT_EQ(registry_->EndpointChangesSince(created)->size(), 4096u);
  SetLabel("one more");
  EXPECT_TRUE(absl::IsOutOfRange(registry_->EndpointChangesSince(created).status()));
  const auto rest = registry_->EndpointChangesSince(created + 1);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(rest->front().revision, created + 2);
  EXPECT_EQ(rest->size(), 4096u);
}

TEST_F(EndpointHistoryTest, SubscribersAreToldOfPublishedChangesUntilTheyLeave) {
  int calls = 0;
  const uint64_t id = registry_->Subscribe([&] { ++calls; });
  ASSERT_TRUE(Create(MakeEndpoint("e")).ok());
  store_.FailWrites(absl::ResourceExhaustedError("disk full"));
  ASSERT_FALSE(Create(MakeEndpoint("f")).ok());
  ASSERT_TRUE(Create(MakeEndpoint("g")).ok());
  registry_->Unsubscribe(id);
  EXPECT_GE(calls, 1);
  const int before = calls;
  ASSERT_TRUE(Create(MakeEndpoint("h")).ok());
  EXPECT_EQ(calls, before);
  EXPECT_LE(calls, 2);
}

}  // namespace
}  // namespace vuf
