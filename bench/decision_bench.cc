// What a verdict costs once the facts are there.
#include <benchmark/benchmark.h>

#include <string>
#include <utility>
#include <vector>

#include "server/decision/evaluate.h"
#include "server/policy/policy_set.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

void BM_EvaluateSafe(benchmark::State& state) {
  const Facts facts = SafeFacts(static_cast<int>(state.range(0)));
  if (!Evaluate(facts).allow) {
    state.SkipWithError("the safe world is refused");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(Evaluate(facts));
}
BENCHMARK(BM_EvaluateSafe)->ArgName("devices")->Arg(1)->Arg(8);

// A thousand policies of which a few match, selected, merged and obeyed.
void BM_SelectAndEvaluate(benchmark::State& state) {
  std::vector<Policy> policies;
  for (int i = 0; i < 1000; ++i) {
    Policy policy;
    policy.name = "migrationPolicies/p" + std::to_string(i);
    policy.revision = 1;
    policy.priority = 1 + i % 1000;
    policy.selector.vm_labels = {{"tenant", std::to_string(i)}};
    policy.max_bandwidth = i;
    policies.push_back(policy);
  }
  Policy shipped;
  shipped.name = "migrationPolicies/default";
  shipped.modes = ModesAllowed{true, true};
  shipped.same_host = true;
  policies.push_back(shipped);
  const PolicySet set(std::move(policies), {});
  Facts facts = SafeFacts(static_cast<int>(state.range(0)));
  const Labels labels = {{"tenant", "7"}, {"tier", "gold"}};
  PolicySubject subject{"vms/guest", &labels, {}};
  for (const FsDeviceFacts& device : *facts.source.devices.value) {
    subject.devices.push_back(
        {device.subject(), nullptr, &device.back_end.kind, &device.back_end.version});
  }
  for (auto _ : state) {
    facts.policy = Known(set.Select(subject, facts.now), Source::kRegistry, facts.now);
    const Verdict verdict = Evaluate(facts);
    if (!verdict.allow) state.SkipWithError("the safe world is refused");
  }
}
BENCHMARK(BM_SelectAndEvaluate)->ArgName("devices")->Arg(1)->Arg(8);

// Nothing known: the most findings for the least facts.
void BM_EvaluateUnknown(benchmark::State& state) {
  const Facts facts;
  for (auto _ : state) benchmark::DoNotOptimize(Evaluate(facts));
}
BENCHMARK(BM_EvaluateUnknown);

}  // namespace
}  // namespace vuf
