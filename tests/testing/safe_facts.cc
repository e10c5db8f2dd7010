#include "tests/testing/safe_facts.h"

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace vuf {
namespace {

template <typename T>
Evidence<T> Safe(T value, Source source) {
  return Known(std::move(value), source, SafeTime(), "safe world");
}

template <typename T>
Evidence<T> Qmp(T value) {
  return Safe(std::move(value), Source::kQmp);
}

std::string SocketPath(Side side, int index) {
  return absl::StrCat("/run/vuf/", side == Side::kSource ? "source" : "destination", "-fs", index,
                      ".sock");
}

BackEndFacts SafeBackEnd(Side side, int index) {
  // Everything that must be unique is numbered by this.
  const int number = (side == Side::kSource ? 0 : 100) + index;
  const FileId socket_file = {24, static_cast<uint64_t>(7000 + number)};
  BackEndFacts back_end;
  back_end.socket = Safe(SocketFacts{SocketPath(side, index), socket_file, socket_file,
                                     static_cast<uint64_t>(90000 + number)},
                         Source::kSockDiag);
  back_end.process =
      Safe(ProcessId{2000 + number, static_cast<uint64_t>(50000 + number)}, Source::kSockDiag);
  back_end.first_start_ticks = Safe(back_end.process.value->start_ticks, Source::kProcfs);
  back_end.process_state = Safe(ProcessState::kRunning, Source::kProcfs);
  back_end.executable = Safe(std::string("/usr/libexec/virtiofsd"), Source::kProcfs);
  back_end.executable_deleted = Safe(false, Source::kProcfs);
  back_end.version_line = Safe(std::string("virtiofsd 1.14.0"), Source::kBackEndExecutable);
  back_end.kind = Safe(BackEndKind::kVirtiofsd, Source::kBackEndExecutable);
  back_end.version = Safe(Version{1, 14, 0}, Source::kBackEndExecutable);
  back_end.options = Safe(
      BackEndOptions{
          {"allow-direct-io", "false"},
          {"allow-mmap", "false"},
          {"announce-submounts", "true"},
          {"cache", "auto"},
          {"inode-file-handles", "prefer"},
          {"migration-confirm-paths", "false"},
          {"migration-mode", "file-handles"},
          {"migration-on-error", "abort"},
          {"migration-verify-handles", "false"},
          {"posix-acl", "never"},
          {"readonly", "false"},
          {"sandbox", "namespace"},
          {"security-label", "never"},
          {"shared-dir", "/srv/share"},
          {"socket-path", SocketPath(side, index)},
          {"thread-pool-size", "0"},
          {"writeback", "false"},
          {"xattr", "false"},
      },
      Source::kProcfs);
  back_end.features = Safe(std::set<std::string>{"migrate-precopy", "separate-options"},
                           Source::kBackEndExecutable);
  back_end.effective_capabilities = Safe(uint64_t{0x00000000880000df}, Source::kProcfs);
  back_end.share = Safe(ShareId{{254, static_cast<uint64_t>(1000 + index)}, "ext4", "/dev/vda1"},
                        Source::kFileSystem);
  back_end.file_handles = Safe(true, Source::kFileSystem);
  back_end.submounts = Safe(std::set<std::string>{"cache: tmpfs, device 0:55"}, Source::kProcfs);
  back_end.ids = Safe(
      ProcessIds{
          {"uid", "0"}, {"gid", "0"}, {"uid_map", "0 0 4294967295"}, {"gid_map", "0 0 4294967295"}},
      Source::kProcfs);
  back_end.security_label = Safe(std::string("virtiofsd (enforce)"), Source::kProcfs);
  back_end.descriptors = Safe(DescriptorFacts{40, 1'000'000}, Source::kProcfs);
  back_end.open_files = Safe(OpenFileFacts{40}, Source::kProcfs);
  back_end.front_ends = Safe(1, Source::kSockDiag);
  back_end.profile_modes =
      Safe(BackEndFacts::ProfileModes{false, true, "backEndProfiles/virtiofsd"}, Source::kProfile);
  return back_end;
}

FsDeviceFacts SafeDevice(Side side, int index) {
  FsDeviceFacts device;
  device.id = absl::StrCat("fs", index);
  device.qom_path = absl::StrCat("/machine/peripheral/", device.id);
  device.type = "vhost-user-fs-pci";
  device.tag = Qmp(absl::StrCat("share", index));
  device.request_queues = Qmp(uint32_t{1});
  device.queue_size = Qmp(uint32_t{128});
  // QEMU says it once the driver runs, which it does not at the destination.
  device.ring_size = side == Side::kSource ? Qmp(uint32_t{128})
                                           : Unknown<uint32_t>("vhost device has not started yet");
  device.driver_running = Qmp(side == Side::kSource);
  device.pci_address = Qmp(absl::StrCat("0000:00:0", index + 1, ".0"));
  device.chardev_label = Qmp(absl::StrCat("char", index));
  const std::string path = SocketPath(side, index);
  device.chardev = Qmp(ChardevFacts{absl::StrCat("unix:", path), path, true});
  device.migration_property = Qmp(std::string());
  device.back_end = SafeBackEnd(side, index);
  return device;
}

// The keeper's ends of the two front-ends' connections.
uint64_t FrontEndInode(Side side, int index) {
  return (side == Side::kSource ? uint64_t{95000} : uint64_t{95100}) + static_cast<uint64_t>(index);
}

KeeperFacts SafeKeeper(int index) {
  KeeperFacts keeper;
  keeper.control_socket = absl::StrCat("/run/vuf/keeper-fs", index, ".control");
  keeper.instance = absl::StrCat("0123456789abcdef0123456789abcde", index);
  keeper.session = absl::StrCat("fedcba9876543210fedcba987654321", index);
  keeper.version = "0.6.0";
  keeper.front_ends = {{FrontEndInode(Side::kSource, index), KeeperFacts::Role::kDriver},
                       {FrontEndInode(Side::kDestination, index), KeeperFacts::Role::kIdle}};
  keeper.phase = KeeperFacts::Phase::kNone;
  // What virtiofsd 1.14 offers.
  keeper.back_end_features = 0x174000000;
  keeper.back_end_protocol_features = 0x08A42B;
  keeper.back_end_socket_inode = uint64_t{96000} + static_cast<uint64_t>(index);
  return keeper;
}

// The side matters for its connection only.
BackEndFacts SafeKeeperBackEnd(Side side, int index) {
  const char kHidden[] = "it is behind a keeper";
  const FileId socket_file = {24, static_cast<uint64_t>(7200 + index)};
  BackEndFacts back_end;
  back_end.socket = Safe(SocketFacts{absl::StrCat("/run/vuf/keeper-fs", index, ".sock"),
                                     socket_file, socket_file, FrontEndInode(side, index)},
                         Source::kSockDiag);
  back_end.process =
      Safe(ProcessId{2200 + index, static_cast<uint64_t>(50200 + index)}, Source::kSockDiag);
  back_end.first_start_ticks = Safe(back_end.process.value->start_ticks, Source::kProcfs);
  back_end.process_state = Safe(ProcessState::kRunning, Source::kProcfs);
  back_end.executable = Safe(std::string("/usr/bin/vuf-keeper"), Source::kProcfs);
  back_end.executable_deleted = Safe(false, Source::kProcfs);
  back_end.version_line = Unknown<std::string>("a keeper is asked on its control socket");
  back_end.kind = Safe(BackEndKind::kKeeper, Source::kBackEndExecutable);
  back_end.version = Safe(Version{0, 6, 0}, Source::kBackEndExecutable);
  back_end.options = Unknown<BackEndOptions>(kHidden);
  back_end.features = Unknown<std::set<std::string>>(kHidden);
  back_end.effective_capabilities = Unknown<uint64_t>(kHidden);
  back_end.share = Unknown<ShareId>(kHidden);
  back_end.file_handles = Unknown<bool>(kHidden);
  back_end.submounts = Unknown<std::set<std::string>>(kHidden);
  back_end.ids = Unknown<ProcessIds>(kHidden);
  back_end.security_label = Unknown<std::string>(kHidden);
  back_end.descriptors = Unknown<DescriptorFacts>(kHidden);
  back_end.open_files = Unknown<OpenFileFacts>(kHidden);
  back_end.front_ends = Safe(2, Source::kSockDiag);
  back_end.profile_modes =
      Safe(BackEndFacts::ProfileModes{true, true, "backEndProfiles/keeper"}, Source::kProfile);
  back_end.keeper = Safe(SafeKeeper(index), Source::kBackEndExecutable);
  back_end.kept = Safe(KeptBackEnd{{2300 + index, static_cast<uint64_t>(50100 + index)},
                                   ProcessState::kRunning,
                                   "/usr/libexec/virtiofsd"},
                       Source::kSockDiag);
  return back_end;
}

VmFacts SafeVm(Side side, int devices) {
  const bool source = side == Side::kSource;
  VmFacts vm;
  vm.qmp_socket = source ? "/run/vuf/source.qmp" : "/run/vuf/destination.qmp";
  vm.monitor = Qmp(std::string("QMP"));
  // After its back-ends, as it must be.
  vm.process = Safe(source ? ProcessId{3000, 51000} : ProcessId{3100, 52000}, Source::kProcfs);
  vm.uuid = Qmp(std::string("7b1c4b0e-3c1d-4d2e-9a53-0d6b7f1c2a10"));
  vm.guest_name = Qmp(std::string("guest"));
  vm.qemu_version = Qmp(Version{10, 0, 2});
  vm.run_state = Qmp(std::string(source ? "running" : "inmigrate"));
  vm.machine_type = Qmp(std::string("pc-q35-10.0-machine"));
  vm.started_paused = Safe(!source, Source::kProcfs);
  vm.migration_status = Qmp(std::string());
  vm.blocked_reasons = Qmp(std::vector<std::string>());
  vm.capabilities = Qmp(std::map<std::string, bool>{{"background-snapshot", false},
                                                    {"events", false},
                                                    {"multifd", false},
                                                    {"pause-before-switchover", false},
                                                    {"postcopy-ram", false},
                                                    {"release-ram", false},
                                                    {"return-path", false},
                                                    {"x-ignore-shared", false}});
  vm.migration_mode = Qmp(std::string("normal"));
  vm.tls_creds = Qmp(std::string());
  vm.memory_backends = Qmp(std::vector<MemoryBackendFacts>{{"mem0", 128 << 20, true}});
  std::vector<FsDeviceFacts> all;
  all.reserve(devices);
  for (int i = 0; i < devices; ++i) all.push_back(SafeDevice(side, i));
  vm.devices = Qmp(std::move(all));
  return vm;
}

}  // namespace

Evidence<EffectivePolicy> SafePolicy(int devices) {
  const std::string by = "migrationPolicies/default@1";
  EffectivePolicy policy;
  policy.matching = {by};
  policy.same_host = {true, by};
  for (int i = 0; i < devices; ++i) {
    policy.devices.push_back({absl::StrCat("fs", i), {ModesAllowed{true, true}, by}});
  }
  return Safe(std::move(policy), Source::kRegistry);
}

absl::Time SafeTime() { return absl::FromUnixSeconds(1'700'000'000); }

VmFacts SafeSource(int devices) { return SafeVm(Side::kSource, devices); }
VmFacts SafeDestination(int devices) { return SafeVm(Side::kDestination, devices); }

Facts SafeFacts(int devices) {
  Facts facts;
  facts.request.allow_stateful = true;
  facts.request.has_destination = true;
  facts.boot_id = Safe(std::string("0c6a0b1e-7d8c-4a53-b1a5-3c1d4d2e9a53"), Source::kProcfs);
  facts.source = SafeSource(devices);
  facts.destination = SafeDestination(devices);
  facts.policy = SafePolicy(devices);
  facts.now = SafeTime() + absl::Seconds(1);
  return facts;
}

Facts SafeKeeperFacts(int keepers, int plain) {
  Facts facts = SafeFacts(keepers + plain);
  facts.request.allow_stateless = true;
  facts.request.allow_stateful = plain > 0;
  for (const Side side : {Side::kSource, Side::kDestination}) {
    VmFacts& vm = side == Side::kSource ? facts.source : *facts.destination;
    for (int i = 0; i < keepers; ++i) {
      FsDeviceFacts& device = (*vm.devices.value)[i];
      device.back_end = SafeKeeperBackEnd(side, i);
      const std::string& path = device.back_end.socket.value->path;
      device.chardev = Qmp(ChardevFacts{absl::StrCat("unix:", path), path, true});
    }
  }
  return facts;
}

Facts SafeOtherHostFacts() {
  Facts facts = SafeFacts();
  facts.other_host.emplace();
  facts.other_host->agent = "b.example:7443";
  facts.other_host->boot_id = Safe(*facts.boot_id.value, Source::kPeer);
  facts.policy.value->other_host = facts.policy.value->same_host;
  for (VmFacts* vm : {&facts.source, &*facts.destination}) vm->tls_creds.value = "tls0";
  return facts;
}

void MakeSecondStage(Facts& facts, const std::string& permit) {
  facts.request.sequential = true;
  for (FsDeviceFacts& device : *facts.destination->devices.value) {
    if (!device.back_end.keeper.known()) continue;
    facts.request.own_permits[device.subject()] = permit;
    KeeperFacts& keeper = *device.back_end.keeper.value;
    keeper.phase = KeeperFacts::Phase::kSaved;
    keeper.permit = permit;
    keeper.front_ends.erase(keeper.front_ends.begin());
  }
}

void MakeRamShared(Facts& facts) {
  facts.request.shared_ram = true;
  for (VmFacts* vm : {&facts.source, &*facts.destination}) {
    MemoryBackendFacts& memory = vm->memory_backends.value->front();
    memory.path = "/dev/shm/guest-ram";
    memory.file = FileId{25, 8000};
  }
}

}  // namespace vuf
