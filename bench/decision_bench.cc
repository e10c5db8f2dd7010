// What a verdict costs once the facts are there.
#include <benchmark/benchmark.h>

#include "server/decision/evaluate.h"
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

// Nothing known: the most findings for the least facts.
void BM_EvaluateUnknown(benchmark::State& state) {
  const Facts facts;
  for (auto _ : state) benchmark::DoNotOptimize(Evaluate(facts));
}
BENCHMARK(BM_EvaluateUnknown);

}  // namespace
}  // namespace vuf
