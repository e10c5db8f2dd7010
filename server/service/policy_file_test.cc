#include "server/service/policy_file.h"

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/store/fake_store.h"
#include "tests/testing/temp_directory.h"

namespace vuf {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Policy(const std::string& id, int priority = 5) {
  return absl::StrCat("migration_policies { name: \"migrationPolicies/", id,
                      "\" priority: ", priority, " max_concurrent: 1 }\n");
}

class PolicyFileTest : public ::testing::Test {
 protected:
  PolicyFileTest() { OpenRegistry(); }
  void OpenRegistry() {
    registry_.reset();
    registry_ = *Registry::Open(&store_, &clock_, {});
  }
  // As the kubelet does it.
  void Write(const std::string& text) {
    std::ofstream(directory_.Path("next")) << text;
    std::filesystem::rename(directory_.Path("next"), path_);
  }
  absl::Status Open(const std::string& path) {
    PolicyFile::Events events;
    events.taken = [this](const std::string& digest) { taken_.push_back(digest); };
    events.refused = [this](const absl::Status& why) { refused_.emplace_back(why.message()); };
    auto opened = PolicyFile::Open(path, registry_.get(), &clock_, std::move(events));
    if (!opened.ok()) return opened.status();
    file_ = *std::move(opened);
    return absl::OkStatus();
  }
  // Without the one that comes with vufd: "NAME@REVISION".
  std::vector<std::string> InForce() const {
    std::vector<std::string> all;
    for (const auto& [name, policy] : registry_->snapshot()->policies) {
      if (!policy.shipped()) all.push_back(absl::StrCat(name, "@", policy.revision()));
    }
    return all;
  }
  absl::Status CreateByApi(const std::string& id) {
    v1::MigrationPolicy policy;
    policy.set_name("migrationPolicies/" + id);
    policy.set_priority(7);
    return registry_->CreatePolicy(policy, {}, Soon()).status();
  }
  absl::Time Soon() const { return clock_.Now() + absl::Seconds(30); }

  TempDirectory directory_;
  const std::string path_ = directory_.Path("policies");
  FakeStore store_;
  FakeClock clock_{absl::FromUnixSeconds(1'700'000'000)};
  std::unique_ptr<Registry> registry_;
  std::vector<std::string> taken_;
  std::vector<std::string> refused_;
  std::unique_ptr<PolicyFile> file_;
};

TEST_F(PolicyFileTest, ItsPoliciesAreInForceAndSayWhereTheyComeFrom) {
  Write(Policy("a") + Policy("b"));
  ASSERT_TRUE(Open(path_).ok());
  EXPECT_THAT(InForce(), ElementsAre("migrationPolicies/a@1", "migrationPolicies/b@1"));
  const v1::MigrationPolicy& policy = registry_->snapshot()->policies.at("migrationPolicies/a");
  EXPECT_TRUE(policy.from_file());
  EXPECT_EQ(policy.actor(), "policy_file");
  EXPECT_THAT(taken_, ElementsAre(SizeIs(64)));
}

TEST_F(PolicyFileTest, AChangeIsTakenAsAWhole) {
  Write(Policy("gone") + Policy("changed") + Policy("same"));
  ASSERT_TRUE(Open(path_).ok());
  Write(Policy("same") + Policy("changed", 6) + Policy("new"));
  file_->Poll();
  EXPECT_THAT(InForce(), ElementsAre("migrationPolicies/changed@2", "migrationPolicies/new@1",
                                     "migrationPolicies/same@1"));
  EXPECT_THAT(taken_, SizeIs(2));
  EXPECT_NE(taken_[0], taken_[1]);
}

TEST_F(PolicyFileTest, WhatHasAnErrorIsToldOnceAndChangesNothing) {
  Write(Policy("a"));
  ASSERT_TRUE(Open(path_).ok());
  for (const char* const bad :
       {"migration_policies {", "migration_policies { name: \"migrationPolicies/b\" }",
        "migration_policies { name: \"b\" priority: 1 max_concurrent: 1 }"}) {
    refused_.clear();
    Write(Policy("c") + bad);
    file_->Poll();
    file_->Poll();
    EXPECT_THAT(refused_, ElementsAre(HasSubstr(absl::StrCat("policy_file \"", path_, "\":\n"))))
        << bad;
    EXPECT_THAT(InForce(), ElementsAre("migrationPolicies/a@1"));
  }
  std::filesystem::remove(path_);
  file_->Poll();
  EXPECT_THAT(InForce(), ElementsAre("migrationPolicies/a@1"));
}

TEST_F(PolicyFileTest, EveryErrorNamesItsPolicyAndField) {
  const auto parsed = ParsePolicies(
      Policy("a") + "migration_policies { name: \"migrationPolicies/b\" priority: 2000 }" +
      Policy("a") + "migration_policies { name: \"c\" }");
  EXPECT_THAT(std::string(parsed.status().message()),
              AllOf(HasSubstr("migration_policies[1].priority: \"2000\""),
                    HasSubstr("migration_policies[2].name: \"migrationPolicies/a\" is there twice"),
                    HasSubstr("migration_policies[3].name: \"c\"")));
}

TEST_F(PolicyFileTest, LastGoodOnesStayOverARestartWithABadFile) {
  Write(Policy("a"));
  ASSERT_TRUE(Open(path_).ok());
  file_.reset();
  OpenRegistry();
  Write("garbage");
  EXPECT_TRUE(Open(path_).ok());
  EXPECT_THAT(refused_, SizeIs(1));
  EXPECT_THAT(InForce(), ElementsAre("migrationPolicies/a@1"));
}

TEST_F(PolicyFileTest, WithoutAGoodOneABadOneIsAnErrorAtTheStart) {
  EXPECT_THAT(std::string(Open(path_).message()), HasSubstr("cannot open"));
  Write("garbage");
  EXPECT_THAT(std::string(Open(path_).message()), HasSubstr(path_));
}

TEST_F(PolicyFileTest, WithoutAFileWhatCameFromOneGoes) {
  Write(Policy("a"));
  ASSERT_TRUE(Open(path_).ok());
  ASSERT_TRUE(CreateByApi("by-api").ok());
  ASSERT_TRUE(Open("").ok());
  EXPECT_THAT(InForce(), ElementsAre("migrationPolicies/by-api@1"));
  EXPECT_THAT(taken_, SizeIs(1));
}

TEST_F(PolicyFileTest, OnlyTheFileChangesItsPolicies) {
  Write(Policy("a"));
  ASSERT_TRUE(Open(path_).ok());
  const auto updated = registry_->UpdatePolicy(
      "migrationPolicies/a",
      [](v1::MigrationPolicy& policy) {
        policy.clear_from_file();
        policy.set_priority(9);
        return absl::OkStatus();
      },
      Soon());
  EXPECT_TRUE(absl::IsFailedPrecondition(updated.status()));
  EXPECT_THAT(std::string(updated.status().message()), HasSubstr("policy_file"));
  EXPECT_TRUE(
      absl::IsFailedPrecondition(registry_->DeletePolicy("migrationPolicies/a", "", Soon())));
  EXPECT_THAT(InForce(), ElementsAre("migrationPolicies/a@1"));
}

TEST_F(PolicyFileTest, ANameThatTheApiHasGivenIsNotTakenUntilItIsFree) {
  ASSERT_TRUE(CreateByApi("b").ok());
  Write(Policy("a"));
  ASSERT_TRUE(Open(path_).ok());
  Write(Policy("c") + Policy("b"));
  file_->Poll();
  EXPECT_THAT(refused_, ElementsAre(HasSubstr("migrationPolicies/b")));
  EXPECT_THAT(InForce(), ElementsAre("migrationPolicies/a@1", "migrationPolicies/b@1"));
  ASSERT_TRUE(registry_->DeletePolicy("migrationPolicies/b", "", Soon()).ok());
  file_->Poll();
  EXPECT_THAT(InForce(), ElementsAre("migrationPolicies/b@1", "migrationPolicies/c@1"));
  EXPECT_THAT(refused_, SizeIs(1));
}

TEST_F(PolicyFileTest, WhatTheDiskDidNotTakeIsTriedAgain) {
  Write(Policy("a"));
  ASSERT_TRUE(Open(path_).ok());
  Write(Policy("b"));
  store_.FailWrites(absl::ResourceExhaustedError("the disk is full"));
  file_->Poll();
  EXPECT_THAT(refused_, ElementsAre(HasSubstr("the disk is full")));
  EXPECT_THAT(InForce(), ElementsAre("migrationPolicies/a@1"));
  file_->Poll();
  EXPECT_THAT(InForce(), ElementsAre("migrationPolicies/b@1"));
}

TEST_F(PolicyFileTest, ShadowMayReplaceAnotherOfTheFile) {
  Write(Policy("a") +
        "migration_policies { name: \"migrationPolicies/b\" priority: 5 max_concurrent: 2 "
        "enforcement: ENFORCEMENT_SHADOW replaces: \"migrationPolicies/a\" }");
  ASSERT_TRUE(Open(path_).ok());
  Write(Policy("c") +
        "migration_policies { name: \"migrationPolicies/b\" priority: 5 max_concurrent: 2 "
        "enforcement: ENFORCEMENT_SHADOW replaces: \"migrationPolicies/a\" }");
  file_->Poll();
  EXPECT_THAT(refused_, ElementsAre(HasSubstr("migrationPolicies/a")));
  EXPECT_THAT(InForce(), ElementsAre("migrationPolicies/a@1", "migrationPolicies/b@1"));
}

}  // namespace
}  // namespace vuf
