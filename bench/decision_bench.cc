// What a verdict costs once the facts are there: at once, and in its parts when the sides of a
// migration are prepared.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/convert/convert.h"
#include "server/decision/evaluate.h"
#include "server/decision/prepare.h"
#include "server/policy/policy_set.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

constexpr int kVms = 1000;
constexpr int kDestinations = 10;

// A thousand policies of which a few match.
PolicySet ThousandPolicies() {
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
  return PolicySet(std::move(policies), {});
}

// Selects and merges them for the source, as gathering does.
void Select(const PolicySet& set, Facts& facts) {
  const Labels labels = {{"tenant", "7"}, {"tier", "gold"}};
  PolicySubject subject{"vms/guest", &labels, {}};
  for (const FsDeviceFacts& device : *facts.source.devices.value) {
    subject.devices.push_back(
        {device.subject(), nullptr, &device.back_end.kind, &device.back_end.version});
  }
  facts.policy = Known(set.Select(subject, facts.now), Source::kRegistry, facts.now);
}

// The safe world with its VM and its destination as the `vm`th and the `destination`th of many:
// other processes, sockets and connections.
void Number(VmFacts& vm, int number) {
  vm.process.value->pid += 100000 * number;
  for (FsDeviceFacts& device : *vm.devices.value) {
    const std::string at = "/run/vuf/" + std::to_string(number) + "-" + device.id + ".sock";
    device.chardev.value->socket_path = at;
    device.chardev.value->filename = "unix:" + at;
    SocketFacts& socket = *device.back_end.socket.value;
    socket.path = at;
    socket.bound_file.inode += uint64_t{100000} * static_cast<uint64_t>(number);
    socket.file_at_path = socket.bound_file;
    socket.peer_inode += uint64_t{100000} * static_cast<uint64_t>(number);
    device.back_end.process.value->pid += 100000 * number;
    (*device.back_end.options.value)["socket-path"] = at;
  }
}

std::shared_ptr<const Facts> NumberedSource(int devices, int number, const PolicySet& policies) {
  auto facts = std::make_shared<Facts>(SafeFacts(devices));
  Number(facts->source, number);
  Select(policies, *facts);
  return facts;
}

std::shared_ptr<const VmFacts> NumberedDestination(int devices, int number) {
  auto vm = std::make_shared<VmFacts>(SafeDestination(devices));
  Number(*vm, kVms + number);
  return vm;
}

void BM_Evaluate(benchmark::State& state) {
  Facts facts = SafeFacts(static_cast<int>(state.range(0)));
  Select(ThousandPolicies(), facts);
  if (!Evaluate(facts).allow) return state.SkipWithError("the safe world is refused");
  for (auto _ : state) benchmark::DoNotOptimize(Evaluate(facts));
}
BENCHMARK(BM_Evaluate)->ArgName("devices")->Arg(1)->Arg(8);

// Nothing known: the most findings for the least facts.
void BM_EvaluateUnknown(benchmark::State& state) {
  const Facts facts;
  for (auto _ : state) benchmark::DoNotOptimize(Evaluate(facts));
}
BENCHMARK(BM_EvaluateUnknown);

// A part of gathering.
void BM_SelectPolicies(benchmark::State& state) {
  const PolicySet policies = ThousandPolicies();
  Facts facts = SafeFacts(static_cast<int>(state.range(0)));
  for (auto _ : state) Select(policies, facts);
}
BENCHMARK(BM_SelectPolicies)->ArgName("devices")->Arg(1)->Arg(8);

void BM_PrepareSource(benchmark::State& state) {
  const auto facts = NumberedSource(static_cast<int>(state.range(0)), 1, ThousandPolicies());
  for (auto _ : state) {
    const PreparedSource source(facts);
    benchmark::DoNotOptimize(&source);
  }
}
BENCHMARK(BM_PrepareSource)->ArgName("devices")->Arg(1)->Arg(8);

void BM_PrepareDestination(benchmark::State& state) {
  const int devices = static_cast<int>(state.range(0));
  const PreparedSource source(NumberedSource(devices, 1, ThousandPolicies()));
  const auto vm = NumberedDestination(devices, 1);
  for (auto _ : state) {
    const PreparedDestination destination(vm, source, source.facts().now);
    benchmark::DoNotOptimize(&destination);
  }
}
BENCHMARK(BM_PrepareDestination)->ArgName("devices")->Arg(1)->Arg(8);

// One pair of prepared sides, again and again.
void BM_Judge(benchmark::State& state) {
  const int devices = static_cast<int>(state.range(0));
  const PreparedSource source(NumberedSource(devices, 1, ThousandPolicies()));
  const absl::Time now = source.facts().now;
  const PreparedDestination destination(NumberedDestination(devices, 1), source, now);
  if (!Judge(source, &destination, now).allow) return state.SkipWithError("refused");
  for (auto _ : state) benchmark::DoNotOptimize(Judge(source, &destination, now));
}
BENCHMARK(BM_Judge)->ArgName("devices")->Arg(1)->Arg(8);

// What a batch does between gathering and sending: sides prepared, pairs judged, and verdicts made
// into messages if `messages`. `own` VMs have UUIDs of their own, so that no pair is allowed.
void Batch(benchmark::State& state, bool messages, bool own) {
  const int devices = static_cast<int>(state.range(0));
  const PolicySet policies = ThousandPolicies();
  std::vector<std::shared_ptr<const Facts>> vms;
  std::vector<std::shared_ptr<const VmFacts>> there;
  for (int i = 0; i < kVms; ++i) {
    auto facts = std::make_shared<Facts>(*NumberedSource(devices, i, policies));
    if (own) facts->source.uuid.value = "7b1c4b0e-3c1d-4d2e-9a53-" + std::to_string(i);
    vms.push_back(std::move(facts));
  }
  for (int i = 0; i < kDestinations; ++i) there.push_back(NumberedDestination(devices, i));
  const absl::Time now = vms.front()->now;
  int allowed = 0;
  for (auto _ : state) {
    std::vector<std::unique_ptr<PreparedDestination>> destinations;
    for (const auto& facts : vms) {
      const PreparedSource source(facts);
      for (int j = 0; j < kDestinations; ++j) {
        if (static_cast<int>(destinations.size()) <= j) {
          destinations.push_back(std::make_unique<PreparedDestination>(there[j], source, now));
        }
        const Verdict verdict = Judge(source, destinations[j].get(), now);
        allowed += verdict.allow ? 1 : 0;
        if (messages) benchmark::DoNotOptimize(ToProto(verdict).SerializeAsString());
      }
    }
  }
  const auto pairs = static_cast<double>(state.iterations() * kVms * kDestinations);
  if (allowed != (own ? 0 : pairs)) state.SkipWithError("not the verdicts that are meant");
  state.counters["per_pair"] =
      benchmark::Counter(pairs, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void BM_BatchJudged(benchmark::State& state) { Batch(state, false, false); }
void BM_BatchToMessages(benchmark::State& state) { Batch(state, true, false); }
void BM_BatchRefusedToMessages(benchmark::State& state) { Batch(state, true, true); }
BENCHMARK(BM_BatchJudged)->ArgName("devices")->Arg(1)->Arg(8)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_BatchToMessages)->ArgName("devices")->Arg(1)->Arg(8)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_BatchRefusedToMessages)
    ->ArgName("devices")
    ->Arg(1)
    ->Arg(8)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace vuf
