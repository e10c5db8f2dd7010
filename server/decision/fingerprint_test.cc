#include "server/decision/fingerprint.h"

#include <functional>
#include <set>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "server/decision/each_fact.h"
#include "server/decision/rule_rows.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

TEST(FingerprintTest, IsStable) {
  // Stored with migrations: a change of this value is a change of the format.
  EXPECT_EQ(Fingerprint(SafeFacts()), "468d5ebc475ee62c7d54e4192356e17f");
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

TEST(FingerprintTest, ChangesWithWhoKeepsTheSession) {
  const std::function<void(Facts&)> changes[] = {
      [](Facts&) {},
      [](Facts& f) { Keeper(f.source).instance[0] = 'f'; },
      [](Facts& f) { Keeper(f.source).session[0] = '0'; },
      [](Facts& f) { Keeper(*f.destination).control_socket += "2"; },
      [](Facts& f) { Kept(f.source).process.pid += 1; },
      [](Facts& f) { Be(f.source).keeper = Unknown<KeeperFacts>("gone"); },
      [](Facts& f) { Be(f.source).kept = Unknown<KeptBackEnd>("gone"); },
  };
  std::set<std::string> seen;
  for (const auto& change : changes) {
    Facts facts = SafeKeeperFacts();
    change(facts);
    EXPECT_TRUE(seen.insert(Fingerprint(facts)).second);
  }
}

TEST(FingerprintTest, DoesNotChangeWithWhatAHandOverChanges) {
  Facts facts = SafeKeeperFacts();
  for (VmFacts* vm : {&facts.source, &*facts.destination}) {
    Keeper(*vm).phase = KeeperFacts::Phase::kLoaded;
    Keeper(*vm).permit = "m1";
    Keeper(*vm).fenced = true;
    Keeper(*vm).front_ends[1].role = KeeperFacts::Role::kNominee;
    Keeper(*vm).unanswered = 3;
    Kept(*vm).state = ProcessState::kUninterruptible;
  }
  EXPECT_EQ(Fingerprint(facts), Fingerprint(SafeKeeperFacts()));
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
