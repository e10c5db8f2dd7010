#include "server/migration/migration_world.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace vuf {
namespace {

constexpr absl::Duration kLongest = absl::Seconds(20);

template <typename T>
Evidence<T> Qmp(T value) {
  return Known(std::move(value), Source::kQmp, absl::Now());
}

void Must(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "the test's world: %s\n", status.ToString().c_str());
  std::abort();
}

void RegisterVm(Registry& registry, const std::string& name, const std::string& socket) {
  v1::Vm vm;
  vm.set_name(name);
  vm.set_qmp_socket(socket);
  vm.set_uuid(absl::StrCat("uuid of ", name));
  if (registry.snapshot()->vms.count(name) > 0) return;
  Must(registry.CreateVm(vm, {"test", "", ""}, absl::Now() + kLongest).status());
}

}  // namespace

VmFacts TestVm(const std::string& qmp_socket, const std::string& fs_socket, int pid,
               const std::string& run_state) {
  VmFacts vm;
  vm.qmp_socket = qmp_socket;
  vm.monitor = Qmp(std::string("QMP"));
  vm.process = Qmp(ProcessId{pid, 1000});
  vm.uuid = Qmp(std::string("7b1c"));
  vm.qemu_version = Qmp(Version{10, 0, 13});
  vm.run_state = Qmp(run_state);
  vm.started_paused = Qmp(run_state == "inmigrate");
  vm.migration_status = Qmp(std::string());
  vm.blocked_reasons = Qmp(std::vector<std::string>());
  vm.migration_mode = Qmp(std::string("normal"));
  vm.capabilities = Qmp(std::map<std::string, bool>{
      {"return-path", false}, {"events", false}, {"pause-before-switchover", false}});
  FsDeviceFacts device;
  device.qom_path = "/machine/peripheral/fs0";
  device.id = "fs0";
  device.tag = Qmp(std::string("share"));
  device.chardev_label = Qmp(std::string("char0"));
  device.chardev = Qmp(ChardevFacts{absl::StrCat("unix:", fs_socket), fs_socket, true});
  vm.devices = Qmp(std::vector<FsDeviceFacts>{device});
  return vm;
}

BackEndFacts TestBackEnd(const std::string& fs_socket, int pid) {
  BackEndFacts back_end;
  const uint64_t inode = static_cast<uint64_t>(pid);
  back_end.socket =
      Known(SocketFacts{fs_socket, {1, inode}, {1, inode}, inode}, Source::kSockDiag, absl::Now());
  back_end.process = Known(ProcessId{pid, 2000}, Source::kProcfs, absl::Now());
  back_end.first_start_ticks = Known(uint64_t{2000}, Source::kProcfs, absl::Now());
  back_end.process_state = Known(ProcessState::kRunning, Source::kProcfs, absl::Now());
  return back_end;
}

Verdict AllowWhatAnswers(const Facts& facts) {
  Verdict verdict;
  verdict.allow = facts.source.monitor.known() && facts.destination.has_value() &&
                  facts.destination->monitor.known();
  verdict.mode = verdict.allow ? Mode::kStateful : Mode::kNone;
  verdict.fingerprint = "f1";
  verdict.evaluated_at = facts.now;
  return verdict;
}

MigrationWorld::MigrationWorld() {
  qemu.AddVm(TestVm(kSource, kSourceFs, 100, "running"));
  qemu.AddVm(TestVm(kDestination, kDestinationFs, 101, "inmigrate"));
  qemu.Link(kSource, kDestination);
  host.SetBootId(Known(std::string("boot"), Source::kProcfs, absl::Now()));
  host.SetBackEnd(kSourceFs, TestBackEnd(kSourceFs, 200));
  host.SetBackEnd(kDestinationFs, TestBackEnd(kDestinationFs, 201));
  options.evaluate = AllowWhatAnswers;
  options.keepers = &keepers;
  options.decisions = &decisions;
  options.settle_timeout = absl::Seconds(2);
  options.qmp_timeout = absl::Seconds(1);
}

MigrationWorld::~MigrationWorld() { Stop(); }

void MigrationWorld::AddOther() {
  qemu.AddVm(TestVm("/run/c.qmp", kSourceFs, 102, "running"));
  qemu.AddVm(TestVm("/run/d.qmp", kDestinationFs, 103, "inmigrate"));
  qemu.Link("/run/c.qmp", "/run/d.qmp");
  AddVm("vms/other", "/run/c.qmp");
}

void MigrationWorld::AddVm(const std::string& name, const std::string& qmp_socket) {
  RegisterVm(*registry, name, qmp_socket);
}

absl::Status MigrationWorld::TryStart() {
  if (registry == nullptr) {
    auto opened = Registry::Open(&store, &clock, {});
    Must(opened.status());
    registry = *std::move(opened);
  }
  RegisterVm(*registry, kVm, kSource);
  gatherer = std::make_unique<Gatherer>(&qemu, &host, registry.get(), &clock, options.qmp_timeout);
  transitions.Begin(store);
  auto opened =
      Migrator::Open(gatherer.get(), &qemu, registry.get(), &store, &clock, options,
                     [this](const v1::Migration& migration) { transitions.Changed(migration); });
  if (!opened.ok()) return opened.status();
  migrator = *std::move(opened);
  if (await_settled) migrator->AwaitSettled();
  return absl::OkStatus();
}

void MigrationWorld::Start() { Must(TryStart()); }

void MigrationWorld::Stop() {
  migrator.reset();
  gatherer.reset();
  registry.reset();
  const std::string wrong = transitions.Wrong();
  Must(wrong.empty() ? absl::OkStatus() : absl::InternalError(wrong));
}

v1::Migration MigrationWorld::Request() const {
  v1::Migration request;
  request.set_vm(kVm);
  request.mutable_destination()->mutable_same_host()->set_qmp_socket(kDestination);
  request.add_allowed_modes(v1::MIGRATION_MODE_STATEFUL);
  return request;
}

absl::StatusOr<v1::Migration> MigrationWorld::Create(const v1::Migration& request) {
  const std::string id = absl::StrCat("request-", ++next_request_);
  return migrator->Create(request, {"MigrationService.CreateMigration", id, "digest"});
}

bool MigrationWorld::AwaitThat(const std::function<bool()>& condition) {
  const absl::Time limit = absl::Now() + kLongest;
  Mutex mu;
  CondVar changed;
  const uint64_t id = migrator->Subscribe([&] {
    MutexLock lock(&mu);
    changed.NotifyAll();
  });
  bool holds = condition();
  while (!holds && absl::Now() < limit) {
    {
      MutexLock lock(&mu);
      // A change between the look and the wait is found by the next look.
      (void)changed.WaitFor(&mu, absl::Milliseconds(20));
    }
    holds = condition();
  }
  migrator->Unsubscribe(id);
  return holds;
}

v1::Migration MigrationWorld::Await(const std::string& name) {
  v1::Migration migration;
  AwaitThat([&] {
    absl::StatusOr<v1::Migration> now = migrator->Get(name);
    Must(now.status());
    migration = *std::move(now);
    return migration.has_end_time();
  });
  return migration;
}

v1::Migration MigrationWorld::Migrate(const v1::Migration& request) {
  absl::StatusOr<v1::Migration> created = Create(request);
  Must(created.status());
  return Await(created->name());
}

v1::Migration MigrationWorld::Stored(const std::string& name) {
  absl::StatusOr<std::vector<Record>> records = store.ReadAll(Table::kMigrations);
  Must(records.status());
  for (const Record& record : *records) {
    v1::Migration migration;
    if (record.key == name && migration.ParseFromString(record.value)) return migration;
  }
  return {};
}

std::string MigrationWorld::RegisteredMonitor() const {
  return registry->snapshot()->vms.at(kVm).qmp_socket();
}

bool MigrationWorld::Runs(const std::string& vm) const {
  return qemu.Alive(vm) && qemu.RunState(vm) == "running";
}

bool MigrationWorld::Did(const std::string& action) const {
  const std::vector<std::string> actions = qemu.Actions();
  return std::find(actions.begin(), actions.end(), action) != actions.end();
}

}  // namespace vuf
