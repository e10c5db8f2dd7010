// What holds for every verdict, whatever the rules are.
#include "server/decision/evaluate.h"

#include <algorithm>
#include <set>
#include <string>
#include <tuple>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/decision/each_fact.h"
#include "server/decision/rule_rows.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

testing::Matcher<Finding> Code(const std::string& code) { return Field(&Finding::code, code); }

std::vector<Mode> ModesOf(const Verdict& verdict) {
  std::vector<Mode> modes;
  for (const DeviceVerdict& device : verdict.devices) modes.push_back(device.mode);
  return modes;
}

bool EndsWith(const std::string& fact, const std::string& end) {
  return fact.size() >= end.size() && fact.compare(fact.size() - end.size(), end.size(), end) == 0;
}

bool EndsWithOneOf(const std::string& fact, const std::vector<std::string>& ends) {
  return std::any_of(ends.begin(), ends.end(),
                     [&](const std::string& end) { return EndsWith(fact, end); });
}

// Facts that only illustrate others, or that matter on the other side only.
bool DecidesNothing(const std::string& fact) {
  return EndsWithOneOf(fact, {".guest_name", ".executable", ".version_line", ".security_label",
                              ".driver_running"}) ||
         fact == "source.started_paused";
}

bool DecidesNothingPlain(const std::string& fact) {
  return DecidesNothing(fact) || EndsWithOneOf(fact, {".keeper", ".kept", ".open_files"}) ||
         fact == "source.fs0.back_end.effective_capabilities" ||
         fact == "destination.fs0.back_end.file_handles";
}

// What a plain back-end would say of itself is hidden behind the keeper; of the keeper itself,
// which is one process for both sides, the session's identity counts, and the profile at the
// source.
bool DecidesNothingOfAKeeper(const std::string& fact) {
  return DecidesNothing(fact) ||
         EndsWithOneOf(fact, {"back_end.version", "back_end.options", "back_end.features",
                              "back_end.effective_capabilities", "back_end.share",
                              "back_end.front_ends", "back_end.file_handles", "back_end.submounts",
                              "back_end.ids", "back_end.descriptors", "back_end.open_files"}) ||
         fact == "destination.fs0.back_end.profile_modes";
}

struct SafeWorld {
  const char* name;
  Facts (*facts)();
  bool (*decides_nothing)(const std::string& fact);
};

class UnknownTest : public testing::TestWithParam<SafeWorld> {};

INSTANTIATE_TEST_SUITE_P(
    Worlds, UnknownTest,
    testing::Values(SafeWorld{"Plain", [] { return SafeFacts(); }, DecidesNothingPlain},
                    SafeWorld{"Keeper", [] { return SafeKeeperFacts(); }, DecidesNothingOfAKeeper}),
    [](const auto& info) { return info.param.name; });

TEST(EvaluateTest, TheSafeWorldIsAllowedWithoutAFinding) {
  for (const int devices : {1, 2, 8}) {
    const Verdict verdict = Evaluate(SafeFacts(devices));
    EXPECT_TRUE(verdict.allow);
    EXPECT_EQ(verdict.mode, Mode::kStateful);
    EXPECT_THAT(verdict.devices, SizeIs(devices));
    EXPECT_THAT(ModesOf(verdict), Each(Mode::kStateful));
    EXPECT_THAT(verdict.blockers, IsEmpty());
    EXPECT_THAT(verdict.warnings, IsEmpty());
    EXPECT_EQ(verdict.devices[0].device, "fs0");
    EXPECT_EQ(verdict.devices[0].tag, "share0");
    EXPECT_EQ(verdict.devices[0].socket_path, "/run/vuf/source-fs0.sock");
  }
}

TEST(EvaluateTest, FactsOfDefaultValuesRefuse) {
  const Verdict verdict = Evaluate(Facts());
  EXPECT_FALSE(verdict.allow);
  EXPECT_EQ(verdict.mode, Mode::kNone);
  EXPECT_THAT(verdict.devices, IsEmpty());
  for (const char* code :
       {"NO_MODE_PERMITTED", "DESTINATION_NOT_GIVEN", "MONITOR_UNREACHABLE", "FACT_UNKNOWN"}) {
    EXPECT_THAT(verdict.blockers, Contains(Code(code)));
  }
}

TEST(EvaluateTest, DefaultDevicesRefuse) {
  Facts facts = SafeFacts();
  facts.source.devices.value->push_back(FsDeviceFacts());
  facts.destination->devices.value->push_back(FsDeviceFacts());
  const Verdict verdict = Evaluate(facts);
  EXPECT_FALSE(verdict.allow);
  EXPECT_EQ(verdict.mode, Mode::kNone);
}

TEST_P(UnknownTest, NoSingleUnknownFactIsAllowed) {
  std::set<std::string> names;
  Facts safe = GetParam().facts();
  ForEachFact(safe, [&](const std::string& name, auto&) { names.insert(name); });
  ASSERT_EQ(names.size(), 2u + 2 * (15 + 8 + 23));
  for (const std::string& spoiled : names) {
    SCOPED_TRACE(spoiled);
    Facts facts = GetParam().facts();
    ForEachFact(facts, [&](const std::string& name, auto& evidence) {
      if (name != spoiled) return;
      using Value = typename std::decay_t<decltype(evidence.value)>::value_type;
      evidence = Unknown<Value>("could not look");
    });
    const Verdict verdict = Evaluate(facts);
    EXPECT_EQ(verdict.allow, GetParam().decides_nothing(spoiled));
    if (GetParam().decides_nothing(spoiled)) continue;
    EXPECT_EQ(verdict.mode, Mode::kNone);
    ASSERT_FALSE(verdict.blockers.empty());
    EXPECT_THAT(verdict.blockers[0].message, HasSubstr("could not look"));
  }
}

TEST(EvaluateTest, AnUnknownRingIsRefusedOnlyBetweenDifferentVersions) {
  Facts facts = SafeFacts();
  facts.source.devices.value->at(0).ring_size = Unknown<uint32_t>("could not look");
  EXPECT_TRUE(Evaluate(facts).allow);
  facts.destination->qemu_version.value = Version{10, 0, 13};
  const Verdict verdict = Evaluate(facts);
  EXPECT_FALSE(verdict.allow);
  EXPECT_THAT(verdict.blockers, Each(Code("FACT_UNKNOWN")));
}

TEST_P(UnknownTest, NoSingleOldOrFutureFactIsAllowed) {
  std::set<std::string> names;
  Facts safe = GetParam().facts();
  ForEachFact(safe, [&](const std::string& name, auto&) { names.insert(name); });
  for (const std::string& spoiled : names) {
    for (const absl::Duration shift : {absl::Seconds(-10), absl::Seconds(2)}) {
      SCOPED_TRACE(spoiled);
      Facts facts = GetParam().facts();
      ForEachFact(facts, [&](const std::string& name, auto& evidence) {
        if (name == spoiled) evidence.observed_at += shift;
      });
      const Verdict verdict = Evaluate(facts);
      EXPECT_EQ(verdict.allow, GetParam().decides_nothing(spoiled));
      EXPECT_THAT(verdict.blockers, Each(Code("EVIDENCE_STALE")));
    }
  }
}

TEST(EvaluateTest, EvidenceAgesToTheLimitAndNoFurther) {
  Facts facts = SafeFacts();
  facts.now = SafeTime() + facts.max_age;
  EXPECT_TRUE(Evaluate(facts).allow);
  facts.now += absl::Nanoseconds(1);
  EXPECT_FALSE(Evaluate(facts).allow);
  facts.max_age = absl::InfiniteDuration();
  EXPECT_TRUE(Evaluate(facts).allow);
  facts.now = absl::InfiniteFuture();
  EXPECT_FALSE(Evaluate(facts).allow) << "nobody said when it is judged";
}

TEST(EvaluateTest, GapsOfOneSubjectAreOneFindingThatNamesThemAll) {
  Facts facts = SafeFacts();
  facts.source.uuid = Unknown<std::string>("timed out");
  facts.source.run_state = Unknown<std::string>("garbage");
  const Verdict verdict = Evaluate(facts);
  ASSERT_THAT(verdict.blockers, ElementsAre(Code("FACT_UNKNOWN")));
  EXPECT_THAT(verdict.blockers[0].message, HasSubstr("query-uuid (timed out)"));
  EXPECT_THAT(verdict.blockers[0].message, HasSubstr("query-status.status (garbage)"));
  EXPECT_THAT(verdict.blockers[0].evidence, SizeIs(2));
}

TEST(EvaluateTest, TheOrderOfDevicesDoesNotMatter) {
  Facts facts = SafeFacts(4);
  *Fs(*facts.destination, 2).tag.value = "other";
  Fs(facts.source, 1).chardev.value->connected = false;
  const Verdict expected = Evaluate(facts);
  std::reverse(facts.source.devices.value->begin(), facts.source.devices.value->end());
  std::rotate(facts.destination->devices.value->begin(),
              facts.destination->devices.value->begin() + 1,
              facts.destination->devices.value->end());
  const Verdict verdict = Evaluate(facts);
  EXPECT_EQ(verdict.fingerprint, expected.fingerprint);
  EXPECT_EQ(ModesOf(verdict), ModesOf(expected));
  ASSERT_EQ(verdict.blockers.size(), expected.blockers.size());
  for (size_t i = 0; i < verdict.blockers.size(); ++i) {
    EXPECT_EQ(verdict.blockers[i].code, expected.blockers[i].code);
    EXPECT_EQ(verdict.blockers[i].subject, expected.blockers[i].subject);
    EXPECT_EQ(verdict.blockers[i].message, expected.blockers[i].message);
  }
}

TEST(EvaluateTest, OneDeviceThatMayNotGoKeepsTheVm) {
  Facts facts = SafeFacts(3);
  *Fs(*facts.destination, 1).tag.value = "other";
  const Verdict verdict = Evaluate(facts);
  EXPECT_FALSE(verdict.allow);
  EXPECT_EQ(verdict.mode, Mode::kNone);
  EXPECT_THAT(ModesOf(verdict), ElementsAre(Mode::kStateful, Mode::kNone, Mode::kStateful));
  ASSERT_THAT(verdict.blockers, ElementsAre(Code("TAG_DIFFERS")));
  EXPECT_EQ(verdict.blockers[0].subject, "fs1");
}

TEST(EvaluateTest, ABlockerOfTheVmKeepsEveryDevice) {
  Facts facts = SafeFacts(2);
  facts.running_migration = "migrations/m1";
  EXPECT_THAT(ModesOf(Evaluate(facts)), Each(Mode::kNone));
}

TEST(EvaluateTest, CrossedBackEndsAndSharesAreRefused) {
  Facts facts = SafeFacts(2);
  std::swap(Fs(*facts.destination, 0).back_end, Fs(*facts.destination, 1).back_end);
  const Verdict verdict = Evaluate(facts);
  EXPECT_FALSE(verdict.allow);
  EXPECT_THAT(verdict.blockers, Each(Code("SHARE_DIFFERS")));
  EXPECT_THAT(verdict.blockers, SizeIs(2));
}

TEST(EvaluateTest, ABackEndOfAnotherDeviceIsNotFresh) {
  Facts facts = SafeFacts(2);
  Fs(*facts.destination, 1).back_end.process = Fs(facts.source, 0).back_end.process;
  EXPECT_THAT(Evaluate(facts).blockers, ElementsAre(Code("BACK_END_NOT_DISTINCT")));
}

TEST(EvaluateTest, ReasonsAgainstAnUnneededModeAreNotMentioned) {
  Facts facts = SafeFacts();
  facts.request.allow_stateless = true;
  const Verdict verdict = Evaluate(facts);
  EXPECT_TRUE(verdict.allow);
  EXPECT_EQ(verdict.mode, Mode::kStateful);
  EXPECT_THAT(verdict.blockers, IsEmpty());
}

TEST(EvaluateTest, ARefusalNamesTheReasonsAgainstEveryPermittedMode) {
  Facts facts = SafeFacts();
  facts.request.allow_stateless = true;
  Fs(facts.source).back_end.features.value->clear();
  EXPECT_THAT(Evaluate(facts).blockers,
              ElementsAre(Code("BACK_END_LACKS_DEVICE_STATE"), Code("BACK_END_NOT_STATELESS"),
                          Code("STATELESS_NOT_SUPPORTED_BY_QEMU")));
  facts.request.allow_stateless = false;
  EXPECT_THAT(Evaluate(facts).blockers, ElementsAre(Code("BACK_END_LACKS_DEVICE_STATE")));
}

TEST(EvaluateTest, WithoutADestinationTheSourceIsJudgedAllTheSame) {
  Facts facts = SafeFacts();
  facts.request.has_destination = false;
  facts.source.memory_backends.value->clear();
  const Verdict verdict = Evaluate(facts);
  EXPECT_FALSE(verdict.allow);
  EXPECT_THAT(verdict.blockers,
              ElementsAre(Code("DESTINATION_NOT_GIVEN"), Code("MEMORY_NOT_SHARED")));
}

TEST(EvaluateTest, FindingsAreOrderedBySideSubjectAndCode) {
  Facts facts = SafeFacts(2);
  facts.running_migration = "migrations/m1";
  facts.request.has_destination = true;
  for (VmFacts* vm : {&*facts.destination, &facts.source}) {
    vm->memory_backends.value->clear();
    for (FsDeviceFacts& device : *vm->devices.value) {
      device.chardev.value->connected = false;
      device.back_end.front_ends.value = 2;
    }
  }
  const Verdict verdict = Evaluate(facts);
  ASSERT_GE(verdict.blockers.size(), 10u);
  EXPECT_TRUE(std::is_sorted(
      verdict.blockers.begin(), verdict.blockers.end(), [](const Finding& a, const Finding& b) {
        return std::tie(a.side, a.subject, a.code) < std::tie(b.side, b.subject, b.code);
      }));
}

}  // namespace
}  // namespace vuf
