#include "server/metrics/metrics.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class MetricsTest : public ::testing::Test {
 protected:
  Metrics metrics_{"1.2.3", absl::FromUnixSeconds(1700000000)};
};

TEST_F(MetricsTest, SaysWhatItIsFromTheStart) {
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("vufd_build_info{version=\"1.2.3\"} 1"));
  EXPECT_THAT(text, HasSubstr("vufd_start_time_seconds 1700000000"));
  EXPECT_THAT(text, HasSubstr("vufd_decisions_total{decision=\"refuse\"} 0"));
  EXPECT_THAT(text, HasSubstr("vufd_migrations_total{outcome=\"interrupted\"} 0"));
}

TEST_F(MetricsTest, CountsAndTimesRpcs) {
  metrics_.RpcDone("VmService/GetVm", "OK", absl::Milliseconds(3));
  metrics_.RpcDone("VmService/GetVm", "NOT_FOUND", absl::Milliseconds(3));
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("vufd_rpc_requests_total{code=\"OK\",method=\"VmService/GetVm\"} 1"));
  EXPECT_THAT(text, HasSubstr("vufd_rpc_duration_seconds_count{method=\"VmService/GetVm\"} 2"));
}

TEST_F(MetricsTest, WatchesAreCountedButNotTimed) {
  metrics_.RpcDone("EndpointService/WatchEndpoints", "CANCELLED", absl::InfiniteDuration());
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("method=\"EndpointService/WatchEndpoints\"} 1"));
  EXPECT_THAT(text, Not(HasSubstr("duration_seconds_count{method=\"EndpointService/Watch")));
}

TEST_F(MetricsTest, APolicyFileIsToldByItsFirst48Bits) {
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("vufd_policy_file")));
  metrics_.PolicyFileTaken(absl::StrCat("ba7816bf8f01", std::string(52, 'f')),
                           absl::FromUnixSeconds(1700000001));
  // printf %d 0xba7816bf8f01
  EXPECT_THAT(metrics_.Text(), HasSubstr("\nvufd_policy_file_hash 205024940494593\n"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("vufd_policy_file_timestamp_seconds 1700000001"));
}

TEST_F(MetricsTest, CountsDecisionsBlockersAndUnknowns) {
  v1::Verdict verdict;
  v1::Finding* const blocker = verdict.add_blockers();
  blocker->set_code("SOME_CODE");
  blocker->add_evidence()->set_unknown(true);
  blocker->add_evidence()->set_unknown(false);
  metrics_.Decided(verdict);
  const std::string text = metrics_.Text();
  // The zero value of a decision counts as what it is: a refusal.
  EXPECT_THAT(text, HasSubstr("vufd_decisions_total{decision=\"refuse\"} 1"));
  EXPECT_THAT(text, HasSubstr("vufd_blockers_total{code=\"SOME_CODE\"} 1"));
  EXPECT_THAT(text, HasSubstr("vufd_evidence_unknown_total 1"));
}

TEST_F(MetricsTest, BlockerCodesAreBounded) {
  v1::Verdict verdict;
  for (int i = 0; i < 300; ++i) verdict.add_blockers()->set_code(absl::StrCat("CODE_", i));
  metrics_.Decided(verdict);
  EXPECT_THAT(metrics_.Text(), HasSubstr("vufd_blockers_total{code=\"OTHER\"} 44"));
}

TEST_F(MetricsTest, SeriesOfMigrationsAreThereFromTheStart) {
  const std::string text = metrics_.Text();
  for (const char* const series :
       {"vufd_migrations_in_phase{phase=\"queued\"} 0",
        "vufd_migrations_in_phase{phase=\"switching_over\"} 0",
        "vufd_devices_moved_total{mode=\"stateless\"} 0",
        "vufd_devices_moved_total{mode=\"stateful\"} 0", "vufd_permits 0", "vufd_ready 0",
        "vufd_migration_transferred_bytes_total 0", "vufd_store_write_failures_total 0"}) {
    EXPECT_THAT(text, HasSubstr(series));
  }
  EXPECT_THAT(text, Not(HasSubstr("phase=\"succeeded\"")));
}

TEST_F(MetricsTest, PhasesAndPermitsAreThoseOfMigrationsUnderWay) {
  v1::Migration one;
  one.set_name("migrations/1");
  one.set_state(v1::Migration::STATE_TRANSFERRING);
  one.add_permits();
  one.add_permits();
  metrics_.MigrationChanged(one);
  v1::Migration other;
  other.set_name("migrations/2");
  other.set_state(v1::Migration::STATE_QUEUED);
  metrics_.MigrationChanged(other);
  std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("vufd_migrations_in_phase{phase=\"transferring\"} 1"));
  EXPECT_THAT(text, HasSubstr("vufd_migrations_running 1"));
  EXPECT_THAT(text, HasSubstr("vufd_migrations_queued 1"));
  EXPECT_THAT(text, HasSubstr("vufd_permits 2"));
  one.set_state(v1::Migration::STATE_SUCCEEDED);
  one.mutable_verdict()->add_devices()->set_mode(v1::MIGRATION_MODE_STATELESS);
  one.mutable_progress()->set_ram_transferred_bytes(4096);
  metrics_.MigrationChanged(one);
  text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("vufd_migrations_in_phase{phase=\"transferring\"} 0"));
  EXPECT_THAT(text, HasSubstr("vufd_permits 0"));
  EXPECT_THAT(text, HasSubstr("vufd_devices_moved_total{mode=\"stateless\"} 1"));
  EXPECT_THAT(text, HasSubstr("vufd_migration_transferred_bytes_total 4096"));
}

TEST_F(MetricsTest, TimesWritesAndCountsThoseThatFail) {
  metrics_.StoreWritten(absl::Milliseconds(2), true);
  metrics_.StoreWritten(absl::Milliseconds(2), false);
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("vufd_store_write_duration_seconds_count 2"));
  EXPECT_THAT(text, HasSubstr("vufd_store_write_failures_total 1"));
}

TEST_F(MetricsTest, FollowsAMigrationToItsEnd) {
  v1::Migration migration;
  migration.set_name("migrations/m");
  migration.set_state(v1::Migration::STATE_EVALUATING);
  metrics_.MigrationChanged(migration);
  migration.set_state(v1::Migration::STATE_TRANSFERRING);
  metrics_.MigrationChanged(migration);
  EXPECT_THAT(metrics_.Text(), HasSubstr("vufd_migrations_running 1"));
  migration.set_state(v1::Migration::STATE_SUCCEEDED);
  migration.mutable_verdict()->set_decision(v1::DECISION_ALLOW);
  migration.mutable_progress()->mutable_downtime()->set_nanos(250000000);
  migration.mutable_progress()->mutable_total_time()->set_seconds(3);
  metrics_.MigrationChanged(migration);
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("vufd_migrations_running 0"));
  EXPECT_THAT(text, HasSubstr("vufd_migrations_total{outcome=\"succeeded\"} 1"));
  EXPECT_THAT(text, HasSubstr("vufd_migration_downtime_seconds_sum 0.25"));
  EXPECT_THAT(text, HasSubstr("vufd_migration_total_seconds_sum 3"));
  EXPECT_THAT(text, HasSubstr("vufd_decisions_total{decision=\"allow\"} 1"));
}

TEST_F(MetricsTest, GaugesShowTheLastValue) {
  metrics_.SetRegistered(3, 7);
  metrics_.SetRegistered(2, 5);
  metrics_.RefreshDone(absl::FromUnixSeconds(1700000100), absl::Milliseconds(500));
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("vufd_registered_vms 2"));
  EXPECT_THAT(text, HasSubstr("vufd_registered_endpoints 5"));
  EXPECT_THAT(text, HasSubstr("vufd_last_refresh_timestamp_seconds 1700000100"));
  EXPECT_THAT(text, HasSubstr("vufd_refresh_duration_seconds 0.5"));
}

}  // namespace
}  // namespace vuf
