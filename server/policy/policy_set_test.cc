#include "server/policy/policy_set.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

Policy MakePolicy(const std::string& id, int priority) {
  Policy policy;
  policy.name = absl::StrCat("migrationPolicies/", id);
  policy.revision = 1;
  policy.priority = priority;
  return policy;
}

std::string Ref(const std::string& id) { return absl::StrCat("migrationPolicies/", id, "@1"); }

// A VM with two devices: fs0 on a virtiofsd 1.13 at an endpoint with labels, fs1 behind a keeper.
class PolicySetTest : public testing::Test {
 protected:
  PolicySubject Vm() const {
    return {"vms/web",
            &vm_labels_,
            {{"fs0", &labels_, &virtiofsd_, &version_}, {"fs1", nullptr, &keeper_, nullptr}}};
  }
  EffectivePolicy Select(std::vector<Policy> policies) const {
    return PolicySet(std::move(policies), {}).Select(Vm(), kNow);
  }
  bool Matches(const Selector& selector) const {
    Policy policy = MakePolicy("p", 1);
    policy.selector = selector;
    return !Select({policy}).matching.empty();
  }

  const Labels vm_labels_ = {{"tier", "gold"}, {"zone", "a"}};
  const Labels labels_ = {{"pool", "fast"}};
  const Evidence<BackEndKind> virtiofsd_ =
      Known(BackEndKind::kVirtiofsd, Source::kBackEndExecutable, kNow);
  const Evidence<BackEndKind> keeper_ =
      Known(BackEndKind::kKeeper, Source::kBackEndExecutable, kNow);
  const Evidence<Version> version_ = Known(Version{1, 13, 2}, Source::kBackEndExecutable, kNow);
};

TEST_F(PolicySetTest, NoPolicyDecidesNothing) {
  const EffectivePolicy none = Select({});
  EXPECT_THAT(none.matching, IsEmpty());
  ASSERT_THAT(none.devices, SizeIs(2));
  EXPECT_FALSE(none.devices[0].modes.value.has_value());
  EXPECT_FALSE(none.same_host.value.has_value());
}

TEST_F(PolicySetTest, EveryTermOfASelectorMustMatch) {
  EXPECT_TRUE(Matches({}));
  EXPECT_TRUE(Matches({.vms = {"vms/web", "vms/db"}}));
  EXPECT_FALSE(Matches({.vms = {"vms/db"}}));
  EXPECT_TRUE(Matches({.vm_labels = {{"tier", "gold"}}}));
  EXPECT_FALSE(Matches({.vm_labels = {{"tier", "gold"}, {"zone", "b"}}}));
  EXPECT_FALSE(Matches({.vms = {"vms/db"}, .vm_labels = {{"tier", "gold"}}}));
  EXPECT_FALSE(Matches({.vm_labels = {{"missing", ""}}}));
}

TEST_F(PolicySetTest, OneDeviceIsEnough) {
  EXPECT_TRUE(Matches({.endpoint_labels = {{"pool", "fast"}}}));
  EXPECT_FALSE(Matches({.endpoint_labels = {{"pool", "slow"}}}));
  EXPECT_TRUE(Matches({.back_end_kinds = {"keeper"}}));
  EXPECT_FALSE(Matches({.back_end_kinds = {"virtiofsd-c"}}));
  EXPECT_FALSE(Matches({.endpoint_labels = {{"pool", "fast"}}, .back_end_kinds = {"keeper"}}))
      << "no device meets both";
}

TEST_F(PolicySetTest, VersionsAreARange) {
  EXPECT_TRUE(Matches({.back_end_min_version = Version{1, 13, 2}}));
  EXPECT_FALSE(Matches({.back_end_min_version = Version{1, 13, 3}}));
  EXPECT_TRUE(Matches({.back_end_version_limit = Version{1, 14, 0}}));
  EXPECT_FALSE(Matches({.back_end_version_limit = Version{1, 13, 2}}));
  EXPECT_FALSE(Matches({.back_end_kinds = {"keeper"}, .back_end_min_version = Version{0, 1, 0}}))
      << "an unknown version is in no range";
}

TEST_F(PolicySetTest, ASettingIsTakenFromTheFirstPolicyThatHasIt) {
  Policy low = MakePolicy("low", 1);
  low.max_bandwidth = 1;
  low.max_downtime = absl::Seconds(1);
  Policy high = MakePolicy("high", 9);
  high.max_bandwidth = 2;
  const EffectivePolicy policy = Select({low, high});
  EXPECT_THAT(policy.matching, ElementsAre(Ref("high"), Ref("low")));
  EXPECT_EQ(policy.max_bandwidth.value, 2u);
  EXPECT_EQ(policy.max_bandwidth.decided_by, Ref("high"));
  EXPECT_EQ(policy.max_downtime.decided_by, Ref("low"));
}

TEST_F(PolicySetTest, EqualPrioritiesAreOrderedByName) {
  EXPECT_THAT(Select({MakePolicy("b", 5), MakePolicy("a", 5)}).matching,
              ElementsAre(Ref("a"), Ref("b")));
}

TEST_F(PolicySetTest, ModesAreDecidedPerDevice) {
  Policy all = MakePolicy("all", 1);
  all.modes = ModesAllowed{true, true};
  Policy keepers = MakePolicy("keepers", 2);
  keepers.selector.back_end_kinds = {"keeper"};
  keepers.modes = ModesAllowed{true, false};
  const EffectivePolicy policy = Select({all, keepers});
  EXPECT_EQ(policy.devices[0].modes.decided_by, Ref("all"));
  EXPECT_EQ(policy.devices[1].modes.decided_by, Ref("keepers"));
  EXPECT_FALSE(policy.devices[1].modes.value->stateful);
}

TEST_F(PolicySetTest, HoldsAndLimitsOfAllCount) {
  Policy a = MakePolicy("a", 1);
  a.hold = PolicyHold{"", "ann", "why", kNow + absl::Hours(1)};
  a.max_concurrent = 1;
  Policy b = MakePolicy("b", 2);
  b.hold = PolicyHold{"", "bob", "because", std::nullopt};
  b.max_concurrent = 5;
  Policy over = MakePolicy("over", 3);
  over.hold = PolicyHold{"", "eve", "was", kNow};
  const EffectivePolicy policy = Select({a, b, over});
  ASSERT_THAT(policy.holds, SizeIs(2));
  EXPECT_EQ(policy.holds[0].policy, Ref("b"));
  EXPECT_THAT(policy.limits, SizeIs(2));
}

TEST_F(PolicySetTest, AnAcknowledgementCountsForItsVmUntilItsEnd) {
  const auto accepted = [](const char* vm, absl::Time until) {
    Accepted one;
    one.name = absl::StrCat("acknowledgements/", vm + 4);
    one.until = until;
    return std::pair<std::string, Accepted>(vm, one);
  };
  const PolicySet set({}, {accepted("vms/web", kNow + absl::Seconds(1)), accepted("vms/web", kNow),
                           accepted("vms/db", absl::InfiniteFuture())});
  EXPECT_THAT(set.Select(Vm(), kNow).accepted, SizeIs(1));
  EXPECT_THAT(set.Select(Vm(), kNow + absl::Seconds(1)).accepted, IsEmpty());
}

TEST_F(PolicySetTest, AShadowPolicyTakesPartInTheShadowOnly) {
  Policy real = MakePolicy("real", 1);
  Policy shadow = MakePolicy("next", 2);
  shadow.shadow = true;
  const PolicySet set({real, shadow}, {});
  EXPECT_THAT(set.Select(Vm(), kNow).matching, ElementsAre(Ref("real")));
  EXPECT_THAT(set.SelectShadow(Vm(), kNow)->matching, ElementsAre(Ref("next"), Ref("real")));
}

TEST_F(PolicySetTest, AShadowPolicyStandsInForTheOneItReplacesEvenWhereItDoesNotMatch) {
  Policy real = MakePolicy("real", 1);
  Policy shadow = MakePolicy("next", 1);
  shadow.shadow = true;
  shadow.replaces = real.name;
  shadow.selector.vms = {"vms/db"};
  const PolicySet set({real, shadow}, {});
  EXPECT_THAT(set.SelectShadow(Vm(), kNow)->matching, IsEmpty());
}

TEST_F(PolicySetTest, NoShadowWhereItMakesNoDifference) {
  Policy shadow = MakePolicy("next", 1);
  shadow.shadow = true;
  shadow.selector.vms = {"vms/db"};
  EXPECT_FALSE(PolicySet({shadow}, {}).SelectShadow(Vm(), kNow).has_value());
}

// The index must find what a look at every policy would.
TEST_F(PolicySetTest, FindsTheFewThatMatchAmongThousands) {
  std::vector<Policy> policies;
  for (int i = 0; i < 3000; ++i) {
    Policy policy = MakePolicy(absl::StrCat("p", i), i % 7);
    if (i % 3 == 0) policy.selector.vm_labels = {{"zone", i % 2 == 0 ? "a" : "b"}};
    if (i % 3 == 1) policy.selector.vms = {absl::StrCat("vms/", i % 100 == 1 ? "web" : "x")};
    if (i % 3 == 2) policy.selector.endpoint_labels = {{"pool", i % 5 == 0 ? "fast" : "no"}};
    policies.push_back(policy);
  }
  size_t expected = 0;
  for (int i = 0; i < 3000; ++i) {
    expected +=
        (i % 3 == 0 && i % 2 == 0) || (i % 3 == 1 && i % 100 == 1) || (i % 3 == 2 && i % 5 == 0);
  }
  EXPECT_THAT(Select(policies).matching, SizeIs(expected));
}

}  // namespace
}  // namespace vuf
