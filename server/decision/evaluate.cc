#include "server/decision/evaluate.h"

#include "server/decision/conclude.h"
#include "server/decision/evaluate_world.h"
#include "server/decision/fingerprint.h"
#include "server/decision/report.h"
#include "server/decision/run_rules.h"

namespace vuf {

Verdict EvaluateWorld(const World& world, absl::Time now) {
  Report report(now, world.facts().max_age, world.source_is_record());
  RunRules(RulesOf([](Scope) { return true; }), world, report);
  const Part all = {&report, {}};
  Verdict verdict = Conclude(world, now, {&all, 1}, RefusedDevices(world.source_devices()));
  verdict.fingerprint = FingerprintOf(world);
  return verdict;
}

Verdict Evaluate(const Facts& facts) { return EvaluateWorld(World(facts), facts.now); }

}  // namespace vuf
