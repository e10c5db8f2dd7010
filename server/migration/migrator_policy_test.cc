// What policies ask of a migration that is carried out.
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/convert/convert.h"
#include "server/migration/migration_world.h"

namespace vuf {
namespace {

using testing::HasSubstr;

// Like the real decision, as far as these tests go.
Verdict RefuseBeyondLimits(const Facts& facts) {
  Verdict verdict = AllowWhatAnswers(facts);
  for (const ConcurrencyLimit& limit : facts.policy.value->limits) {
    if (limit.running < limit.limit) continue;
    verdict.allow = false;
    Finding finding;
    finding.code = "POLICY_LIMIT_REACHED";
    verdict.blockers.push_back(finding);
  }
  return verdict;
}

class MigratorPolicyTest : public testing::Test {
 protected:
  MigratorPolicyTest() {
    world_.options.evaluate = RefuseBeyondLimits;
    world_.Start();
  }

  void AddPolicy(v1::MigrationPolicy policy) {
    policy.set_name("migrationPolicies/p");
    policy.set_priority(5);
    const auto added = world_.registry->CreatePolicy(policy, RequestKey{}, absl::InfiniteFuture());
    ASSERT_TRUE(added.ok()) << added.status();
  }
  // What the source is set to when the migration begins.
  MigrationSettings SettingsDuring(const v1::Migration& request) {
    MigrationSettings during;
    world_.qemu.Before(kSource, FakeCall::kStartOutgoing,
                       [&] { during = world_.qemu.Settings(kSource); });
    EXPECT_EQ(world_.Migrate(request).state(), v1::Migration::STATE_SUCCEEDED);
    return during;
  }

  MigrationWorld world_;
};

TEST_F(MigratorPolicyTest, WhatIsAskedForIsLoweredToWhatIsAllowed) {
  v1::MigrationPolicy policy;
  policy.set_max_bandwidth_bytes_per_second(1000);
  *policy.mutable_max_downtime() = ToProto(absl::Milliseconds(50));
  AddPolicy(policy);
  v1::Migration request = world_.Request();
  request.set_max_bandwidth_bytes_per_second(2000);
  *request.mutable_downtime_limit() = ToProto(absl::Milliseconds(20));
  const MigrationSettings during = SettingsDuring(request);
  EXPECT_EQ(during.max_bandwidth, 1000u);
  EXPECT_EQ(during.downtime_limit, absl::Milliseconds(20)) << "lower than the policy's";
}

TEST_F(MigratorPolicyTest, TheLimitIsSetWhereNothingIsAskedFor) {
  v1::MigrationPolicy policy;
  policy.set_max_bandwidth_bytes_per_second(1000);
  AddPolicy(policy);
  EXPECT_EQ(SettingsDuring(world_.Request()).max_bandwidth, 1000u);
}

TEST_F(MigratorPolicyTest, TheTimeoutIsTheShorterOne) {
  v1::MigrationPolicy policy;
  policy.mutable_max_timeout()->set_seconds(1);
  AddPolicy(policy);
  world_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  const v1::Migration ended = world_.Migrate();
  EXPECT_EQ(ended.state(), v1::Migration::STATE_FAILED);
  EXPECT_THAT(ended.message(), HasSubstr("timeout of 1s"));
  EXPECT_TRUE(world_.SourceRuns());
}

TEST_F(MigratorPolicyTest, ALimitIsAVerdictAndAPlaceIsFreeAgainAtTheEnd) {
  v1::MigrationPolicy policy;
  policy.set_max_concurrent(1);
  AddPolicy(policy);
  world_.AddOther();
  world_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  const std::string first = world_.Create(world_.Request())->name();
  ASSERT_TRUE(world_.AwaitThat(
      [&] { return world_.migrator->Get(first)->state() == v1::Migration::STATE_TRANSFERRING; }));
  v1::Migration other = world_.Request();
  other.set_vm("vms/other");
  other.mutable_destination()->mutable_same_host()->set_qmp_socket("/run/d.qmp");
  const v1::Migration refused = world_.Migrate(other);
  EXPECT_EQ(refused.state(), v1::Migration::STATE_REFUSED);
  ASSERT_EQ(refused.verdict().blockers_size(), 1);
  EXPECT_EQ(refused.verdict().blockers(0).code(), "POLICY_LIMIT_REACHED");

  ASSERT_TRUE(world_.migrator->Cancel(first).ok());
  world_.Await(first);
  EXPECT_EQ(world_.Migrate(other).state(), v1::Migration::STATE_SUCCEEDED);
}

TEST_F(MigratorPolicyTest, TheDowntimeLimitRisesAndIsPutBack) {
  const MigrationSettings before = world_.qemu.Settings(kSource);
  v1::MigrationPolicy policy;
  v1::ConvergenceStep& raise = *policy.add_convergence();
  raise.mutable_after()->set_seconds(1);
  *raise.mutable_downtime_limit() = ToProto(absl::Milliseconds(777));
  v1::ConvergenceStep& cancel = *policy.add_convergence();
  cancel.mutable_after()->set_seconds(2);
  cancel.set_cancel(true);
  AddPolicy(policy);
  world_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  MigrationSettings at_the_end;
  world_.qemu.Before(kSource, FakeCall::kMigrateCancel,
                     [&] { at_the_end = world_.qemu.Settings(kSource); });
  const v1::Migration ended = world_.Migrate();
  EXPECT_EQ(at_the_end.downtime_limit, absl::Milliseconds(777));
  EXPECT_EQ(ended.state(), v1::Migration::STATE_FAILED);
  EXPECT_THAT(ended.message(), HasSubstr("did not converge within 2s, as migrationPolicies/p@1"));
  EXPECT_TRUE(world_.SourceRuns());
  EXPECT_EQ(world_.qemu.Settings(kSource).downtime_limit, before.downtime_limit);
}

TEST_F(MigratorPolicyTest, TheGuestIsSlowedDownOnlyWhenItIsTimeAndAllIsPutBack) {
  const MigrationSettings before = world_.qemu.Settings(kSource);
  v1::MigrationPolicy policy;
  v1::ConvergenceStep& slow = *policy.add_convergence();
  slow.mutable_after()->set_seconds(1);
  slow.set_throttle_percent(40);
  AddPolicy(policy);
  world_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  MigrationSettings at_first;
  world_.qemu.Before(kSource, FakeCall::kStartOutgoing,
                     [&] { at_first = world_.qemu.Settings(kSource); });
  const std::string name = world_.Create(world_.Request())->name();
  // What converges is not told by the fake.
  ASSERT_TRUE(world_.AwaitThat([&] {
    if (world_.qemu.Settings(kSource).max_cpu_throttle != 40u) return false;
    world_.qemu.Converge(kSource);
    return true;
  }));
  EXPECT_EQ(world_.Await(name).state(), v1::Migration::STATE_SUCCEEDED);
  EXPECT_TRUE(at_first.capabilities["auto-converge"]);
  EXPECT_EQ(at_first.max_cpu_throttle, 1u);
  const MigrationSettings after = world_.qemu.Settings(kSource);
  EXPECT_FALSE(after.capabilities.at("auto-converge"));
  EXPECT_EQ(after.max_cpu_throttle, before.max_cpu_throttle);
  EXPECT_EQ(after.cpu_throttle_initial, before.cpu_throttle_initial);
}

TEST_F(MigratorPolicyTest, WithSharedMemoryThereIsNothingToSlowDownFor) {
  v1::MigrationPolicy policy;
  v1::ConvergenceStep& slow = *policy.add_convergence();
  slow.mutable_after()->set_seconds(1);
  slow.set_throttle_percent(40);
  AddPolicy(policy);
  v1::Migration request = world_.Request();
  request.set_ram_transfer(v1::RAM_TRANSFER_SHARED);
  EXPECT_FALSE(SettingsDuring(request).capabilities["auto-converge"]);
}

}  // namespace
}  // namespace vuf
