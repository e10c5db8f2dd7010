#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/profile/profile.h"

namespace vuf {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

v1::BackEndProfile Profile(const std::string& id, const std::string& executable) {
  v1::BackEndProfile profile;
  profile.set_name("backEndProfiles/" + id);
  profile.set_executable_name(executable);
  profile.set_kind("own");
  profile.add_modes(v1::MIGRATION_MODE_STATEFUL);
  return profile;
}

BackEndFacts BackEnd(const std::string& executable) {
  BackEndFacts facts;
  facts.executable = Known(executable, Source::kProcfs, kNow);
  facts.version_line = Known<std::string>("own 2.5.0", Source::kBackEndExecutable, kNow);
  facts.version = Known(Version{2, 5, 0}, Source::kBackEndExecutable, kNow);
  return facts;
}

class ApplyProfilesTest : public testing::Test {
 protected:
  void Add(const v1::BackEndProfile& profile) { profiles_[profile.name()] = profile; }
  void Apply(const std::string& declared = "") { ApplyProfiles(profiles_, declared, kNow, facts_); }
  void ExpectRefused(const testing::Matcher<std::string>& why) {
    EXPECT_FALSE(facts_.profile_modes.known());
    EXPECT_THAT(facts_.profile_modes.detail, why);
    EXPECT_FALSE(facts_.kind.known()) << "a kind without a matching profile";
  }

  std::map<std::string, v1::BackEndProfile> profiles_;
  BackEndFacts facts_ = BackEnd("/opt/bin/ownd");
};

TEST_F(ApplyProfilesTest, MatchSetsModesAndKind) {
  Add(Profile("own", "ownd"));
  Apply();
  ASSERT_TRUE(facts_.profile_modes.known()) << facts_.profile_modes.detail;
  EXPECT_EQ(*facts_.profile_modes.value,
            (BackEndFacts::ProfileModes{false, true, "backEndProfiles/own"}));
  EXPECT_EQ(facts_.profile_modes.source, Source::kProfile);
  EXPECT_EQ(facts_.profile_modes.observed_at, kNow);
  EXPECT_EQ(facts_.kind.value, BackEndKind::kProfiled);
}

TEST_F(ApplyProfilesTest, NoProfileIsUnknownAndNamesTheExecutable) {
  Add(Profile("other", "otherd"));
  Apply();
  ExpectRefused(AllOf(HasSubstr("no profile names this executable"), HasSubstr("/opt/bin/ownd")));
}

TEST_F(ApplyProfilesTest, ExecutableIsComparedAsAWhole) {
  Add(Profile("own", "own"));
  Apply();
  ExpectRefused(HasSubstr("no profile names this executable"));
}

TEST_F(ApplyProfilesTest, UnknownExecutableIsUnknown) {
  Add(Profile("own", "ownd"));
  facts_.executable = Unknown<std::string>("permission denied");
  Apply();
  ExpectRefused(HasSubstr("permission denied"));
}

TEST_F(ApplyProfilesTest, BoundsAreInclusiveBelowAndExclusiveAbove) {
  v1::BackEndProfile profile = Profile("own", "ownd");
  profile.set_min_version("2.5");
  profile.set_version_limit("3.0");
  Add(profile);
  const struct {
    Version version;
    bool match;
  } cases[] = {{{2, 4, 9}, false}, {{2, 5, 0}, true}, {{2, 99, 99}, true}, {{3, 0, 0}, false}};
  for (const auto& c : cases) {
    facts_ = BackEnd("/opt/bin/ownd");
    facts_.version = Known(c.version, Source::kBackEndExecutable, kNow);
    Apply();
    EXPECT_EQ(facts_.profile_modes.known(), c.match) << c.version.ToString();
  }
}

TEST_F(ApplyProfilesTest, UnknownVersionIsUnknownModes) {
  v1::BackEndProfile profile = Profile("own", "ownd");
  profile.set_min_version("1.0");
  Add(profile);
  facts_.version = Unknown<Version>("--version timed out");
  Apply();
  ExpectRefused(HasSubstr("--version timed out"));
}

TEST_F(ApplyProfilesTest, UnknownVersionLineIsUnknownModes) {
  v1::BackEndProfile profile = Profile("own", "ownd");
  profile.set_version_prefix("own ");
  Add(profile);
  facts_.version_line = Unknown<std::string>("not run");
  Apply();
  ExpectRefused(HasSubstr("what --version prints is unknown: not run"));
}

TEST_F(ApplyProfilesTest, BoundThatIsNoVersionIsUnknownModes) {
  v1::BackEndProfile profile = Profile("own", "ownd");
  profile.set_version_limit("newest");
  Add(profile);
  Apply();
  ExpectRefused(HasSubstr("newest"));
}

TEST_F(ApplyProfilesTest, ProfilesThatDisagreeMakeItUnknownAlsoWhenOneIsDeclared) {
  Add(Profile("a", "ownd"));
  v1::BackEndProfile other = Profile("b", "ownd");
  other.add_modes(v1::MIGRATION_MODE_STATELESS);
  Add(other);
  for (const char* declared : {"", "backEndProfiles/b"}) {
    Apply(declared);
    ExpectRefused(
        AllOf(HasSubstr("backEndProfiles/a and backEndProfiles/b"), HasSubstr("disagree")));
  }
}

TEST_F(ApplyProfilesTest, ProfilesThatAgreeAreFineAndTheDeclaredOneIsNamed) {
  Add(Profile("a", "ownd"));
  Add(Profile("b", "ownd"));
  Apply("backEndProfiles/b");
  ASSERT_TRUE(facts_.profile_modes.known());
  EXPECT_EQ(facts_.profile_modes.value->profile, "backEndProfiles/b");
}

TEST_F(ApplyProfilesTest, PossibleSecondMatchMakesItUnknown) {
  Add(Profile("a", "ownd"));
  v1::BackEndProfile other = Profile("b", "ownd");
  other.set_min_version("2.0");
  Add(other);
  facts_.version = Unknown<Version>("no version");
  Apply();
  ExpectRefused(HasSubstr("backEndProfiles/b"));
}

TEST_F(ApplyProfilesTest, DeclaredProfileMustMatchTheRunningExecutable) {
  Add(Profile("a", "ownd"));
  Add(Profile("b", "otherd"));
  Apply("backEndProfiles/b");
  ExpectRefused(AllOf(HasSubstr("declared backEndProfiles/b does not match"),
                      HasSubstr("\"ownd\", not \"otherd\"")));
  Apply("backEndProfiles/gone");
  ExpectRefused(HasSubstr("does not exist"));
}

TEST_F(ApplyProfilesTest, KindThatDiscoveryFoundIsKeptAndMustBeTheProfiles) {
  Add(Profile("a", "ownd"));
  facts_.kind = Known(BackEndKind::kVirtiofsdC, Source::kBackEndExecutable, kNow);
  Apply();
  EXPECT_FALSE(facts_.profile_modes.known());
  EXPECT_EQ(facts_.kind.value, BackEndKind::kVirtiofsdC);
}

TEST_F(ApplyProfilesTest, ModeFromANewerVufdMakesItUnknown) {
  v1::BackEndProfile profile = Profile("own", "ownd");
  profile.add_modes(static_cast<v1::MigrationMode>(77));
  Add(profile);
  Apply();
  ExpectRefused(HasSubstr("77"));
}

TEST_F(ApplyProfilesTest, EarlierModesDoNotOutliveTheirProfile) {
  Add(Profile("own", "ownd"));
  Apply();
  ASSERT_TRUE(facts_.profile_modes.known());
  profiles_.clear();
  Apply();
  EXPECT_FALSE(facts_.profile_modes.known());
}

}  // namespace
}  // namespace vuf
