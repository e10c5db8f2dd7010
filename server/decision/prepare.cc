#include "server/decision/prepare.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/decision/conclude.h"
#include "server/decision/evaluate_world.h"
#include "server/decision/fingerprint.h"
#include "server/decision/looks.h"
#include "server/decision/report.h"
#include "server/decision/run_rules.h"

namespace vuf {

struct SideFindings {
  // What is left to be asked about two sides.
  std::vector<PlacedRule> about_both;
  std::vector<PlacedRule> about_pairs;
  World world;
  Report report;
  FingerprintPart fingerprint;
  std::vector<DeviceVerdict> devices;
  absl::Time from;
  absl::Time until;

  // Infinite is what a caller gets who forgot to set the time.
  bool HoldsAt(absl::Time now) const {
    return now != absl::InfiniteFuture() && from <= now && now <= until;
  }
};

namespace {

bool IsOf(Scope scope, Side side) {
  switch (scope) {
    case Scope::kEachSide:
      return true;
    case Scope::kSource:
      return side == Side::kSource;
    case Scope::kDestination:
      return side == Side::kDestination;
    case Scope::kMigration:
    case Scope::kPair:
      break;
  }
  return false;
}

// The devices of which no rule about pairs would say anything if their counterparts were their
// equals: it says nothing when they are their own. What such a rule reads of two that look the same
// is what it reads then, so all it reads was usable.
std::vector<std::string> Looks(const World& side, const std::vector<PlacedRule>& about_pairs,
                               Report& own_counterparts) {
  const Facts& facts = side.facts();
  const VmFacts& vm = *side.vms().front().facts;
  const World mirrored(World(facts, Side::kSource, vm), World(facts, Side::kDestination, vm));
  RunRules(about_pairs, mirrored, own_counterparts);
  std::set<absl::string_view> mentioned;
  for (const auto& entry : own_counterparts.entries()) mentioned.insert(entry.subject.name);
  for (const auto& gap : own_counterparts.gaps()) mentioned.insert(gap.subject.name);
  size_t about_devices = 0;
  std::vector<std::string> looks;
  for (const DeviceView& device : side.devices()) {
    const bool is_mentioned = mentioned.count(device.subject().name) > 0;
    looks.push_back(is_mentioned ? "" : LooksOf(*device.facts));
    if (is_mentioned) ++about_devices;
  }
  // Whatever else was mentioned may be any device's fault.
  if (about_devices < mentioned.size()) looks.clear();
  return looks;
}

std::unique_ptr<const SideFindings> Prepare(const Facts& facts, Side side, const VmFacts& vm,
                                            absl::Time now) {
  World world(facts, side, vm);
  Report report(now, facts.max_age, false);
  RunRules(RulesOf([side](Scope scope) { return IsOf(scope, side); }), world, report);
  std::vector<PlacedRule> about_both =
      RulesOf([](Scope scope) { return scope == Scope::kMigration; });
  std::vector<PlacedRule> about_pairs = RulesOf([](Scope scope) { return scope == Scope::kPair; });
  Report own_counterparts(now, facts.max_age, false);
  std::vector<std::string> looks = Looks(world, about_pairs, own_counterparts);
  world.set_looks(std::move(looks));
  FingerprintPart fingerprint(world);
  std::vector<DeviceVerdict> devices = RefusedDevices(world.source_devices());
  const absl::Time until = std::min(report.holds_until(), own_counterparts.holds_until());
  return std::make_unique<const SideFindings>(
      SideFindings{std::move(about_both), std::move(about_pairs), std::move(world),
                   std::move(report), std::move(fingerprint), std::move(devices), now, until});
}

// All that a destination's rules may see of anything else.
std::unique_ptr<const Facts> TermsOf(const Facts& facts) {
  auto terms = std::make_unique<Facts>();
  terms->request = facts.request;
  terms->boot_id = facts.boot_id;
  terms->other_host = facts.other_host;
  terms->now = facts.now;
  terms->max_age = facts.max_age;
  return terms;
}

// A null `destination`: there is none.
Verdict JudgePrepared(const World& world, const SideFindings& source,
                      const SideFindings* destination, absl::Time now) {
  Report both(now, world.facts().max_age, false);
  RunRules(source.about_both, world, both);
  if (!world.all_alike()) RunRules(source.about_pairs, world, both);
  std::vector<Part> parts = {{&source.report, {}}, {&both, {}}};
  if (destination != nullptr) {
    parts.push_back({&destination->report, world.destination_devices()});
  }
  Verdict verdict = Conclude(world, now, parts, source.devices);
  verdict.fingerprint = FingerprintOf(source.fingerprint,
                                      destination == nullptr ? nullptr : &destination->fingerprint);
  return verdict;
}

std::unique_ptr<const PreparedSource> PrepareShadow(const Facts& facts) {
  if (!facts.shadow_policy.has_value()) return nullptr;
  auto other = std::make_shared<Facts>(facts);
  other->policy.value = std::exchange(other->shadow_policy, std::nullopt);
  return std::make_unique<const PreparedSource>(std::move(other));
}

}  // namespace

PreparedSource::PreparedSource(std::shared_ptr<const Facts> facts)
    : facts_(std::move(facts)),
      findings_(Prepare(*facts_, Side::kSource, facts_->source, facts_->now)),
      shadow_(PrepareShadow(*facts_)) {}

PreparedSource::~PreparedSource() = default;

bool PreparedSource::HoldsAt(absl::Time now) const { return findings_->HoldsAt(now); }

PreparedDestination::PreparedDestination(std::shared_ptr<const VmFacts> vm,
                                         const PreparedSource& source, absl::Time now)
    : vm_(std::move(vm)),
      terms_(TermsOf(source.facts())),
      findings_(Prepare(*terms_, Side::kDestination, *vm_, now)) {}

PreparedDestination::~PreparedDestination() = default;

bool PreparedDestination::HoldsFor(const PreparedSource& source, absl::Time now) const {
  const Facts& facts = source.facts();
  return findings_->HoldsAt(now) && terms_->request == facts.request &&
         terms_->other_host.has_value() == facts.other_host.has_value() &&
         findings_->world.same_machine() == source.findings_->world.same_machine() &&
         terms_->max_age == facts.max_age;
}

Verdict Judge(const PreparedSource& source, const PreparedDestination* destination,
              absl::Time now) {
  const Facts& facts = source.facts();
  const bool wanted = facts.request.has_destination || facts.request.sequential;
  if (!wanted) destination = nullptr;
  if (destination == nullptr) {
    if (!source.HoldsAt(now)) return EvaluateWorld(World(facts, Side::kSource, facts.source), now);
    return JudgePrepared(source.findings_->world, *source.findings_, nullptr, now);
  }
  // What was recorded of a source that has quit is judged once, and by rules of its own.
  if (facts.request.sequential || !source.HoldsAt(now) || !destination->HoldsFor(source, now)) {
    return EvaluateWorld(World(World(facts, Side::kSource, facts.source),
                               World(facts, Side::kDestination, *destination->vm_)),
                         now);
  }
  const World world(source.findings_->world, destination->findings_->world);
  return JudgePrepared(world, *source.findings_, destination->findings_.get(), now);
}

}  // namespace vuf
