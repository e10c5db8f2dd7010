// Prepared sides give the very verdict that Evaluate gives, whatever is wrong with which side and
// however old it is; and every rule looks at no more than its scope says. Links a table of rules of
// its own (ShippedRules() is the agent's).
#include "server/decision/prepare.h"

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/decision/each_fact.h"
#include "server/decision/evaluate.h"
#include "server/decision/rule.h"
#include "server/decision/rule_rows.h"
#include "server/decision/shadow.h"
#include "tests/testing/safe_facts.h"

namespace vuf {

absl::Span<const RegisteredRule> ShippedRules();

namespace {

std::vector<RegisteredRule>& Table() {
  static auto& table =
      *new std::vector<RegisteredRule>(ShippedRules().begin(), ShippedRules().end());
  return table;
}

}  // namespace

absl::Span<const RegisteredRule> AllRules() { return Table(); }

namespace {

std::string Text(const Finding& finding) {
  std::string text =
      absl::StrCat(finding.code, " ", static_cast<int>(finding.severity), " ",
                   static_cast<int>(finding.side), " ", finding.subject, " ", finding.message, " ",
                   finding.remedy, " ", static_cast<int>(finding.retry_class), "\n");
  for (const CitedFact& fact : finding.evidence) {
    absl::StrAppend(&text, "  ", fact.fact, "=", fact.value, " ", fact.unknown, " ",
                    static_cast<int>(fact.source), " ", absl::FormatTime(fact.observed_at), " ",
                    fact.detail, "\n");
  }
  return text;
}

std::string FindingsOf(const Verdict& verdict) {
  std::string text;
  for (const Finding& finding : verdict.blockers) text += Text(finding);
  for (const Finding& finding : verdict.warnings) text += Text(finding);
  return text;
}

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

// The two sides of facts, prepared when the facts were gathered.
struct Sides {
  explicit Sides(const Facts& facts) : Sides(std::make_shared<const Facts>(facts)) {}
  explicit Sides(std::shared_ptr<const Facts> facts)
      : source(facts),
        destination(!facts->destination ? nullptr
                                        : std::make_unique<PreparedDestination>(
                                              std::make_shared<const VmFacts>(*facts->destination),
                                              source, facts->now)) {}

  PreparedSource source;
  std::unique_ptr<PreparedDestination> destination;
};

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
    // Every pair in the end, a part of them in each shard's time.
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

enum class Spoil { kForgotten, kOld, kFromTheFuture, kOfNobody };

// Spoils the `wanted`th fact that `for_each` visits. False: there are not so many.
template <typename ForEach>
bool SpoilOne(ForEach for_each, size_t wanted, Spoil how) {
  size_t count = 0;
  for_each([&](const std::string&, auto& evidence) {
    using Value = typename std::decay_t<decltype(evidence.value)>::value_type;
    if (count++ != wanted) return;
    if (how == Spoil::kForgotten) evidence = Unknown<Value>("could not look");
    if (how == Spoil::kOld) evidence.observed_at -= absl::Minutes(1);
    if (how == Spoil::kFromTheFuture) evidence.observed_at += absl::Minutes(1);
    if (how == Spoil::kOfNobody) evidence.source = Source::kNobody;
  });
  return wanted < count;
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

class ScopeTest : public testing::Test {
 protected:
  ~ScopeTest() override { Table().assign(ShippedRules().begin(), ShippedRules().end()); }
};

// What all rules of a scope, and no others, say about a side.
std::string SaidAbout(Side side, const Facts& facts) {
  std::string text;
  const Verdict verdict = Evaluate(facts);
  for (const auto* findings : {&verdict.blockers, &verdict.warnings}) {
    for (const Finding& finding : *findings) {
      if (finding.side == side || finding.side == Side::kNone) text += Text(finding);
    }
  }
  return text;
}

// Calls `visit` with the facts with each piece of evidence of one side forgotten in turn, and with
// the rows' spoiled sides in its place.
void ForEachSpoiledSide(const Facts& facts, Side side,
                        const std::function<void(const Facts&)>& visit) {
  Facts spoiled = facts;
  VmFacts& vm = side == Side::kSource ? spoiled.source : *spoiled.destination;
  size_t next = 0;
  const VmFacts before = vm;
  const auto each = [&vm](auto visit) { ForEachVmFact("", vm, visit); };
  while (before.devices.known() && SpoilOne(each, next++, Spoil::kForgotten)) {
    visit(spoiled);
    vm = before;
  }
  for (const Facts& other : {SafeFacts(2), SafeKeeperFacts(1, 1), SafeKeeperFacts(2)}) {
    vm = side == Side::kSource ? other.source : *other.destination;
    visit(spoiled);
  }
  vm = VmFacts();
  visit(spoiled);
}

// One rule at a time, and no mode permitted, so that none is of no interest: its findings about a
// side are the same whatever becomes of the other side.
void ExpectBlindTo(Side other, Scope scope) {
  const Side own = other == Side::kSource ? Side::kDestination : Side::kSource;
  int rules = 0;
  for (const RegisteredRule& rule : ShippedRules()) {
    if (rule.rule->scope != scope) continue;
    ++rules;
    Table() = {rule};
    for (const RuleRow& row : AllRows()) {
      Facts facts = row.Spoiled();
      if (row.codes.count(rule.code) == 0 || !facts.destination) continue;
      // The second stage of a sequential migration is never judged as prepared.
      if (facts.request.sequential) continue;
      facts.request.allow_stateless = facts.request.allow_stateful = false;
      const std::string expected = SaidAbout(own, facts);
      ForEachSpoiledSide(facts, other, [&](const Facts& spoiled) {
        EXPECT_EQ(SaidAbout(own, spoiled), expected) << rule.code << ", " << row.what;
      });
    }
  }
  EXPECT_GE(rules, 5);
}

TEST_F(ScopeTest, RulesAboutTheSourceDoNotSeeTheDestination) {
  ExpectBlindTo(Side::kDestination, Scope::kSource);
}

TEST_F(ScopeTest, RulesAboutTheDestinationDoNotSeeTheSource) {
  ExpectBlindTo(Side::kSource, Scope::kDestination);
}

TEST_F(ScopeTest, RulesAboutEachSideDoNotSeeTheOther) {
  ExpectBlindTo(Side::kDestination, Scope::kEachSide);
  ExpectBlindTo(Side::kSource, Scope::kEachSide);
}

// Nor do they see anything of VM, registry or policy but what a destination is prepared with.
TEST_F(ScopeTest, RulesAboutTheDestinationSeeNoPolicyAndNoRegistry) {
  for (const Scope scope : {Scope::kDestination, Scope::kEachSide, Scope::kPair}) {
    for (const RegisteredRule& rule : ShippedRules()) {
      if (rule.rule->scope != scope) continue;
      Table() = {rule};
      for (const RuleRow& row : AllRows()) {
        if (row.codes.count(rule.code) == 0) continue;
        Facts facts = row.Spoiled();
        const std::string expected = SaidAbout(Side::kDestination, facts);
        facts.boot_id.observed_at -= absl::Hours(1);
        facts.endpoints = {{"endpoints/z", "/run/vuf/source-fs0.sock"}};
        facts.policy = Unknown<EffectivePolicy>("could not look");
        facts.running_migration = "migrations/other";
        EXPECT_EQ(SaidAbout(Side::kDestination, facts), expected) << rule.code << ", " << row.what;
      }
    }
  }
}

// Rules about pairs see nothing of a device that is not in its looks: two devices that look the
// same are the same to them, whatever else is different.
TEST_F(ScopeTest, RulesAboutPairsSeeOnlyLooks) {
  Table().clear();
  for (const RegisteredRule& rule : ShippedRules()) {
    if (rule.rule->scope == Scope::kPair) Table().push_back(rule);
  }
  ASSERT_GE(Table().size(), 20u);
  Facts facts = SafeFacts(2);
  facts.request.allow_stateful = false;
  ASSERT_EQ(FindingsOf(Evaluate(facts)), "");
  for (const Side side : {Side::kSource, Side::kDestination}) {
    ForEachSpoiledSide(facts, side, [&](const Facts& spoiled) {
      const Sides sides(spoiled);
      EXPECT_EQ(FindingsOf(Judge(sides.source, sides.destination.get(), spoiled.now)),
                FindingsOf(Evaluate(spoiled)));
    });
  }
}

}  // namespace
}  // namespace vuf
