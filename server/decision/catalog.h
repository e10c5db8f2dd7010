// Every fact that rules read, by the name that findings cite it under.
#ifndef VUFD_SERVER_DECISION_CATALOG_H_
#define VUFD_SERVER_DECISION_CATALOG_H_

#include "server/model/vm.h"

namespace vuf {

template <typename Owner, typename T>
struct Fact {
  const char* name;
  Evidence<T> Owner::*where;
  // An empty string is no answer either.
  bool empty_says_nothing = false;
};

template <typename T>
using VmFact = Fact<VmFacts, T>;
template <typename T>
using DeviceFact = Fact<FsDeviceFacts, T>;
template <typename T>
using BackEndFact = Fact<BackEndFacts, T>;

namespace fact {

inline constexpr VmFact<std::string> kMonitor{"monitor", &VmFacts::monitor};
inline constexpr VmFact<ProcessId> kQemuProcess{"QEMU process", &VmFacts::process};
inline constexpr VmFact<std::string> kUuid{"query-uuid", &VmFacts::uuid};
inline constexpr VmFact<Version> kQemuVersion{"query-version", &VmFacts::qemu_version};
inline constexpr VmFact<std::string> kRunState{"query-status.status", &VmFacts::run_state, true};
inline constexpr VmFact<std::string> kMachineType{"machine type", &VmFacts::machine_type, true};
inline constexpr VmFact<bool> kStartedPaused{"started with -S", &VmFacts::started_paused};
inline constexpr VmFact<std::string> kMigrationStatus{"query-migrate.status",
                                                      &VmFacts::migration_status};
inline constexpr VmFact<std::vector<std::string>> kBlockedReasons{"query-migrate.blocked-reasons",
                                                                  &VmFacts::blocked_reasons};
inline constexpr VmFact<std::map<std::string, bool>> kCapabilities{"query-migrate-capabilities",
                                                                   &VmFacts::capabilities};
inline constexpr VmFact<std::string> kMigrationMode{"query-migrate-parameters.mode",
                                                    &VmFacts::migration_mode};
inline constexpr VmFact<std::string> kTlsCreds{"query-migrate-parameters.tls-creds",
                                               &VmFacts::tls_creds};
inline constexpr VmFact<std::vector<MemoryBackendFacts>> kMemoryBackends{"query-memdev",
                                                                         &VmFacts::memory_backends};
inline constexpr VmFact<std::vector<FsDeviceFacts>> kDevices{"vhost-user-fs devices",
                                                             &VmFacts::devices};

inline constexpr DeviceFact<std::string> kTag{"tag", &FsDeviceFacts::tag, true};
inline constexpr DeviceFact<uint32_t> kRequestQueues{"num-request-queues",
                                                     &FsDeviceFacts::request_queues};
inline constexpr DeviceFact<uint32_t> kQueueSize{"queue-size", &FsDeviceFacts::queue_size};
inline constexpr DeviceFact<uint32_t> kRingSize{"ring entries", &FsDeviceFacts::ring_size};
inline constexpr DeviceFact<bool> kDriverRunning{"guest's driver running",
                                                 &FsDeviceFacts::driver_running};
inline constexpr DeviceFact<std::string> kPciAddress{"PCI address", &FsDeviceFacts::pci_address};
inline constexpr DeviceFact<std::string> kChardevLabel{"chardev", &FsDeviceFacts::chardev_label,
                                                       true};
inline constexpr DeviceFact<ChardevFacts> kChardev{"query-chardev.filename",
                                                   &FsDeviceFacts::chardev};
inline constexpr DeviceFact<std::string> kMigrationProperty{"migration property",
                                                            &FsDeviceFacts::migration_property};

inline constexpr BackEndFact<SocketFacts> kSocket{"back-end socket", &BackEndFacts::socket};
inline constexpr BackEndFact<ProcessId> kProcess{"back-end process", &BackEndFacts::process};
inline constexpr BackEndFact<uint64_t> kFirstStartTicks{"back-end first start",
                                                        &BackEndFacts::first_start_ticks};
inline constexpr BackEndFact<ProcessState> kProcessState{"back-end process state",
                                                         &BackEndFacts::process_state};
inline constexpr BackEndFact<bool> kExecutableDeleted{"back-end executable replaced",
                                                      &BackEndFacts::executable_deleted};
inline constexpr BackEndFact<BackEndKind> kKind{"back-end kind", &BackEndFacts::kind};
inline constexpr BackEndFact<Version> kVersion{"back-end version", &BackEndFacts::version};
inline constexpr BackEndFact<BackEndOptions> kOptions{"back-end options", &BackEndFacts::options};
inline constexpr BackEndFact<std::set<std::string>> kFeatures{"back-end features",
                                                              &BackEndFacts::features};
inline constexpr BackEndFact<uint64_t> kCapEff{"back-end CapEff",
                                               &BackEndFacts::effective_capabilities};
inline constexpr BackEndFact<ShareId> kShare{"shared directory", &BackEndFacts::share};
inline constexpr BackEndFact<bool> kFileHandles{"file handles of the shared directory",
                                                &BackEndFacts::file_handles};
inline constexpr BackEndFact<std::set<std::string>> kSubmounts{"mounts below the shared directory",
                                                               &BackEndFacts::submounts};
inline constexpr BackEndFact<ProcessIds> kIds{"back-end ids", &BackEndFacts::ids};
inline constexpr BackEndFact<std::string> kSecurityLabel{"back-end security label",
                                                         &BackEndFacts::security_label};
inline constexpr BackEndFact<DescriptorFacts> kDescriptors{"back-end descriptors",
                                                           &BackEndFacts::descriptors};
inline constexpr BackEndFact<OpenFileFacts> kOpenFiles{"back-end open files",
                                                       &BackEndFacts::open_files};
inline constexpr BackEndFact<int> kFrontEnds{"front-ends of the socket", &BackEndFacts::front_ends};
inline constexpr BackEndFact<BackEndFacts::ProfileModes> kProfileModes{
    "back-end profile", &BackEndFacts::profile_modes};
inline constexpr BackEndFact<KeeperFacts> kKeeper{"keeper's session", &BackEndFacts::keeper};
inline constexpr BackEndFact<KeptBackEnd> kKept{"back-end behind the keeper", &BackEndFacts::kept};

}  // namespace fact
}  // namespace vuf

#endif  // VUFD_SERVER_DECISION_CATALOG_H_
