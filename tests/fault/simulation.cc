#include "tests/fault/simulation.h"

#include <sys/wait.h>
#include <unistd.h>

#include <iterator>
#include <memory>
#include <random>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "server/convert/convert.h"
#include "server/migration/two_hosts.h"
#include "tests/fault/turnstile.h"

namespace vuf {
namespace {

using State = v1::Migration;

// The faults end here; what is left must come to an end by itself.
constexpr absl::Duration kFaultyTime = absl::Seconds(8);
constexpr absl::Duration kLongest = absl::Minutes(5);
constexpr absl::Duration kLook = absl::Milliseconds(20);

// Starts elsewhere and is fast or slow.
class SkewedClock : public Clock {
 public:
  SkewedClock(absl::Duration offset, double rate)
      : begin_(absl::Now()), offset_(offset), rate_(rate) {}
  absl::Time Now() const override { return begin_ + offset_ + (absl::Now() - begin_) * rate_; }

 private:
  const absl::Time begin_;
  const absl::Duration offset_;
  const double rate_;
};

// Acknowledges the first COMMITTED without having it.
class ForgetfulStore : public Store {
 public:
  explicit ForgetfulStore(std::unique_ptr<Store> inner) : inner_(std::move(inner)) {}
  absl::StatusOr<std::vector<Record>> ReadAll(Table table) override {
    return inner_->ReadAll(table);
  }
  absl::Status Write(const std::vector<Change>& changes) override {
    for (const Change& change : changes) {
      v1::Migration migration;
      if (change.table != Table::kMigrations || !change.value.has_value()) continue;
      if (!migration.ParseFromString(*change.value)) continue;
      if (migration.state() == State::STATE_COMMITTED) return absl::OkStatus();
    }
    return inner_->Write(changes);
  }

 private:
  const std::unique_ptr<Store> inner_;
};

class Simulation {
 public:
  Simulation(uint64_t seed, PlantedBug planted) : random_(seed), planted_(planted) {}

  Schedule Run() {
    Prepare();
    Disturb();
    Calm();
    Judge();
    return std::move(schedule_);
  }

 private:
  // True once in `n` times.
  bool OneIn(uint64_t n) { return random_() % n == 0; }
  int Below(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }
  void Event(std::string what) { schedule_.events.push_back(std::move(what)); }

  void Prepare() {
    // One schedule in four has an honest network.
    message_faults_ = std::vector<int>{0, 5, 20, 40}[random_() % 4];
    for (TwoHosts::Host* host : {&hosts_.a, &hosts_.b}) {
      auto& clock = host == &hosts_.a ? clock_a_ : clock_b_;
      clock =
          std::make_unique<SkewedClock>(absl::Seconds(Below(7200) - 3600), 0.95 + 0.01 * Below(11));
      host->clock = clock.get();
    }
    if (planted_ == PlantedBug::kCommitNotDurable) {
      hosts_.a.guarded_store = std::make_unique<ForgetfulStore>(std::move(hosts_.a.guarded_store));
    }
    hosts_.fate = [this](const std::string& message, const TwoHosts::Host& from) {
      return FateOf(message, from);
    };
    hosts_.before_answer = [this] {
      if (!calm_ && Below(200) < message_faults_) absl::SleepFor(absl::Milliseconds(Below(1500)));
    };
    hosts_.distort_outcome = planted_ == PlantedBug::kUndecidedIsAborted;
    DrawOutcome();
    hosts_.Start();
    DrawKills();
  }

  void DrawOutcome() {
    static constexpr FakeOutcome kOutcomes[] = {
        FakeOutcome::kNeverConverges,         FakeOutcome::kFailsWhileActive,
        FakeOutcome::kFailsAtSwitchover,      FakeOutcome::kDestinationLoadFails,
        FakeOutcome::kDestinationDies,        FakeOutcome::kStuckAtSwitchover,
        FakeOutcome::kDestinationNeverReports};
    if (!OneIn(3)) return;
    const size_t drawn = random_() % std::size(kOutcomes);
    outcome_ = kOutcomes[drawn];
    hosts_.qemu.SetOutcome(kSource, outcome_);
    Event(absl::StrCat("QEMU outcome ", drawn));
  }

  // Each host dies up to two times, some steps after its start.
  void DrawKills() {
    for (TwoHosts::Host* host : {&hosts_.a, &hosts_.b}) {
      if (OneIn(2)) host->power.OffAt(1 + Below(60));
    }
    if (OneIn(4)) cut_at_ = absl::Now() + absl::Milliseconds(Below(1500));
    if (OneIn(4)) cancel_at_ = absl::Now() + absl::Milliseconds(Below(1500));
  }

  Fate FateOf(const std::string& message, const TwoHosts::Host& from) {
    if (planted_ == PlantedBug::kRunsOnPromise && message == "Promise" && &from == &hosts_.a) {
      (void)hosts_.qemu.ContByOther(kDestination);
    }
    if (cut_) return Fate::kLost;
    if (calm_ || Below(100) >= message_faults_) return Fate::kDelivered;
    switch (random_() % 4) {
      case 0:
        return Fate::kLost;
      case 1:
        return Fate::kAnswerLost;
      case 2:
        return Fate::kTwice;
      default:
        absl::SleepFor(absl::Milliseconds(Below(400)));
        return Fate::kDelivered;
    }
  }

  v1::Migration Request() {
    v1::Migration request = hosts_.Request();
    *request.mutable_timeout() = ToProto(absl::Milliseconds(1000 + Below(4000)));
    return request;
  }

  void Disturb() {
    const absl::Time end = absl::Now() + kFaultyTime;
    const v1::Migration request = Request();
    (void)hosts_.Create(request).status();
    while (absl::Now() < end) {
      absl::SleepFor(kLook);
      Restart(hosts_.a, "a", 1);
      Restart(hosts_.b, "b", 1);
      CutOrHeal();
      CancelWhenItIsTime();
      if (Quiet()) return;
    }
  }

  bool Quiet() { return hosts_.a.power.on() && hosts_.b.power.on() && !cut_ && hosts_.AtRest(); }

  void Restart(TwoHosts::Host& host, const char* name, int more) {
    if (host.power.on()) return;
    Event(absl::StrCat(name, " killed"));
    absl::SleepFor(absl::Milliseconds(Below(1200)));
    hosts_.KillAgent(host);
    host.power.On();
    hosts_.StartAgent(host);
    int& kills = host.address == kAgentA ? kills_a_ : kills_b_;
    if (++kills <= more && OneIn(3)) host.power.OffAt(1 + Below(40));
  }

  void CutOrHeal() {
    if (!cut_ && absl::Now() >= cut_at_) {
      cut_ = true;
      cut_at_ = absl::InfiniteFuture();
      heal_at_ = absl::Now() + absl::Milliseconds(Below(3000));
      Event("link cut");
    }
    if (cut_ && absl::Now() >= heal_at_) cut_ = false;
  }

  void CancelWhenItIsTime() {
    if (absl::Now() < cancel_at_) return;
    cancel_at_ = absl::InfiniteFuture();
    for (const v1::Migration& migration : hosts_.a.migrator().List()) {
      if (hosts_.a.migrator().Cancel(migration.name()).ok()) Event("cancelled");
    }
  }

  // Everything works again.
  void Calm() {
    calm_ = true;
    cut_ = false;
    hosts_.a.power.OffAt(0);
    hosts_.b.power.OffAt(0);
    const absl::Time limit = absl::Now() + kLongest;
    do {
      Restart(hosts_.a, "a", 0);
      Restart(hosts_.b, "b", 0);
      absl::SleepFor(kLook);
    } while (!Quiet() && absl::Now() < limit);
    if (!Quiet()) Violated("it does not come to an end");
  }

  void Violated(const std::string& what) {
    if (schedule_.violation.empty()) schedule_.violation = what;
  }

  // What must be true at last.
  void Judge() {
    const std::vector<v1::Migration> all = hosts_.a.migrator().List();
    const bool moved = !all.empty() && all.front().state() == State::STATE_SUCCEEDED;
    const std::string said = all.empty()
                                 ? "nothing"
                                 : absl::StrCat(v1::Migration::State_Name(all.front().state()),
                                                " \"", all.front().message(), "\"");
    Event(moved ? "MOVED" : "STAYED");
    if (hosts_.qemu.SplitBrain()) Violated(absl::StrCat("two ran the guest; the API says ", said));
    const bool here = hosts_.SourceRuns(), there = hosts_.DestinationRuns();
    if (here == there) Violated(absl::StrCat(here ? "both run" : "none runs", ": ", said));
    if (there != moved) Violated(absl::StrCat("the API is wrong: ", said));
    CheckRegistry(moved, said);
    CheckSettings(there ? kDestination : kSource);
  }

  void CheckRegistry(bool moved, const std::string& said) {
    const bool at_a = hosts_.a.registry().snapshot()->vms.count(kVm) > 0;
    const bool at_b = hosts_.b.registry().snapshot()->vms.count(kVm) > 0;
    if (at_a != !moved || at_b != moved) {
      Violated(absl::StrCat("the VM is registered at a: ", at_a, ", at b: ", at_b, "; ", said));
    }
  }

  void CheckSettings(const char* vm) {
    for (const auto& [name, on] : hosts_.qemu.Settings(vm).capabilities) {
      if (on) Violated(absl::StrCat(name, " was left on at ", vm));
    }
  }

  // The faults are drawn from this one, the turns of the threads from the turnstile's.
  std::mt19937_64 random_;
  const PlantedBug planted_;
  std::unique_ptr<SkewedClock> clock_a_, clock_b_;
  TwoHosts hosts_;
  FakeOutcome outcome_ = FakeOutcome::kCompletes;
  int message_faults_ = 0;
  int kills_a_ = 0, kills_b_ = 0;
  bool cut_ = false, calm_ = false;
  absl::Time cut_at_ = absl::InfiniteFuture(), heal_at_ = absl::InfiniteFuture();
  absl::Time cancel_at_ = absl::InfiniteFuture();
  Schedule schedule_;
};

// In lines: the digest, the violation, the events.
void Send(int fd, const Schedule& schedule) {
  const std::string text =
      absl::StrCat(schedule.digest, "\n", absl::StrReplaceAll(schedule.violation, {{"\n", " "}}),
                   "\n", absl::StrJoin(schedule.events, "\n"));
  for (size_t sent = 0; sent < text.size();) {
    const ssize_t n = write(fd, text.data() + sent, text.size() - sent);
    if (n <= 0) _exit(1);
    sent += static_cast<size_t>(n);
  }
}

Schedule Receive(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<size_t>(n));
  }
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  Schedule schedule;
  if (lines.size() < 2 || !absl::SimpleAtoi(lines[0], &schedule.digest)) {
    return {"the simulation said nothing", 0, {}};
  }
  schedule.violation = lines[1];
  schedule.events.assign(lines.begin() + 2, lines.end());
  return schedule;
}

}  // namespace

Schedule Simulate(uint64_t seed, PlantedBug planted) {
  int ends[2];
  if (pipe(ends) != 0) return {"pipe failed", 0, {}};
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    turnstile::Begin(seed);
    Schedule schedule = Simulation(seed, planted).Run();
    schedule.digest = turnstile::End();
    Send(ends[1], schedule);
    _exit(0);
  }
  close(ends[1]);
  Schedule schedule = Receive(ends[0]);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0) schedule.violation = absl::StrCat("the simulation ended with status ", status);
  return schedule;
}

}  // namespace vuf
