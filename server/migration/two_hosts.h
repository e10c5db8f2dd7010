// Two hosts with an agent each, for tests: fakes all around, one set of QEMUs that both can reach,
// and a network between the agents that can be told to fail. Every step that an agent takes towards
// its store, a QEMU or the other agent can be the last one before it is killed.
#ifndef VUFD_SERVER_MIGRATION_TWO_HOSTS_H_
#define VUFD_SERVER_MIGRATION_TWO_HOSTS_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/base/clock.h"
#include "server/decisions/fake_decision_log.h"
#include "server/hypervisor/fake_hypervisor.h"
#include "server/migration/incoming.h"
#include "server/migration/migration_world.h"
#include "server/migration/migrator.h"
#include "server/registry/registry.h"
#include "server/store/fake_store.h"

namespace vuf {

inline constexpr char kAgentA[] = "a.example:7443";
inline constexpr char kAgentB[] = "b.example:7443";

// Counts what an agent does, and cuts it off from the world at a step: from then on every call of
// it fails, as if the process were gone. Thread-safe.
class Power {
 public:
  // OK: the step is taken. `name` says which it is.
  absl::Status Step(const std::string& name);
  // Off before the `step`th step from now on (1 is the next); 0: never.
  void OffAt(int step);
  void On();
  bool on() const;
  // In order, those that were taken.
  std::vector<std::string> steps() const;

 private:
  mutable Mutex mu_;
  std::vector<std::string> steps_ ABSL_GUARDED_BY(mu_);
  int off_at_ ABSL_GUARDED_BY(mu_) = 0;
  bool on_ ABSL_GUARDED_BY(mu_) = true;
};

// What becomes of a message between the agents.
enum class Fate {
  kDelivered,
  // It never arrives.
  kLost,
  // It arrives and has its effect, but the answer does not.
  kAnswerLost,
  // It arrives twice, one after the other.
  kTwice,
};

class TwoHosts {
 public:
  // One run of vufd. Later members use earlier ones.
  struct Agent {
    std::unique_ptr<Registry> registry;
    std::unique_ptr<Gatherer> gatherer;
    std::unique_ptr<Incoming> incoming;
    std::unique_ptr<Migrator> migrator;
    // It answers nobody any more, also when its host has power again and no other agent yet.
    std::atomic<bool> killed = false;
  };
  struct Host {
    std::string address;
    // This host's; null: the same as everybody's.
    const Clock* clock = nullptr;
    FakeStore store;
    Power power;
    WorldDiscovery discovery;
    FakeDecisionLog decisions;
    std::unique_ptr<Store> guarded_store;
    std::unique_ptr<HypervisorConnector> connector;
    std::unique_ptr<PeerPort> peers;

    // The present run; a call from the other host may still be in an earlier one.
    std::shared_ptr<Agent> agent() const {
      MutexLock lock(&mu);
      return current;
    }
    Registry& registry() const { return *agent()->registry; }
    Incoming& incoming() const { return *agent()->incoming; }
    Migrator& migrator() const { return *agent()->migrator; }

    mutable Mutex mu;
    std::shared_ptr<Agent> current ABSL_GUARDED_BY(mu);
  };

  TwoHosts();
  ~TwoHosts();

  // A has the VM "vms/guest" at kSource, with a label; B has a QEMU that waits at kDestination.
  void Start();
  void StartAgent(Host& host);
  // As kill -9: nothing that the agent does from now on has an effect.
  void KillAgent(Host& host);

  v1::Migration Request() const;
  absl::StatusOr<v1::Migration> Create(const v1::Migration& request);
  v1::Migration Migrate() { return Migrate(Request()); }
  v1::Migration Migrate(const v1::Migration& request);
  // Waits for the end; the last state seen when none comes.
  v1::Migration AwaitEnd(const std::string& name);
  bool AwaitThat(const std::function<bool()>& condition) const;
  // Nothing is under way at either agent.
  bool AtRest() const;
  bool SourceRuns() const { return Runs(kSource); }
  bool DestinationRuns() const { return Runs(kDestination); }
  // A moment of `from`'s clock (null: the real one) by that of `to`.
  absl::Time Translate(absl::Time at, const Host* from, const Host* to) const {
    return NowAt(to) + (at - NowAt(from));
  }
  bool Runs(const std::string& vm) const {
    return qemu.Alive(vm) && qemu.RunState(vm) == "running";
  }

  absl::Time NowAt(const Host* host) const {
    return host == nullptr || host->clock == nullptr ? clock.Now() : host->clock->Now();
  }

  SystemClock clock;
  FakeConnector qemu;
  Host a;
  Host b;
  // Asked for every message, with its name and its sender.
  std::function<Fate(const std::string& message, const Host& from)> fate;
  // Runs after a message has had its effect, before its answer arrives. May be empty.
  std::function<void()> before_answer;
  // A planted defect: "undecided" arrives as "aborted".
  bool distort_outcome = false;
  std::function<Verdict(const Facts&)> evaluate_at_b = AllowWhatAnswers;

 private:
  int next_request_ = 0;
};

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_TWO_HOSTS_H_
