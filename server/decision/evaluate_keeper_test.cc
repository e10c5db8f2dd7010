// Verdicts about VMs with keepers, as a whole.
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/decision/evaluate.h"
#include "server/decision/rule_rows.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;
using testing::SizeIs;

testing::Matcher<Finding> Code(const std::string& code) { return Field(&Finding::code, code); }

std::vector<Mode> ModesOf(const Verdict& verdict) {
  std::vector<Mode> modes;
  for (const DeviceVerdict& device : verdict.devices) modes.push_back(device.mode);
  return modes;
}

void ExpectAllowed(const Verdict& verdict, Mode mode) {
  EXPECT_TRUE(verdict.allow);
  EXPECT_EQ(verdict.mode, mode);
  EXPECT_THAT(verdict.blockers, IsEmpty());
  EXPECT_THAT(verdict.warnings, IsEmpty());
}

TEST(EvaluateKeeperTest, TheSafeWorldIsAllowedStatelesslyWithoutAFinding) {
  for (const int devices : {1, 2, 8}) {
    Facts facts = SafeKeeperFacts(devices);
    ExpectAllowed(Evaluate(facts), Mode::kStateless);
    EXPECT_THAT(ModesOf(Evaluate(facts)), Each(Mode::kStateless));
    facts.request.allow_stateful = true;
    ExpectAllowed(Evaluate(facts), Mode::kStateless);
  }
}

TEST(EvaluateKeeperTest, AMixedVmGoesInBothModes) {
  Facts facts = SafeKeeperFacts(1, 1);
  const Verdict verdict = Evaluate(facts);
  ExpectAllowed(verdict, Mode::kStateful);
  EXPECT_THAT(ModesOf(verdict), ElementsAre(Mode::kStateless, Mode::kStateful));
  facts.request.allow_stateful = false;
  EXPECT_THAT(ModesOf(Evaluate(facts)), ElementsAre(Mode::kStateless, Mode::kNone));
  facts.request.allow_stateful = true;
  facts.request.allow_stateless = false;
  EXPECT_THAT(ModesOf(Evaluate(facts)), ElementsAre(Mode::kNone, Mode::kStateful));
}

TEST(EvaluateKeeperTest, CrossedOverKeepersAreRefused) {
  Facts facts = SafeKeeperFacts(2);
  std::swap(Fs(*facts.destination, 0).back_end, Fs(*facts.destination, 1).back_end);
  const Verdict verdict = Evaluate(facts);
  EXPECT_FALSE(verdict.allow);
  EXPECT_THAT(verdict.blockers, Each(Code("KEEPER_OTHER_INSTANCE")));
  EXPECT_THAT(verdict.blockers, SizeIs(2));
}

TEST(EvaluateKeeperTest, TwoDevicesOfOneKeeperAreRefused) {
  Facts facts = SafeKeeperFacts(2);
  for (VmFacts* vm : {&facts.source, &*facts.destination}) {
    const uint64_t inode = Be(*vm, 1).socket.value->peer_inode;
    Be(*vm, 1) = Be(*vm, 0);
    Be(*vm, 1).socket.value->peer_inode = inode;
  }
  const Verdict verdict = Evaluate(facts);
  EXPECT_FALSE(verdict.allow);
  EXPECT_THAT(ModesOf(verdict), ElementsAre(Mode::kStateless, Mode::kNone));
}

TEST(EvaluateKeeperTest, ARefusedKeeperNamesEveryPermittedMode) {
  Facts facts = SafeKeeperFacts();
  facts.request.allow_stateful = true;
  Keeper(facts.source).session[0] = '0';
  EXPECT_THAT(Evaluate(facts).blockers,
              ElementsAre(Code("KEEPER_OTHER_INSTANCE"), Code("KEEPER_STATEFUL_SAME_KEEPER")));
}

TEST(EvaluateKeeperTest, TheSecondStageTakesARecordOfAnyAgeButNoOldDestination) {
  Facts facts = SafeKeeperFacts();
  MakeSecondStage(facts);
  facts.max_age = absl::Seconds(10);
  facts.now += absl::Hours(3);
  EXPECT_THAT(Evaluate(facts).blockers, Each(Field(&Finding::side, testing::Ne(Side::kSource))));
  EXPECT_FALSE(Evaluate(facts).allow);
  facts.now -= absl::Hours(3);
  const auto age = [](auto& evidence) { evidence.observed_at -= absl::Hours(3); };
  age(facts.source.devices);
  age(facts.source.run_state);
  age(Be(facts.source).keeper);
  age(Be(facts.source).process);
  ExpectAllowed(Evaluate(facts), Mode::kStateless);
  facts.request.sequential = false;
  EXPECT_FALSE(Evaluate(facts).allow);
}

TEST(EvaluateKeeperTest, ASequentialMigrationNeedsEveryDeviceBehindAKeeper) {
  Facts facts = SafeKeeperFacts(1, 1);
  facts.request.sequential = true;
  facts.destination.reset();
  const Verdict verdict = Evaluate(facts);
  EXPECT_FALSE(verdict.allow);
  EXPECT_THAT(ModesOf(verdict), ElementsAre(Mode::kStateless, Mode::kNone));
  EXPECT_THAT(verdict.blockers, testing::Contains(Code("SEQUENTIAL_NEEDS_KEEPER")));
}

}  // namespace
}  // namespace vuf
