// Prepared sides give the very verdict that Evaluate gives, whatever is wrong with which side and
// however old it is.
#include "server/decision/prepare.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/decision/each_fact.h"
#include "server/decision/evaluate.h"
#include "server/decision/prepared_sides.h"
#include "server/decision/rule_rows.h"
#include "server/decision/shadow.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

// All of it.
std::string Text(const Verdict& verdict) {
  std::string text = absl::StrCat(verdict.allow, " ", static_cast<int>(verdict.mode), " ",
                                  verdict.fingerprint, " ", absl::FormatTime(verdict.evaluated_at),
                                  " ", verdict.blockers.size(), " blockers\n");
  for (const std::string& policy : verdict.policies) absl::StrAppend(&text, policy, "\n");
  for (const DeviceVerdict& device : verdict.devices) {
    absl::StrAppend(&text, device.device, " ", device.tag, " ", static_cast<int>(device.mode), " ",
                    device.socket_path, "\n");
  }
  return text + FindingsOf(verdict);
}

// Both ways, `later` than the sides were prepared.
void ExpectSame(const Sides& source, const Sides& destination, absl::Duration later) {
  Facts facts = source.source.facts();
  facts.destination = destination.source.facts().destination;
  facts.now += later;
  ASSERT_EQ(Text(Judge(source.source, destination.destination.get(), facts.now)),
            Text(Evaluate(facts)));
}

std::vector<std::unique_ptr<Sides>> AllSides() {
  std::vector<std::unique_ptr<Sides>> sides;
  for (const RuleRow& row : AllRows()) sides.push_back(std::make_unique<Sides>(row.Spoiled()));
  for (const int devices : {0, 2, 8}) {
    sides.push_back(std::make_unique<Sides>(SafeFacts(devices)));
    sides.push_back(std::make_unique<Sides>(SafeKeeperFacts(devices, 1)));
  }
  return sides;
}

TEST(PrepareTest, EverySpoiledWorldIsJudgedAsItIsEvaluated) {
  for (const RuleRow& row : AllRows()) {
    SCOPED_TRACE(row.what);
    const Sides sides(row.Spoiled());
    for (const int later : {0, 1, 8, 9, 10, 11, 3600}) {
      ExpectSame(sides, sides, absl::Seconds(later));
    }
  }
}

// A source of one world with a destination of another: as in a batch, but worse.
TEST(PrepareTest, AnySourceWithAnyDestinationIsJudgedAsItIsEvaluated) {
  const std::vector<std::unique_ptr<Sides>> sides = AllSides();
  int shared = 0;
  for (size_t i = 0; i < sides.size(); ++i) {
    // A fifth of the destinations, another for each source.
    for (size_t j = i % 5; j < sides.size(); j += 5) {
      SCOPED_TRACE(absl::StrCat(i, " to ", j));
      ExpectSame(*sides[i], *sides[j], absl::ZeroDuration());
      if (testing::Test::HasFatalFailure()) return;
      const auto& destination = sides[j]->destination;
      const absl::Time now = sides[i]->source.facts().now;
      if (destination && destination->HoldsFor(sides[i]->source, now)) ++shared;
    }
  }
  EXPECT_GE(shared, 5000) << "most were not judged as prepared";
}

// Every fact of every kind forgotten, made old, or said by nobody, on either side.
TEST(PrepareTest, AnyFactSpoiledIsJudgedAsItIsEvaluated) {
  const std::function<Facts()> worlds[] = {[] { return SafeFacts(2); },
                                           [] { return SafeKeeperFacts(1, 1); },
                                           [] { return SafeOtherHostFacts(); }};
  int tried = 0;
  for (const auto& world : worlds) {
    for (const Spoil how :
         {Spoil::kForgotten, Spoil::kOld, Spoil::kFromTheFuture, Spoil::kOfNobody}) {
      for (size_t i = 0;; ++i) {
        Facts facts = world();
        const auto each = [&facts](auto visit) { ForEachFact(facts, visit); };
        if (!SpoilOne(each, i, how)) break;
        const Sides sides(facts);
        ExpectSame(sides, sides, absl::ZeroDuration());
        ExpectSame(sides, sides, absl::Minutes(1));
        ++tried;
      }
    }
  }
  EXPECT_GE(tried, 500);
}

TEST(PrepareTest, HoldsUntilTheFirstFactIsTooOld) {
  Facts facts = SafeFacts();
  facts.source.uuid.observed_at -= absl::Seconds(3);
  Be(Dst(facts)).share.observed_at -= absl::Seconds(5);
  const Sides sides(facts);
  // Observed at SafeTime(), and good for ten seconds.
  EXPECT_TRUE(sides.source.HoldsAt(SafeTime() + absl::Seconds(7)));
  EXPECT_FALSE(sides.source.HoldsAt(SafeTime() + absl::Seconds(7) + absl::Nanoseconds(1)));
  EXPECT_TRUE(sides.destination->HoldsFor(sides.source, SafeTime() + absl::Seconds(5)));
  EXPECT_FALSE(sides.destination->HoldsFor(sides.source,
                                           SafeTime() + absl::Seconds(5) + absl::Nanoseconds(1)));
  EXPECT_TRUE(Judge(sides.source, sides.destination.get(), SafeTime() + absl::Seconds(5)).allow);
  EXPECT_FALSE(Judge(sides.source, sides.destination.get(),
                     SafeTime() + absl::Seconds(5) + absl::Nanoseconds(1))
                   .allow);
}

TEST(PrepareTest, HoldsUntilAFactIsNoLongerFromTheFuture) {
  Facts facts = SafeFacts();
  facts.source.uuid.observed_at = facts.now + absl::Seconds(2);
  const Sides sides(facts);
  EXPECT_TRUE(sides.source.HoldsAt(facts.now + absl::Seconds(1)));
  EXPECT_FALSE(sides.source.HoldsAt(facts.now + absl::Seconds(2)));
  EXPECT_FALSE(Judge(sides.source, sides.destination.get(), facts.now).allow);
  EXPECT_TRUE(Judge(sides.source, sides.destination.get(), facts.now + absl::Seconds(2)).allow);
}

TEST(PrepareTest, DoesNotHoldBeforeItWasPreparedNorAtNoTime) {
  const Facts facts = SafeFacts();
  const Sides sides(facts);
  EXPECT_FALSE(sides.source.HoldsAt(facts.now - absl::Nanoseconds(1)));
  EXPECT_FALSE(sides.source.HoldsAt(absl::InfiniteFuture()));
  EXPECT_FALSE(sides.source.HoldsAt(absl::InfinitePast()));
  EXPECT_FALSE(Judge(sides.source, sides.destination.get(), absl::InfiniteFuture()).allow);
  EXPECT_FALSE(PreparedSource(std::make_shared<const Facts>()).HoldsAt(facts.now));
}

TEST(PrepareTest, ShadowPoliciesHaveTheirSay) {
  Facts facts = SafeFacts();
  facts.shadow_policy = *facts.policy.value;
  facts.shadow_policy->holds.push_back({"migrationPolicies/night@2", "ops", "maintenance", {}});
  const Sides sides(facts);
  const Verdict judged = JudgeWithShadow(sides.source, sides.destination.get(), facts.now);
  EXPECT_TRUE(judged.allow);
  ASSERT_TRUE(judged.shadow.has_value());
  EXPECT_FALSE(judged.shadow->allow);
  EXPECT_EQ(judged.shadow, EvaluateWithShadow(facts).shadow);
  const Sides plain(SafeFacts());
  EXPECT_FALSE(
      JudgeWithShadow(plain.source, plain.destination.get(), facts.now).shadow.has_value());
}

TEST(PrepareTest, ADestinationIsForOneKindOfRequestOnly) {
  const Facts facts = SafeFacts();
  const Sides sides(facts);
  EXPECT_TRUE(sides.destination->HoldsFor(Sides(SafeFacts(3)).source, facts.now));
  Facts other = facts;
  other.request.shared_ram = true;
  EXPECT_FALSE(sides.destination->HoldsFor(Sides(other).source, facts.now));
  other = facts;
  other.max_age = absl::Seconds(1);
  EXPECT_FALSE(sides.destination->HoldsFor(Sides(other).source, facts.now));
  EXPECT_FALSE(sides.destination->HoldsFor(Sides(SafeOtherHostFacts()).source, facts.now));
}

}  // namespace
}  // namespace vuf
