// How long a vufd that starts again takes until it is READY, with a state full of endpoints and
// migrations under way. Its QEMUs are fakes that answer at once; everything else is real.
#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/vuf_client.h"
#include "server/agent.h"
#include "server/base/log.h"
#include "server/migration/migration_world.h"
#include "server/store/sqlite_store.h"

namespace vuf {
namespace {

constexpr int kRounds = 5;

template <typename T>
T Must(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  fprintf(stderr, "restart_bench: %s\n", value.status().ToString().c_str());
  exit(1);
}

std::string BootId() {
  std::string id;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
  return id;
}

std::string Monitor(int i, const char* side) { return absl::StrCat("/run/bench/", i, side); }

void FillQemu(int i, const char* side, int pid, v1::QemuProcess& out) {
  out.set_qmp_socket(Monitor(i, side));
  out.set_pid(pid);
  out.set_start_ticks(1000);
  out.set_boot_id(BootId());
  (*out.mutable_settings()->mutable_capabilities())["pause-before-switchover"] = false;
}

// What a vufd that was killed while it copied the memory of `migrations` guests has left.
void FillState(const std::string& directory, int endpoints, int migrations) {
  const std::unique_ptr<SqliteStore> store = Must(SqliteStore::Open(directory));
  const SystemClock clock;
  const std::unique_ptr<Registry> registry = Must(Registry::Open(store.get(), &clock, {}));
  for (int i = 0; i < endpoints; ++i) {
    v1::Endpoint endpoint;
    endpoint.set_name(absl::StrCat("endpoints/e", i));
    endpoint.set_socket_path(absl::StrCat("/run/bench/e", i, ".sock"));
    Must(registry->CreateEndpoint(endpoint, RequestKey{}, absl::InfiniteFuture()));
  }
  for (int i = 0; i < migrations; ++i) {
    v1::Vm vm;
    vm.set_name(absl::StrCat("vms/v", i));
    vm.set_qmp_socket(Monitor(i, "a"));
    Must(registry->CreateVm(vm, RequestKey{}, absl::InfiniteFuture()));
    v1::Migration migration;
    migration.set_name(absl::StrCat("migrations/m", 1000000001 + i));
    migration.set_vm(vm.name());
    migration.set_state(v1::Migration::STATE_TRANSFERRING);
    migration.mutable_destination()->mutable_same_host()->set_qmp_socket(Monitor(i, "b"));
    FillQemu(i, "a", 100000 + i, *migration.mutable_source_qemu());
    FillQemu(i, "b", 200000 + i, *migration.mutable_destination_qemu());
    migration.mutable_source_qemu()->set_run_state("running");
    const absl::Status written =
        store->Write({{Table::kMigrations, migration.name(), migration.SerializeAsString()}});
    if (!written.ok()) exit(1);
  }
}

// Guests whose memory is being copied.
void FillQemus(FakeConnector& qemus, int migrations) {
  const absl::Time soon = absl::Now() + absl::Seconds(60);
  for (int i = 0; i < migrations; ++i) {
    qemus.AddVm(TestVm(Monitor(i, "a"), kSourceFs, 100000 + i, "running"));
    qemus.AddVm(TestVm(Monitor(i, "b"), kDestinationFs, 200000 + i, "inmigrate"));
    qemus.Link(Monitor(i, "a"), Monitor(i, "b"));
    qemus.SetOutcome(Monitor(i, "a"), FakeOutcome::kNeverConverges);
    const auto source = Must(qemus.Connect(Monitor(i, "a"), soon));
    const auto destination = Must(qemus.Connect(Monitor(i, "b"), soon));
    if (!destination->PrepareIncoming(0, soon).ok()) exit(1);
    if (!source->StartOutgoing(0, soon).ok()) exit(1);
  }
}

class Lent : public HypervisorConnector {
 public:
  explicit Lent(FakeConnector* qemus) : qemus_(qemus) {}
  absl::StatusOr<std::unique_ptr<Hypervisor>> Connect(const std::string& qmp_socket,
                                                      absl::Time deadline) override {
    return qemus_->Connect(qmp_socket, deadline);
  }

 private:
  FakeConnector* const qemus_;
};

// From before the start to the first answer that says SERVING.
absl::Duration TimeToReady(const std::string& directory, FakeConnector& qemus) {
  Config config;
  config.state_directory = directory;
  config.listen_socket = directory + "/vufd.sock";
  config.max_concurrent_migrations = 64;
  Agent::Between between;
  between.hypervisors = [&](HypervisorConnector*) { return std::make_unique<Lent>(&qemus); };
  ClientOptions options;
  options.server = "unix:" + config.listen_socket;
  const absl::Time begin = absl::Now();
  const std::unique_ptr<Agent> agent = Must(Agent::Start(config, between));
  const std::unique_ptr<VufClient> client = Must(VufClient::Create(options));
  while (!client->IsServing().value_or(false)) absl::SleepFor(absl::Milliseconds(1));
  const absl::Duration took = absl::Now() - begin;
  agent->Stop();
  return took;
}

absl::Duration Round(int endpoints, int migrations) {
  std::string directory = "/tmp/restart_bench.XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) exit(1);
  FillState(directory, endpoints, migrations);
  FakeConnector qemus;
  FillQemus(qemus, migrations);
  const absl::Duration took = TimeToReady(directory, qemus);
  for (int i = 0; i < migrations; ++i) {
    if (qemus.RunState(Monitor(i, "a")) == "running") continue;
    fprintf(stderr, "restart_bench: guest %d does not run any more\n", i);
    exit(1);
  }
  std::filesystem::remove_all(directory);
  return took;
}

void Report(int endpoints, int migrations) {
  std::vector<absl::Duration> times;
  for (int i = 0; i < kRounds; ++i) times.push_back(Round(endpoints, migrations));
  std::sort(times.begin(), times.end());
  printf("%4d endpoints, %2d migrations under way: READY after %.0f ms (median), %.0f ms (max)\n",
         endpoints, migrations, absl::ToDoubleMilliseconds(times[kRounds / 2]),
         absl::ToDoubleMilliseconds(times.back()));
  fflush(stdout);
}

}  // namespace
}  // namespace vuf

int main() {
  vuf::ConfigureLog(vuf::LogLevel::kError, false);
  vuf::Report(0, 0);
  vuf::Report(1000, 0);
  vuf::Report(1000, 50);
  return 0;
}
