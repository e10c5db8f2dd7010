// Migrations between two hosts, and what becomes of them when messages are lost.
#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/migration/two_hosts.h"

namespace vuf {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using State = v1::Migration;

class RemoteMigrationTest : public testing::Test {
 protected:
  void ExpectMoved(const v1::Migration& migration) {
    EXPECT_EQ(migration.state(), State::STATE_SUCCEEDED) << migration.DebugString();
    EXPECT_TRUE(hosts_.DestinationRuns());
    EXPECT_FALSE(hosts_.SourceRuns());
    EXPECT_FALSE(hosts_.qemu.SplitBrain());
    EXPECT_EQ(hosts_.a.registry().snapshot()->vms.count(kVm), 0u);
    const auto vms = hosts_.b.registry().snapshot()->vms;
    ASSERT_EQ(vms.count(kVm), 1u);
    EXPECT_EQ(vms.at(kVm).qmp_socket(), kDestination);
    EXPECT_EQ(vms.at(kVm).labels().at("tier"), "gold");
    EXPECT_EQ(Reservation().state(), v1::Reservation::STATE_DONE);
  }
  void ExpectStayed(const v1::Migration& migration) {
    EXPECT_TRUE(hosts_.SourceRuns()) << migration.DebugString();
    EXPECT_FALSE(hosts_.DestinationRuns());
    EXPECT_FALSE(hosts_.qemu.SplitBrain());
    EXPECT_EQ(hosts_.a.registry().snapshot()->vms.count(kVm), 1u);
    EXPECT_EQ(hosts_.b.registry().snapshot()->vms.count(kVm), 0u);
    for (const v1::Reservation& reservation : hosts_.b.incoming().List()) {
      EXPECT_EQ(reservation.state(), v1::Reservation::STATE_RELEASED);
    }
    for (const auto& [name, on] : hosts_.qemu.Settings(kSource).capabilities) {
      EXPECT_FALSE(on) << name << " was left on";
    }
  }
  v1::Reservation Reservation() const {
    const std::vector<v1::Reservation> all = hosts_.b.incoming().List();
    return all.empty() ? v1::Reservation() : all.front();
  }

  TwoHosts hosts_;
};

TEST_F(RemoteMigrationTest, TheGuestAndItsRecordGoToTheOtherHost) {
  hosts_.Start();
  const v1::Migration migration = hosts_.Migrate();
  ExpectMoved(migration);
  EXPECT_EQ(hosts_.qemu.RunState(kSource), "postmigrate");
  EXPECT_EQ(migration.reservation(), Reservation().name());
  EXPECT_EQ(Reservation().reserved_by(), kAgentA);
  EXPECT_EQ(hosts_.b.decisions.records().size(), 1u) << "it decided, and wrote that down";
}

TEST_F(RemoteMigrationTest, TheSourceQuitsWhenAsked) {
  hosts_.Start();
  v1::Migration request = hosts_.Request();
  request.set_source_disposition(v1::SOURCE_DISPOSITION_QUIT);
  ExpectMoved(hosts_.Migrate(request));
  EXPECT_FALSE(hosts_.qemu.Alive(kSource));
}

TEST_F(RemoteMigrationTest, APausedGuestStaysPaused) {
  hosts_.Start();
  hosts_.qemu.StopByOther(kSource);
  const v1::Migration migration = hosts_.Migrate();
  EXPECT_EQ(migration.state(), State::STATE_SUCCEEDED) << migration.DebugString();
  EXPECT_EQ(hosts_.qemu.RunState(kDestination), "paused");
  EXPECT_TRUE(Reservation().guest_seen());
}

TEST_F(RemoteMigrationTest, TheDestinationsAgentRefuses) {
  hosts_.evaluate_at_b = [](const Facts& facts) {
    Verdict verdict = AllowWhatAnswers(facts);
    verdict.allow = false;
    verdict.blockers.push_back({"POLICY_HOLD"});
    return verdict;
  };
  hosts_.Start();
  const v1::Migration migration = hosts_.Migrate();
  EXPECT_EQ(migration.state(), State::STATE_FAILED);
  EXPECT_THAT(migration.message(), AllOf(HasSubstr(kAgentB), HasSubstr("POLICY_HOLD")));
  ExpectStayed(migration);
  EXPECT_EQ(hosts_.qemu.MigrationStatus(kSource), "");
}

TEST_F(RemoteMigrationTest, TheNameIsTakenThere) {
  hosts_.Start();
  v1::Vm other;
  other.set_name(kVm);
  other.set_qmp_socket("/run/other.qmp");
  ASSERT_TRUE(
      hosts_.b.registry().CreateVm(other, {"t", "", ""}, absl::Now() + absl::Seconds(20)).ok());
  const v1::Migration migration = hosts_.Migrate();
  EXPECT_EQ(migration.state(), State::STATE_FAILED);
  EXPECT_THAT(migration.message(), HasSubstr("registered here already"));
  EXPECT_TRUE(hosts_.SourceRuns());
}

TEST_F(RemoteMigrationTest, CancelledWhileItCopies) {
  hosts_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  hosts_.Start();
  const std::string name = hosts_.Create(hosts_.Request())->name();
  ASSERT_TRUE(hosts_.AwaitThat([&] { return hosts_.qemu.MigrationStatus(kSource) == "active"; }));
  ASSERT_TRUE(hosts_.a.migrator().Cancel(name).ok());
  const v1::Migration migration = hosts_.AwaitEnd(name);
  EXPECT_EQ(migration.state(), State::STATE_CANCELLED);
  ExpectStayed(migration);
  EXPECT_FALSE(hosts_.qemu.Alive(kDestination)) << "it is of no use, and was quit";
}

TEST_F(RemoteMigrationTest, TheLeaseOutlivesALongCopy) {
  hosts_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  hosts_.Start();
  std::atomic<int> renewed = 0;
  hosts_.fate = [&](const std::string& message, const TwoHosts::Host&) {
    renewed += message == "Renew";
    return Fate::kDelivered;
  };
  const std::string name = hosts_.Create(hosts_.Request())->name();
  // As many as the lease is long, and more.
  ASSERT_TRUE(hosts_.AwaitThat([&] { return renewed >= 5; }));
  hosts_.qemu.Converge(kSource);
  ExpectMoved(hosts_.AwaitEnd(name));
}

TEST_F(RemoteMigrationTest, ALostAgentFreesEverything) {
  hosts_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  hosts_.Start();
  std::atomic<bool> cut = false;
  hosts_.fate = [&](const std::string&, const TwoHosts::Host&) {
    return cut ? Fate::kLost : Fate::kDelivered;
  };
  const std::string name = hosts_.Create(hosts_.Request())->name();
  ASSERT_TRUE(hosts_.AwaitThat([&] { return hosts_.qemu.MigrationStatus(kSource) == "active"; }));
  cut = true;
  const v1::Migration migration = hosts_.AwaitEnd(name);
  EXPECT_EQ(migration.state(), State::STATE_FAILED);
  EXPECT_THAT(migration.message(), HasSubstr("could not be renewed"));
  ASSERT_TRUE(hosts_.AwaitThat([&] { return hosts_.AtRest(); })) << "with the link still cut";
  ExpectStayed(migration);
}

TEST_F(RemoteMigrationTest, TheBackEndThereIsReplacedBeforeTheSwitchOver) {
  hosts_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  hosts_.Start();
  const std::string name = hosts_.Create(hosts_.Request())->name();
  ASSERT_TRUE(hosts_.AwaitThat([&] { return hosts_.qemu.MigrationStatus(kSource) == "active"; }));
  hosts_.b.discovery.SetBackEnd(kDestinationFs, TestBackEnd(kDestinationFs, 999));
  hosts_.qemu.Converge(kSource);
  const v1::Migration migration = hosts_.AwaitEnd(name);
  EXPECT_EQ(migration.state(), State::STATE_FAILED);
  EXPECT_THAT(migration.message(), HasSubstr("not what was judged"));
  ExpectStayed(migration);
}

TEST_F(RemoteMigrationTest, TheDestinationCannotLoad) {
  hosts_.qemu.SetOutcome(kSource, FakeOutcome::kDestinationLoadFails);
  hosts_.Start();
  const v1::Migration migration = hosts_.Migrate();
  EXPECT_EQ(migration.state(), State::STATE_FAILED);
  ExpectStayed(migration);
}

TEST_F(RemoteMigrationTest, TheDestinationDiesBeforeTheCommit) {
  hosts_.qemu.SetOutcome(kSource, FakeOutcome::kDestinationDies);
  hosts_.Start();
  const v1::Migration migration = hosts_.Migrate();
  EXPECT_EQ(migration.state(), State::STATE_FAILED);
  ExpectStayed(migration);
}

TEST_F(RemoteMigrationTest, TheSourceDiesAfterItHasSentEverything) {
  hosts_.qemu.SetOutcome(kSource, FakeOutcome::kSourceDiesAfterSwitchover);
  hosts_.a.discovery.SetGone({100, 1000});
  hosts_.Start();
  ExpectMoved(hosts_.Migrate());
}

TEST_F(RemoteMigrationTest, ASourceThatOnlyDoesNotAnswerMayStillRun) {
  hosts_.qemu.SetOutcome(kSource, FakeOutcome::kSourceDiesAfterSwitchover);
  hosts_.Start();
  EXPECT_EQ(hosts_.Migrate().state(), State::STATE_FAILED);
  EXPECT_FALSE(hosts_.DestinationRuns());
}

// Somebody else resumes the destination before the commit.
TEST_F(RemoteMigrationTest, ADestinationThatRanKeepsTheSourceStopped) {
  hosts_.Start();
  hosts_.fate = [&](const std::string& message, const TwoHosts::Host&) {
    if (message != "Promise") return Fate::kDelivered;
    EXPECT_TRUE(
        hosts_.AwaitThat([&] { return hosts_.qemu.MigrationStatus(kDestination) == "completed"; }));
    EXPECT_TRUE(hosts_.qemu.ContByOther(kDestination).ok());
    return Fate::kDelivered;
  };
  const v1::Migration migration = hosts_.Migrate();
  EXPECT_EQ(migration.state(), State::STATE_FAILED);
  EXPECT_THAT(migration.message(), HasSubstr("must never be resumed"));
  EXPECT_FALSE(hosts_.SourceRuns());
  EXPECT_TRUE(hosts_.DestinationRuns()) << "nobody stopped it";
  EXPECT_FALSE(hosts_.qemu.SplitBrain());
}

TEST_F(RemoteMigrationTest, OnlyTheOneWhoReservedMayGoOn) {
  hosts_.qemu.SetOutcome(kSource, FakeOutcome::kNeverConverges);
  hosts_.Start();
  const std::string name = hosts_.Create(hosts_.Request())->name();
  ASSERT_TRUE(hosts_.AwaitThat([&] { return hosts_.qemu.MigrationStatus(kSource) == "active"; }));
  const std::string reservation = Reservation().name();
  const absl::Time soon = absl::Now() + absl::Seconds(20);
  Incoming& b = hosts_.b.incoming();
  EXPECT_TRUE(absl::IsNotFound(b.Promise(reservation, "mallory", soon)));
  EXPECT_TRUE(absl::IsNotFound(b.Commit(reservation, "mallory", soon).status()));
  EXPECT_TRUE(absl::IsNotFound(b.Renew(reservation, "mallory", soon).status()));
  v1::AbortReservationRequest abort;
  abort.set_name(reservation);
  EXPECT_TRUE(b.Abort(abort, "mallory", soon).ok()) << "no more than for one that is not there";
  EXPECT_EQ(Reservation().state(), v1::Reservation::STATE_RESERVED);
  hosts_.qemu.Converge(kSource);
  ExpectMoved(hosts_.AwaitEnd(name));
}

// Each message of a migration, lost, its answer lost, or sent twice.
class LostMessageTest : public RemoteMigrationTest,
                        public testing::WithParamInterface<std::tuple<std::string, Fate>> {};

INSTANTIATE_TEST_SUITE_P(Each, LostMessageTest,
                         testing::Combine(testing::Values("Judge", "Reserve", "OpenStream",
                                                          "Recheck", "Promise", "Commit", "Abort"),
                                          testing::Values(Fate::kLost, Fate::kAnswerLost,
                                                          Fate::kTwice)));

TEST_P(LostMessageTest, OnceOnly) {
  const auto& [message, fate] = GetParam();
  hosts_.Start();
  std::atomic<int> seen = 0;
  hosts_.fate = [&, message = message, fate = fate](const std::string& name,
                                                    const TwoHosts::Host&) {
    return name == message && ++seen == 1 ? fate : Fate::kDelivered;
  };
  const v1::Migration migration = hosts_.Migrate();
  ASSERT_TRUE(hosts_.AwaitThat([&] { return hosts_.AtRest(); }));
  migration.state() == State::STATE_SUCCEEDED ? ExpectMoved(migration) : ExpectStayed(migration);
  if (fate == Fate::kTwice || message == "Commit" || message == "Abort") {
    EXPECT_EQ(migration.state(), State::STATE_SUCCEEDED) << migration.DebugString();
  }
}

TEST_P(LostMessageTest, AndNothingComesThroughAfterIt) {
  const auto& [message, fate] = GetParam();
  hosts_.Start();
  std::atomic<bool> cut = false;
  std::atomic<bool> healed = false;
  hosts_.fate = [&, message = message, fate = fate](const std::string& name,
                                                    const TwoHosts::Host&) {
    if (healed) return Fate::kDelivered;
    if (cut) return Fate::kLost;
    if (name != message) return Fate::kDelivered;
    cut = true;
    return fate;
  };
  const std::string name = hosts_.Create(hosts_.Request())->name();
  // Long enough for every time-out but those that wait for the link.
  hosts_.AwaitThat([&] {
    const absl::StatusOr<v1::Migration> now = hosts_.a.migrator().Get(name);
    return now->has_end_time() || (cut && now->state() == State::STATE_COMMITTED);
  });
  EXPECT_FALSE(hosts_.qemu.SplitBrain());
  healed = true;
  const v1::Migration migration = hosts_.AwaitEnd(name);
  ASSERT_TRUE(hosts_.AwaitThat([&] { return hosts_.AtRest(); })) << Reservation().DebugString();
  migration.state() == State::STATE_SUCCEEDED ? ExpectMoved(migration) : ExpectStayed(migration);
}

}  // namespace
}  // namespace vuf
