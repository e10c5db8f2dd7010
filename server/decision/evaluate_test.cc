// What holds for every verdict, whatever the rules are.
#include "server/decision/evaluate.h"

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <tuple>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/decision/fingerprint.h"
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

FsDeviceFacts& Fs(VmFacts& vm, size_t i = 0) { return (*vm.devices.value)[i]; }

// Calls `visit` with the name and a reference of every piece of evidence in the facts.
template <typename Visit>
void ForEachBackEndFact(const std::string& at, BackEndFacts& back_end, Visit visit) {
  visit(at + "socket", back_end.socket);
  visit(at + "process", back_end.process);
  visit(at + "process_state", back_end.process_state);
  visit(at + "executable", back_end.executable);
  visit(at + "executable_deleted", back_end.executable_deleted);
  visit(at + "version_line", back_end.version_line);
  visit(at + "kind", back_end.kind);
  visit(at + "version", back_end.version);
  visit(at + "options", back_end.options);
  visit(at + "features", back_end.features);
  visit(at + "effective_capabilities", back_end.effective_capabilities);
  visit(at + "share", back_end.share);
  visit(at + "front_ends", back_end.front_ends);
  visit(at + "profile_modes", back_end.profile_modes);
}

template <typename Visit>
void ForEachVmFact(const std::string& at, VmFacts& vm, Visit visit) {
  for (FsDeviceFacts& device : *vm.devices.value) {
    const std::string below = at + device.id + ".";
    visit(below + "tag", device.tag);
    visit(below + "request_queues", device.request_queues);
    visit(below + "queue_size", device.queue_size);
    visit(below + "pci_address", device.pci_address);
    visit(below + "chardev_label", device.chardev_label);
    visit(below + "chardev", device.chardev);
    visit(below + "migration_property", device.migration_property);
    ForEachBackEndFact(below + "back_end.", device.back_end, visit);
  }
  visit(at + "monitor", vm.monitor);
  visit(at + "process", vm.process);
  visit(at + "uuid", vm.uuid);
  visit(at + "guest_name", vm.guest_name);
  visit(at + "qemu_version", vm.qemu_version);
  visit(at + "run_state", vm.run_state);
  visit(at + "machine_type", vm.machine_type);
  visit(at + "started_paused", vm.started_paused);
  visit(at + "migration_status", vm.migration_status);
  visit(at + "blocked_reasons", vm.blocked_reasons);
  visit(at + "capabilities", vm.capabilities);
  visit(at + "migration_mode", vm.migration_mode);
  visit(at + "memory_backends", vm.memory_backends);
  visit(at + "devices", vm.devices);
}

template <typename Visit>
void ForEachFact(Facts& facts, Visit visit) {
  visit("boot_id", facts.boot_id);
  ForEachVmFact("source.", facts.source, visit);
  ForEachVmFact("destination.", *facts.destination, visit);
}

// Facts that only illustrate others, or that matter on the other side only.
bool DecidesNothing(const std::string& fact) {
  const auto ends_with = [&fact](const std::string& end) {
    return fact.size() >= end.size() &&
           fact.compare(fact.size() - end.size(), end.size(), end) == 0;
  };
  return ends_with(".guest_name") || ends_with(".executable") || ends_with(".version_line") ||
         fact == "source.started_paused" || fact == "source.fs0.back_end.effective_capabilities";
}

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

TEST(EvaluateTest, NoSingleUnknownFactIsAllowed) {
  std::set<std::string> names;
  Facts safe = SafeFacts();
  ForEachFact(safe, [&](const std::string& name, auto&) { names.insert(name); });
  ASSERT_EQ(names.size(), 1u + 2 * (14 + 7 + 14));
  for (const std::string& spoiled : names) {
    SCOPED_TRACE(spoiled);
    Facts facts = SafeFacts();
    ForEachFact(facts, [&](const std::string& name, auto& evidence) {
      if (name != spoiled) return;
      using Value = typename std::decay_t<decltype(evidence.value)>::value_type;
      evidence = Unknown<Value>("could not look");
    });
    const Verdict verdict = Evaluate(facts);
    EXPECT_EQ(verdict.allow, DecidesNothing(spoiled));
    if (DecidesNothing(spoiled)) continue;
    EXPECT_EQ(verdict.mode, Mode::kNone);
    ASSERT_FALSE(verdict.blockers.empty());
    EXPECT_THAT(verdict.blockers[0].message, HasSubstr("could not look"));
  }
}

TEST(EvaluateTest, NoSingleOldOrFutureFactIsAllowed) {
  std::set<std::string> names;
  Facts safe = SafeFacts();
  ForEachFact(safe, [&](const std::string& name, auto&) { names.insert(name); });
  for (const std::string& spoiled : names) {
    for (const absl::Duration shift : {absl::Seconds(-10), absl::Seconds(2)}) {
      SCOPED_TRACE(spoiled);
      Facts facts = SafeFacts();
      ForEachFact(facts, [&](const std::string& name, auto& evidence) {
        if (name == spoiled) evidence.observed_at += shift;
      });
      const Verdict verdict = Evaluate(facts);
      EXPECT_EQ(verdict.allow, DecidesNothing(spoiled));
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

TEST(FingerprintTest, IsStable) {
  // Stored with migrations: a change of this value is a change of the format.
  EXPECT_EQ(Fingerprint(SafeFacts()), "FINGERPRINT");
}

TEST(FingerprintTest, ChangesWithWhoTakesPart) {
  const std::string safe = Fingerprint(SafeFacts());
  const std::function<void(Facts&)> changes[] = {
      [](Facts& f) { *f.boot_id.value = "other"; },
      [](Facts& f) { f.source.process.value->start_ticks += 1; },
      [](Facts& f) { f.destination->process.value->pid += 1; },
      [](Facts& f) { *f.destination->uuid.value = "other"; },
      [](Facts& f) { *Fs(f.source).tag.value = "other"; },
      [](Facts& f) { Fs(f.source).queue_size.value = 1024; },
      [](Facts& f) { Fs(f.source).back_end.process.value->pid += 1; },
      [](Facts& f) { Fs(f.source).back_end.process = Unknown<ProcessId>("gone"); },
      [](Facts& f) { Fs(*f.destination).back_end.socket.value->file_at_path.inode += 1; },
      [](Facts& f) { Fs(*f.destination).back_end.share.value->root.inode += 1; },
      [](Facts& f) { Fs(f.source).chardev.value->filename = "disconnected:unix:/x"; },
      [](Facts& f) { f.source.devices.value->clear(); },
      [](Facts& f) { f.destination.reset(); },
      [](Facts& f) { std::swap(f.source.devices, f.destination->devices); },
  };
  std::set<std::string> seen = {safe};
  for (const auto& change : changes) {
    Facts facts = SafeFacts();
    change(facts);
    EXPECT_TRUE(seen.insert(Fingerprint(facts)).second);
  }
}

TEST(FingerprintTest, DoesNotChangeWithWhatAMigrationChanges) {
  Facts facts = SafeFacts();
  facts.now += absl::Minutes(1);
  *facts.source.run_state.value = "finish-migrate";
  *facts.source.migration_status.value = "pre-switchover";
  (*facts.source.capabilities.value)["return-path"] = true;
  ForEachFact(facts, [](const std::string&, auto& evidence) {
    evidence.observed_at += absl::Minutes(1);
    evidence.detail = "later";
  });
  EXPECT_EQ(Fingerprint(facts), Fingerprint(SafeFacts()));
}

}  // namespace
}  // namespace vuf
