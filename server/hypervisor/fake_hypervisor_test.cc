#include "server/hypervisor/fake_hypervisor.h"

#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;

constexpr char kSource[] = "/run/a.qmp";
constexpr char kDestination[] = "/run/b.qmp";

VmFacts Vm(const std::string& socket, const std::string& run_state) {
  VmFacts facts;
  facts.qmp_socket = socket;
  facts.run_state = Known(run_state, Source::kQmp, absl::Now());
  facts.started_paused = Known(true, Source::kProcfs, absl::Now());
  return facts;
}

absl::Time Soon() { return absl::Now() + absl::Seconds(10); }

class FakeHypervisorTest : public ::testing::Test {
 protected:
  FakeHypervisorTest() {
    fake_.AddVm(Vm(kSource, "running"));
    fake_.AddVm(Vm(kDestination, "inmigrate"));
    fake_.Link(kSource, kDestination);
    source_ = *fake_.Connect(kSource, Soon());
    destination_ = *fake_.Connect(kDestination, Soon());
  }

  void StartMigration() {
    MigrationSettings settings;
    settings.capabilities = {
        {"events", true}, {"return-path", true}, {"pause-before-switchover", true}};
    ASSERT_TRUE(source_->Configure(settings, Soon()).ok());
    ASSERT_TRUE(destination_->Configure(settings, Soon()).ok());
    ASSERT_TRUE(destination_->PrepareIncoming(0, Soon()).ok());
    ASSERT_TRUE(source_->StartOutgoing(0, Soon()).ok());
  }

  std::vector<std::string> EventsOf(Hypervisor& vm) {
    std::vector<std::string> out;
    while (true) {
      const auto event = vm.Await(absl::Now());
      if (!event.ok() || event->name.empty()) return out;
      out.push_back(event->status.empty() ? event->name : event->status);
    }
  }

  FakeConnector fake_;
  std::unique_ptr<Hypervisor> source_;
  std::unique_ptr<Hypervisor> destination_;
};

TEST_F(FakeHypervisorTest, CompletesLikeQemu) {
  StartMigration();
  EXPECT_EQ(fake_.RunState(kSource), "finish-migrate");
  EXPECT_FALSE(source_->Do(Hypervisor::Act::kCont, Soon()).ok());
  ASSERT_TRUE(source_->Do(Hypervisor::Act::kMigrateContinue, Soon()).ok());
  EXPECT_THAT(EventsOf(*source_),
              ElementsAre("setup", "active", "STOP", "pre-switchover", "device", "completed"));
  EXPECT_EQ(*source_->QueryRunState(Soon()), "postmigrate");
  EXPECT_EQ(destination_->QueryMigration(Soon())->status, "completed");
  EXPECT_EQ(*destination_->QueryRunState(Soon()), "paused");
  ASSERT_TRUE(source_->Do(Hypervisor::Act::kQuit, Soon()).ok());
  EXPECT_TRUE(absl::IsUnavailable(source_->QueryRunState(Soon()).status()));
  ASSERT_TRUE(destination_->Do(Hypervisor::Act::kCont, Soon()).ok());
  EXPECT_FALSE(fake_.SplitBrain());
  EXPECT_THAT(fake_.Actions(), ElementsAre("/run/a.qmp Configure", "/run/b.qmp Configure",
                                           "/run/b.qmp PrepareIncoming", "/run/a.qmp StartOutgoing",
                                           "/run/a.qmp Cont", "/run/a.qmp MigrateContinue",
                                           "/run/a.qmp Quit", "/run/b.qmp Cont"));
}

TEST_F(FakeHypervisorTest, SeesASplitBrain) {
  StartMigration();
  ASSERT_TRUE(source_->Do(Hypervisor::Act::kMigrateContinue, Soon()).ok());
  ASSERT_TRUE(destination_->Do(Hypervisor::Act::kCont, Soon()).ok());
  EXPECT_FALSE(fake_.SplitBrain());
  ASSERT_TRUE(source_->Do(Hypervisor::Act::kCont, Soon()).ok());
  EXPECT_TRUE(fake_.SplitBrain());
}

TEST_F(FakeHypervisorTest, CancelResumesTheSource) {
  fake_.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  StartMigration();
  EXPECT_EQ(fake_.MigrationStatus(kSource), "active");
  ASSERT_TRUE(source_->Do(Hypervisor::Act::kMigrateCancel, Soon()).ok());
  EXPECT_EQ(fake_.MigrationStatus(kSource), "cancelled");
  EXPECT_EQ(fake_.RunState(kSource), "running");
  EXPECT_EQ(fake_.MigrationStatus(kDestination), "failed");
}

TEST_F(FakeHypervisorTest, ALoadFailureReachesTheSource) {
  fake_.SetOutcome(kSource, FakeOutcome::kDestinationLoadFails);
  StartMigration();
  ASSERT_TRUE(source_->Do(Hypervisor::Act::kMigrateContinue, Soon()).ok());
  EXPECT_EQ(source_->QueryMigration(Soon())->error_desc, "Sibling indicated error 1");
  EXPECT_EQ(fake_.RunState(kSource), "running");
}

TEST_F(FakeHypervisorTest, AnAnswerCanBeLostAfterTheEffect) {
  StartMigration();
  FakeConnector::Failure failure;
  failure.status = absl::DeadlineExceededError("no answer");
  failure.after_effect = true;
  fake_.Fail(kSource, FakeCall::kMigrateContinue, failure);
  EXPECT_TRUE(absl::IsDeadlineExceeded(source_->Do(Hypervisor::Act::kMigrateContinue, Soon())));
  EXPECT_EQ(fake_.MigrationStatus(kSource), "completed");
  EXPECT_TRUE(absl::IsDeadlineExceeded(source_->QueryRunState(Soon()).status()))
      << "a connection that missed a deadline stays failed";
  EXPECT_EQ((*fake_.Connect(kSource, Soon()))->QueryRunState(Soon()).value(), "postmigrate");
}

}  // namespace
}  // namespace vuf
