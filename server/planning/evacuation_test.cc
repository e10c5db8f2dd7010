#include "server/planning/evacuation.h"

#include <algorithm>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Facts BothModes(Facts facts) {
  facts.request.allow_stateless = true;
  facts.request.allow_stateful = true;
  return facts;
}

EvacuationStep Blocked(const std::string& vm, const std::vector<std::string>& codes) {
  EvacuationStep step;
  step.vm = vm;
  step.mode = Mode::kStateful;
  for (const std::string& code : codes) {
    Finding finding;
    finding.code = code;
    finding.remedy = "mend " + code;
    step.blockers.push_back(finding);
  }
  return step;
}

EvacuationStep Ready(const std::string& vm, Mode mode, uint64_t memory) {
  EvacuationStep step;
  step.vm = vm;
  step.mode = mode;
  step.memory_bytes = memory;
  return step;
}

std::vector<std::string> Vms(const std::vector<EvacuationStep>& steps) {
  std::vector<std::string> vms;
  for (const EvacuationStep& step : steps) vms.push_back(step.vm);
  return vms;
}

TEST(EvacuationTest, ASafeVmIsReadyInItsBestMode) {
  const EvacuationStep plain = JudgeForEvacuation("vms/a", BothModes(SafeFacts()));
  EXPECT_THAT(plain.blockers, IsEmpty());
  EXPECT_EQ(plain.mode, Mode::kStateful);
  EXPECT_EQ(plain.memory_bytes, uint64_t{128} << 20);
  const EvacuationStep keeper = JudgeForEvacuation("vms/b", BothModes(SafeKeeperFacts()));
  EXPECT_EQ(keeper.mode, Mode::kStateless);
  const EvacuationStep mixed = JudgeForEvacuation("vms/c", BothModes(SafeKeeperFacts(1, 1)));
  EXPECT_THAT(mixed.blockers, IsEmpty()) << "one device each way";
}

TEST(EvacuationTest, TheModeWithTheFewestBlockersCounts) {
  Facts facts = BothModes(SafeFacts());
  facts.source.devices.value->at(0).back_end.version.value = Version{1, 10, 0};
  const EvacuationStep step = JudgeForEvacuation("vms/a", facts);
  EXPECT_EQ(step.mode, Mode::kStateful);
  EXPECT_TRUE(std::none_of(step.blockers.begin(), step.blockers.end(), [](const Finding& one) {
    return one.code == "STATELESS_NOT_SUPPORTED_BY_QEMU";
  })) << "what speaks against the other mode is no reason";
}

TEST(EvacuationTest, ARequestThatPermitsNothingMovesNothing) {
  Facts facts = SafeFacts();
  facts.request.allow_stateful = false;
  const EvacuationPlan plan = PlanEvacuation({JudgeForEvacuation("vms/a", facts)});
  EXPECT_THAT(plan.ready, IsEmpty());
  EXPECT_THAT(Vms(plan.blocked), ElementsAre("vms/a"));
}

TEST(EvacuationTest, OnlyADestinationIsMissing) {
  Facts facts = BothModes(SafeFacts());
  facts.request.has_destination = false;
  facts.destination.reset();
  const EvacuationPlan plan = PlanEvacuation({JudgeForEvacuation("vms/a", facts)});
  EXPECT_THAT(Vms(plan.need_destination), ElementsAre("vms/a"));
  EXPECT_THAT(plan.blocked, IsEmpty());
}

TEST(EvacuationTest, StatelessGoesFirstThenLessMemory) {
  const EvacuationPlan plan =
      PlanEvacuation({Ready("vms/big", Mode::kStateful, 9), Ready("vms/small", Mode::kStateful, 1),
                      Ready("vms/kept", Mode::kStateless, 99)});
  EXPECT_THAT(Vms(plan.ready), ElementsAre("vms/kept", "vms/small", "vms/big"));
}

TEST(EvacuationTest, FixesFreeVmsAsEarlyAsCanBe) {
  const EvacuationPlan plan = PlanEvacuation(
      {Blocked("vms/a", {"X", "Y", "Z"}), Blocked("vms/b", {"Y"}), Blocked("vms/c", {"X", "Y"})});
  EXPECT_THAT(Vms(plan.blocked), ElementsAre("vms/b", "vms/c", "vms/a"));
  ASSERT_EQ(plan.fixes.size(), 3u);
  EXPECT_EQ(plan.fixes[0].code, "Y");
  EXPECT_EQ(plan.fixes[0].remedy, "mend Y");
  EXPECT_THAT(plan.fixes[0].vms, ElementsAre("vms/b", "vms/c", "vms/a"));
  EXPECT_THAT(plan.fixes[0].frees, ElementsAre("vms/b"));
  EXPECT_EQ(plan.fixes[1].code, "X");
  EXPECT_THAT(plan.fixes[1].frees, ElementsAre("vms/c"));
  EXPECT_THAT(plan.fixes[2].frees, ElementsAre("vms/a"));
}

TEST(EvacuationTest, OneCodeTwiceIsOneFix) {
  const EvacuationPlan plan = PlanEvacuation({Blocked("vms/a", {"X", "X"})});
  EXPECT_EQ(plan.fixes.size(), 1u);
}

}  // namespace
}  // namespace vuf
