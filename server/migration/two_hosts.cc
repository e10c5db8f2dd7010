#include "server/migration/two_hosts.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace vuf {
namespace {

constexpr absl::Duration kLongest = absl::Seconds(20);

void Must(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "the test's two hosts: %s\n", status.ToString().c_str());
  std::abort();
}

absl::Status Gone() { return absl::UnavailableError("this agent is dead"); }

// A step before the call, and one between its effect and the agent's learning of it.
template <typename Call>
auto Guarded(Power& power, const std::string& name, Call call) -> decltype(call()) {
  if (!power.Step(name).ok()) return Gone();
  auto result = call();
  if (!power.Step(absl::StrCat("after ", name)).ok()) return Gone();
  return result;
}

class GuardedStore : public Store {
 public:
  GuardedStore(Store* store, Power* power) : store_(store), power_(power) {}
  absl::StatusOr<std::vector<Record>> ReadAll(Table table) override {
    if (!power_->on()) return Gone();
    return store_->ReadAll(table);
  }
  absl::Status Write(const std::vector<Change>& changes) override {
    return Guarded(*power_, absl::StrCat("write ", changes.front().key),
                   [&] { return store_->Write(changes); });
  }

 private:
  Store* const store_;
  Power* const power_;
};

class GuardedHypervisor : public Hypervisor {
 public:
  GuardedHypervisor(std::unique_ptr<Hypervisor> inner, std::string vm, const TwoHosts* world,
                    TwoHosts::Host* host)
      : inner_(std::move(inner)),
        vm_(std::move(vm)),
        world_(world),
        host_(host),
        power_(&host->power) {}

  absl::StatusOr<VmFacts> Observe(absl::Time deadline) override {
    if (!power_->on()) return Gone();
    return inner_->Observe(Real(deadline));
  }
  absl::StatusOr<VmFacts> ObserveAgain(const VmFacts& before, absl::Time deadline) override {
    if (!power_->on()) return Gone();
    return inner_->ObserveAgain(before, Real(deadline));
  }
  absl::StatusOr<MigrationInfo> QueryMigration(absl::Time deadline) override {
    if (!power_->on()) return Gone();
    return inner_->QueryMigration(Real(deadline));
  }
  absl::StatusOr<std::string> QueryRunState(absl::Time deadline) override {
    if (!power_->on()) return Gone();
    return inner_->QueryRunState(Real(deadline));
  }
  absl::StatusOr<Standing> QueryStanding(absl::Time deadline) override {
    if (!power_->on()) return Gone();
    return inner_->QueryStanding(Real(deadline));
  }
  absl::StatusOr<MigrationSettings> QuerySettings(absl::Time deadline) override {
    if (!power_->on()) return Gone();
    return inner_->QuerySettings(Real(deadline));
  }
  absl::StatusOr<MigrationSettings> Configure(const MigrationSettings& settings,
                                              absl::Time deadline) override {
    return Guarded(*power_, Named("configure"),
                   [&] { return inner_->Configure(settings, Real(deadline)); });
  }
  absl::Status PrepareIncoming(int stream_fd, absl::Time deadline) override {
    return Guarded(*power_, Named("migrate-incoming"),
                   [&] { return inner_->PrepareIncoming(stream_fd, Real(deadline)); });
  }
  absl::Status StartOutgoing(int stream_fd, absl::Time deadline) override {
    return Guarded(*power_, Named("migrate"),
                   [&] { return inner_->StartOutgoing(stream_fd, Real(deadline)); });
  }
  absl::StatusOr<MonitorEvent> Await(absl::Time deadline) override {
    if (!power_->on()) return Gone();
    return inner_->Await(Real(deadline));
  }
  absl::Status Do(Act act, absl::Time deadline) override {
    return Guarded(*power_, Named(absl::StrCat("act ", static_cast<int>(act))),
                   [&] { return inner_->Do(act, Real(deadline)); });
  }

 private:
  std::string Named(const std::string& call) const { return absl::StrCat(call, " ", vm_); }
  // The fakes have no clock but the real one.
  absl::Time Real(absl::Time deadline) const { return world_->Translate(deadline, host_, nullptr); }

  const std::unique_ptr<Hypervisor> inner_;
  const std::string vm_;
  const TwoHosts* const world_;
  const TwoHosts::Host* const host_;
  Power* const power_;
};

class GuardedHypervisors : public HypervisorConnector {
 public:
  GuardedHypervisors(TwoHosts* world, TwoHosts::Host* host) : world_(world), host_(host) {}
  absl::StatusOr<std::unique_ptr<Hypervisor>> Connect(const std::string& qmp_socket,
                                                      absl::Time deadline) override {
    if (!host_->power.on()) return Gone();
    absl::StatusOr<std::unique_ptr<Hypervisor>> vm =
        world_->qemu.Connect(qmp_socket, world_->Translate(deadline, host_, nullptr));
    if (!vm.ok()) return vm.status();
    return std::make_unique<GuardedHypervisor>(*std::move(vm), qmp_socket, world_, host_);
  }

 private:
  TwoHosts* const world_;
  TwoHosts::Host* const host_;
};

// The network, from one host's end.
class Wire : public PeerPort {
 public:
  Wire(TwoHosts* world, TwoHosts::Host* from) : world_(world), from_(from) {}

  absl::StatusOr<v1::JudgeIncomingResponse> Judge(const std::string& agent,
                                                  const v1::JudgeIncomingRequest& request,
                                                  absl::Time deadline) override {
    return Send<v1::JudgeIncomingResponse>("Judge", agent, deadline, [&](TwoHosts::Agent& to) {
      return to.incoming->Judge(request.incoming(), There(agent, deadline));
    });
  }
  absl::StatusOr<v1::ReserveResponse> Reserve(const std::string& agent,
                                              const v1::ReserveRequest& request,
                                              absl::Time deadline) override {
    return Send<v1::ReserveResponse>("Reserve", agent, deadline, [&](TwoHosts::Agent& to) {
      return to.incoming->Reserve(request, from_->address, There(agent, deadline));
    });
  }
  absl::Status OpenStream(const std::string& agent, const std::string& reservation,
                          absl::Time deadline) override {
    return Tell("OpenStream", agent, deadline, [&](TwoHosts::Agent& to) {
      return to.incoming->OpenStream(reservation, from_->address, There(agent, deadline));
    });
  }
  absl::StatusOr<absl::Duration> Renew(const std::string& agent, const std::string& reservation,
                                       absl::Time deadline) override {
    return Send<absl::Duration>("Renew", agent, deadline, [&](TwoHosts::Agent& to) {
      return to.incoming->Renew(reservation, from_->address, There(agent, deadline));
    });
  }
  absl::Status Recheck(const std::string& agent, const std::string& reservation,
                       absl::Time deadline) override {
    return Tell("Recheck", agent, deadline, [&](TwoHosts::Agent& to) {
      return to.incoming->Recheck(reservation, from_->address, There(agent, deadline));
    });
  }
  absl::Status Promise(const std::string& agent, const std::string& reservation,
                       absl::Time deadline) override {
    return Tell("Promise", agent, deadline, [&](TwoHosts::Agent& to) {
      return to.incoming->Promise(reservation, from_->address, There(agent, deadline));
    });
  }
  absl::StatusOr<v1::Reservation> Commit(const std::string& agent, const std::string& reservation,
                                         absl::Time deadline) override {
    return Send<v1::Reservation>("Commit", agent, deadline, [&](TwoHosts::Agent& to) {
      return to.incoming->Commit(reservation, from_->address, There(agent, deadline));
    });
  }
  absl::StatusOr<v1::AbortReservationResponse> Abort(const std::string& agent,
                                                     const v1::AbortReservationRequest& request,
                                                     absl::Time deadline) override {
    return Send<v1::AbortReservationResponse>("Abort", agent, deadline, [&](TwoHosts::Agent& to) {
      return to.incoming->Abort(request, from_->address, There(agent, deadline));
    });
  }
  absl::StatusOr<v1::MigrationOutcome> Query(const std::string& agent,
                                             const v1::QueryOutcomeRequest& request,
                                             absl::Time deadline) override {
    return Send<v1::MigrationOutcome>(
        "Query", agent, deadline, [&](TwoHosts::Agent& to) -> absl::StatusOr<v1::MigrationOutcome> {
          const v1::MigrationOutcome outcome =
              to.migrator->OutcomeOf(request.migration(), request.reservation());
          const bool undecided = outcome == v1::MIGRATION_OUTCOME_UNDECIDED;
          return undecided && world_->distort_outcome ? v1::MIGRATION_OUTCOME_ABORTED : outcome;
        });
  }

 private:
  TwoHosts::Host& To(const std::string& agent) const {
    return agent == kAgentA ? world_->a : world_->b;
  }
  absl::Time There(const std::string& agent, absl::Time deadline) const {
    return world_->Translate(deadline, from_, &To(agent));
  }
  template <typename Answer, typename Call>
  absl::StatusOr<Answer> Send(const std::string& message, const std::string& agent,
                              absl::Time deadline, Call call) {
    if (!from_->power.Step(absl::StrCat("send ", message)).ok()) return Gone();
    TwoHosts::Host& to = To(agent);
    const Fate fate = world_->fate ? world_->fate(message, *from_) : Fate::kDelivered;
    if (fate == Fate::kLost || !to.power.on()) return absl::UnavailableError("no answer");
    const std::shared_ptr<TwoHosts::Agent> there = to.agent();
    if (there->killed) return absl::UnavailableError("no answer");
    absl::StatusOr<Answer> answer = call(*there);
    if (fate == Fate::kTwice) answer = call(*there);
    if (world_->before_answer) world_->before_answer();
    const bool late = world_->NowAt(from_) > deadline;
    if (fate == Fate::kAnswerLost || late || !to.power.on() || there->killed) {
      return absl::UnavailableError("no answer");
    }
    if (!from_->power.Step(absl::StrCat("after ", message)).ok()) return Gone();
    return answer;
  }
  template <typename Call>
  absl::Status Tell(const std::string& message, const std::string& agent, absl::Time deadline,
                    Call call) {
    return Send<bool>(message, agent, deadline,
                      [&](TwoHosts::Agent& to) -> absl::StatusOr<bool> {
                        const absl::Status answer = call(to);
                        if (!answer.ok()) return answer;
                        return true;
                      })
        .status();
  }

  TwoHosts* const world_;
  TwoHosts::Host* const from_;
};

}  // namespace

absl::Status Power::Step(const std::string& name) {
  MutexLock lock(&mu_);
  if (off_at_ > 0 && --off_at_ == 0) on_ = false;
  if (!on_) return Gone();
  steps_.push_back(name);
  return absl::OkStatus();
}

void Power::OffAt(int step) {
  MutexLock lock(&mu_);
  off_at_ = step;
}

void Power::On() {
  MutexLock lock(&mu_);
  on_ = true;
  off_at_ = 0;
}

bool Power::on() const {
  MutexLock lock(&mu_);
  return on_;
}

std::vector<std::string> Power::steps() const {
  MutexLock lock(&mu_);
  return steps_;
}

TwoHosts::TwoHosts() {
  qemu.AddVm(TestVm(kSource, kSourceFs, 100, "running"));
  qemu.AddVm(TestVm(kDestination, kDestinationFs, 101, "inmigrate"));
  qemu.Link(kSource, kDestination);
  a.address = kAgentA;
  b.address = kAgentB;
  for (Host* host : {&a, &b}) {
    host->discovery.SetBootId(Known(std::string("boot"), Source::kProcfs, absl::Now()));
    host->discovery.SetBackEnd(kSourceFs, TestBackEnd(kSourceFs, 200));
    host->discovery.SetBackEnd(kDestinationFs, TestBackEnd(kDestinationFs, 201));
    host->guarded_store = std::make_unique<GuardedStore>(&host->store, &host->power);
    host->connector = std::make_unique<GuardedHypervisors>(this, host);
    host->peers = std::make_unique<Wire>(this, host);
  }
}

TwoHosts::~TwoHosts() {
  // An agent's threads may be about to talk to the other.
  a.power.OffAt(1);
  b.power.OffAt(1);
  for (Host* host : {&a, &b}) {
    if (host->agent() == nullptr) continue;
    host->migrator().Shutdown();
    host->incoming().Shutdown();
  }
}

void TwoHosts::Start() {
  StartAgent(a);
  StartAgent(b);
  v1::Vm vm;
  vm.set_name(kVm);
  vm.set_qmp_socket(kSource);
  (*vm.mutable_labels())["tier"] = "gold";
  Must(a.registry().CreateVm(vm, {"test", "", ""}, NowAt(&a) + kLongest).status());
}

void TwoHosts::StartAgent(Host& host) {
  auto agent = std::make_shared<Agent>();
  const Clock* const own = host.clock == nullptr ? &clock : host.clock;
  auto registry = Registry::Open(host.guarded_store.get(), own, {});
  Must(registry.status());
  agent->registry = *std::move(registry);
  const PeerSide peers = {host.peers.get(), host.address};
  constexpr absl::Duration kQmp = absl::Milliseconds(500);
  constexpr absl::Duration kSettle = absl::Milliseconds(700);
  agent->gatherer = std::make_unique<Gatherer>(host.connector.get(), &host.discovery,
                                               agent->registry.get(), own, kQmp, peers);
  Incoming::Options incoming;
  incoming.stream_host = "127.0.0.1";
  incoming.lease = absl::Milliseconds(600);
  incoming.qmp_timeout = kQmp;
  incoming.settle_timeout = kSettle;
  incoming.ask_every = absl::Milliseconds(50);
  auto opened = Incoming::Open(
      {agent->gatherer.get(), host.connector.get(), agent->registry.get(), host.guarded_store.get(),
       own, host.peers.get(), &host.decisions, &host == &b ? evaluate_at_b : AllowWhatAnswers},
      incoming);
  Must(opened.status());
  agent->incoming = *std::move(opened);
  Migrator::Options options;
  options.evaluate = AllowWhatAnswers;
  options.decisions = &host.decisions;
  options.qmp_timeout = kQmp;
  options.settle_timeout = kSettle;
  options.peers = peers;
  auto migrator =
      Migrator::Open(agent->gatherer.get(), host.connector.get(), agent->registry.get(),
                     host.guarded_store.get(), own, options, [](const v1::Migration&) {});
  Must(migrator.status());
  agent->migrator = *std::move(migrator);
  MutexLock lock(&host.mu);
  host.current = std::move(agent);
}

void TwoHosts::KillAgent(Host& host) {
  if (host.power.on()) host.power.OffAt(1);
  (void)host.power.Step("killed");
  host.agent()->killed = true;
  host.migrator().Shutdown();
  host.incoming().Shutdown();
}

v1::Migration TwoHosts::Request() const {
  v1::Migration request;
  request.set_vm(kVm);
  request.mutable_destination()->mutable_other_host()->set_agent(kAgentB);
  request.mutable_destination()->mutable_other_host()->set_qmp_socket(kDestination);
  request.add_allowed_modes(v1::MIGRATION_MODE_STATEFUL);
  return request;
}

absl::StatusOr<v1::Migration> TwoHosts::Create(const v1::Migration& request) {
  return a.migrator().Create(request, {"MigrationService.CreateMigration",
                                       absl::StrCat("request-", ++next_request_), "digest"});
}

bool TwoHosts::AwaitThat(const std::function<bool()>& condition) const {
  const absl::Time limit = absl::Now() + kLongest;
  // Both agents, and the network, may be what changes: there is no one event to wait for.
  while (!condition()) {
    if (absl::Now() >= limit) return false;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return true;
}

v1::Migration TwoHosts::AwaitEnd(const std::string& name) {
  v1::Migration migration;
  AwaitThat([&] {
    absl::StatusOr<v1::Migration> now = a.migrator().Get(name);
    if (now.ok()) migration = *std::move(now);
    return migration.has_end_time();
  });
  return migration;
}

v1::Migration TwoHosts::Migrate(const v1::Migration& request) {
  absl::StatusOr<v1::Migration> created = Create(request);
  Must(created.status());
  return AwaitEnd(created->name());
}

bool TwoHosts::AtRest() const {
  for (const v1::Migration& migration : a.migrator().List()) {
    if (!migration.has_end_time()) return false;
  }
  for (const v1::Reservation& reservation : b.incoming().List()) {
    if (IsOpen(reservation)) return false;
  }
  return true;
}

}  // namespace vuf
