// What the shipped profiles say about back-ends that exist.
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/profile/profile.h"

namespace vuf {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

std::map<std::string, v1::BackEndProfile> Shipped() {
  std::map<std::string, v1::BackEndProfile> profiles;
  for (const v1::BackEndProfile& profile : ShippedProfiles()) profiles[profile.name()] = profile;
  return profiles;
}

TEST(ShippedProfilesTest, EachIsCompleteAndHasANameOfItsOwn) {
  std::set<std::string> names;
  for (const v1::BackEndProfile& profile : ShippedProfiles()) {
    EXPECT_TRUE(names.insert(profile.name()).second) << profile.name();
    EXPECT_THAT(profile.name(),
                testing::MatchesRegex("backEndProfiles/[a-z]([-a-z0-9]*[a-z0-9])?"));
    EXPECT_FALSE(profile.description().empty()) << profile.name();
    EXPECT_FALSE(profile.kind().empty()) << profile.name();
    EXPECT_FALSE(profile.executable_name().empty()) << profile.name();
    EXPECT_TRUE(profile.shipped());
  }
  EXPECT_EQ(names.size(), 7u);
}

struct Case {
  const char* executable;
  const char* version_line;
  // Empty: no version was found.
  const char* version;
  // Empty: unknown.
  const char* profile;
  bool stateless;
  bool stateful;
  BackEndKind kind;
};

class ShippedProfileTest : public testing::TestWithParam<Case> {};

TEST_P(ShippedProfileTest, SaysWhatTheBackEndCanDo) {
  const Case& c = GetParam();
  BackEndFacts facts;
  facts.executable = Known<std::string>(c.executable, Source::kProcfs, kNow);
  if (*c.version_line != '\0') {
    facts.version_line = Known<std::string>(c.version_line, Source::kBackEndExecutable, kNow);
  }
  if (*c.version != '\0') {
    facts.version = Known(*Version::Parse(c.version), Source::kBackEndExecutable, kNow);
  }
  ApplyProfiles(Shipped(), "", kNow, facts);
  const std::string name(c.profile);
  ASSERT_EQ(facts.profile_modes.known(), !name.empty()) << facts.profile_modes.detail;
  EXPECT_EQ(facts.kind.known(), !name.empty());
  if (name.empty()) return;
  EXPECT_EQ(*facts.profile_modes.value,
            (BackEndFacts::ProfileModes{c.stateless, c.stateful, "backEndProfiles/" + name}));
  EXPECT_EQ(*facts.kind.value, c.kind);
}

constexpr char kRust[] = "/usr/libexec/virtiofsd";
constexpr char kC[] = "/usr/lib/qemu/virtiofsd";
constexpr BackEndKind kV = BackEndKind::kVirtiofsd, kU = BackEndKind::kUnknown;

INSTANTIATE_TEST_SUITE_P(
    Table, ShippedProfileTest,
    testing::Values(
        Case{kRust, "virtiofsd 1.13.2", "1.13.2", "virtiofsd", false, true, kV},
        Case{kRust, "virtiofsd 1.14.0", "1.14.0", "virtiofsd", false, true, kV},
        Case{kRust, "virtiofsd 1.11.0", "1.11.0", "virtiofsd", false, true, kV},
        Case{kRust, "virtiofsd 1.10.1", "1.10.1", "virtiofsd-before-1-11", false, false, kV},
        Case{kRust, "virtiofsd backend 1.7.0", "1.7.0", "virtiofsd-backend-before-1-11", false,
             false, kV},
        Case{kRust, "virtiofsd backend 1.12.0", "1.12.0", "virtiofsd-backend", false, true, kV},
        // Nobody has seen a 2.0: nothing is assumed.
        Case{kRust, "virtiofsd 2.0.0", "2.0.0", "", false, false, kU},
        Case{kRust, "virtiofsd 1.13.2", "", "", false, false, kU},
        Case{kRust, "", "1.13.2", "", false, false, kU}, Case{kRust, "", "", "", false, false, kU},
        // The C daemon's number is higher than any Rust one's.
        Case{kC, "virtiofsd version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)", "7.2.22",
             "virtiofsd-c", false, false, BackEndKind::kVirtiofsdC},
        Case{kC, "virtiofsd version 1.12.0", "1.12.0", "virtiofsd-c", false, false,
             BackEndKind::kVirtiofsdC},
        Case{kRust, "my own virtiofsd 1.13.2", "1.13.2", "", false, false, kU},
        Case{"/usr/bin/filestore-vhost", "", "", "filestore-vhost", true, false,
             BackEndKind::kFilestoreVhost},
        Case{"/usr/bin/vuf-keeper", "", "", "keeper", true, true, BackEndKind::kKeeper},
        Case{"/usr/bin/virtiofsd-wrapper", "virtiofsd 1.13.2", "1.13.2", "", false, false, kU}));

}  // namespace
}  // namespace vuf
