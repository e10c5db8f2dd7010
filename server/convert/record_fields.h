// Which field of a record holds which member of the model: one Visit() per struct, for both
// directions. A member that is missing here fails facts_record_test.
#ifndef VUFD_SERVER_CONVERT_RECORD_FIELDS_H_
#define VUFD_SERVER_CONVERT_RECORD_FIELDS_H_

#include <concepts>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "server/convert/record_policy_fields.h"
#include "server/model/facts.h"
#include "server/model/vm.h"
#include "vuf/record/v1/facts.pb.h"

namespace vuf::record {

void Visit(auto& archive, Is<Version> auto& version) {
  using R = v1::VersionRecord;
  archive(R::kMajorFieldNumber, version.major);
  archive(R::kMinorFieldNumber, version.minor);
  archive(R::kMicroFieldNumber, version.micro);
}

void Visit(auto& archive, Is<ProcessId> auto& process) {
  using R = v1::ProcessIdRecord;
  archive(R::kPidFieldNumber, process.pid);
  archive(R::kStartTicksFieldNumber, process.start_ticks);
}

void Visit(auto& archive, Is<FileId> auto& file) {
  using R = v1::FileIdRecord;
  archive(R::kDeviceFieldNumber, file.device);
  archive(R::kInodeFieldNumber, file.inode);
}

void Visit(auto& archive, Is<MemoryBackendFacts> auto& memory) {
  using R = v1::MemoryBackendRecord;
  archive(R::kIdFieldNumber, memory.id);
  archive(R::kSizeFieldNumber, memory.size);
  archive(R::kShareFieldNumber, memory.share);
  archive(R::kPathFieldNumber, memory.path);
  archive(R::kFileFieldNumber, memory.file);
}

void Visit(auto& archive, Is<ChardevFacts> auto& chardev) {
  using R = v1::ChardevRecord;
  archive(R::kFilenameFieldNumber, chardev.filename);
  archive(R::kSocketPathFieldNumber, chardev.socket_path);
  archive(R::kConnectedFieldNumber, chardev.connected);
}

void Visit(auto& archive, Is<SocketFacts> auto& socket) {
  using R = v1::SocketRecord;
  archive(R::kPathFieldNumber, socket.path);
  archive(R::kBoundFileFieldNumber, socket.bound_file);
  archive(R::kFileAtPathFieldNumber, socket.file_at_path);
  archive(R::kPeerInodeFieldNumber, socket.peer_inode);
}

void Visit(auto& archive, Is<ShareId> auto& share) {
  using R = v1::ShareRecord;
  archive(R::kRootFieldNumber, share.root);
  archive(R::kFileSystemFieldNumber, share.file_system);
  archive(R::kMountSourceFieldNumber, share.mount_source);
  archive(R::kMountReadOnlyFieldNumber, share.mount_read_only);
}

void Visit(auto& archive, Is<DescriptorFacts> auto& descriptors) {
  using R = v1::DescriptorRecord;
  archive(R::kOpenFieldNumber, descriptors.open);
  archive(R::kLimitFieldNumber, descriptors.limit);
}

void Visit(auto& archive, Is<OpenFileFacts> auto& files) {
  using R = v1::OpenFileRecord;
  archive(R::kLookedAtFieldNumber, files.looked_at);
  archive(R::kDeletedFieldNumber, files.deleted);
  archive(R::kDeletedExampleFieldNumber, files.deleted_example);
  archive(R::kNotUtf8FieldNumber, files.not_utf8);
}

void Visit(auto& archive, Is<BackEndFacts::ProfileModes> auto& modes) {
  using R = v1::ProfileModesRecord;
  archive(R::kStatelessFieldNumber, modes.stateless);
  archive(R::kStatefulFieldNumber, modes.stateful);
  archive(R::kProfileFieldNumber, modes.profile);
}

void Visit(auto& archive, Is<KeeperFacts::FrontEnd> auto& front_end) {
  using R = v1::KeeperFrontEndRecord;
  archive(R::kSocketInodeFieldNumber, front_end.socket_inode);
  archive(R::kRoleFieldNumber, front_end.role);
  archive(R::kUndrainedFieldNumber, front_end.undrained);
}

void Visit(auto& archive, Is<KeeperFacts> auto& keeper) {
  using R = v1::KeeperRecord;
  archive(R::kControlSocketFieldNumber, keeper.control_socket);
  archive(R::kInstanceFieldNumber, keeper.instance);
  archive(R::kSessionFieldNumber, keeper.session);
  archive(R::kVersionFieldNumber, keeper.version);
  archive(R::kFrontEndsFieldNumber, keeper.front_ends);
  archive(R::kPhaseFieldNumber, keeper.phase);
  archive(R::kPermitFieldNumber, keeper.permit);
  archive(R::kHandedOverPermitFieldNumber, keeper.handed_over_permit);
  archive(R::kFencedFieldNumber, keeper.fenced);
  archive(R::kBackEndFeaturesFieldNumber, keeper.back_end_features);
  archive(R::kBackEndProtocolFeaturesFieldNumber, keeper.back_end_protocol_features);
  archive(R::kBackEndSocketInodeFieldNumber, keeper.back_end_socket_inode);
  archive(R::kUnansweredFieldNumber, keeper.unanswered);
  archive(R::kLastRefusalFieldNumber, keeper.last_refusal);
  archive(R::kLastDrainUsFieldNumber, keeper.last_drain_us);
  archive(R::kLastReplaceUsFieldNumber, keeper.last_replace_us);
}

void Visit(auto& archive, Is<KeptBackEnd> auto& kept) {
  using R = v1::KeptBackEndRecord;
  archive(R::kProcessFieldNumber, kept.process);
  archive(R::kStateFieldNumber, kept.state);
  archive(R::kExecutableFieldNumber, kept.executable);
}

// Where an EvidenceRecord has a value of type T.
template <typename T>
inline constexpr int kValueFieldNumber = 0;
template <>
inline constexpr int kValueFieldNumber<std::string> = v1::EvidenceRecord::kBytesValueFieldNumber;
template <>
inline constexpr int kValueFieldNumber<bool> = v1::EvidenceRecord::kBoolValueFieldNumber;
template <>
inline constexpr int kValueFieldNumber<int32_t> = v1::EvidenceRecord::kInt32ValueFieldNumber;
template <>
inline constexpr int kValueFieldNumber<uint32_t> = v1::EvidenceRecord::kUint32ValueFieldNumber;
template <>
inline constexpr int kValueFieldNumber<uint64_t> = v1::EvidenceRecord::kUint64ValueFieldNumber;
template <>
inline constexpr int kValueFieldNumber<std::vector<std::string>> =
    v1::EvidenceRecord::kTextsFieldNumber;
template <>
inline constexpr int kValueFieldNumber<std::set<std::string>> =
    v1::EvidenceRecord::kTextsFieldNumber;
template <>
inline constexpr int kValueFieldNumber<Version> = v1::EvidenceRecord::kVersionFieldNumber;
template <>
inline constexpr int kValueFieldNumber<ProcessId> = v1::EvidenceRecord::kProcessFieldNumber;
template <>
inline constexpr int kValueFieldNumber<std::map<std::string, bool>> =
    v1::EvidenceRecord::kCapabilitiesFieldNumber;
template <>
inline constexpr int kValueFieldNumber<std::vector<MemoryBackendFacts>> =
    v1::EvidenceRecord::kMemoryBackendsFieldNumber;
template <>
inline constexpr int kValueFieldNumber<std::vector<FsDeviceFacts>> =
    v1::EvidenceRecord::kDevicesFieldNumber;
template <>
inline constexpr int kValueFieldNumber<ChardevFacts> = v1::EvidenceRecord::kChardevFieldNumber;
template <>
inline constexpr int kValueFieldNumber<SocketFacts> = v1::EvidenceRecord::kSocketFieldNumber;
template <>
inline constexpr int kValueFieldNumber<ProcessState> = v1::EvidenceRecord::kProcessStateFieldNumber;
template <>
inline constexpr int kValueFieldNumber<BackEndKind> = v1::EvidenceRecord::kBackEndKindFieldNumber;
template <>
inline constexpr int kValueFieldNumber<BackEndOptions> = v1::EvidenceRecord::kOptionsFieldNumber;
template <>
inline constexpr int kValueFieldNumber<ShareId> = v1::EvidenceRecord::kShareFieldNumber;
template <>
inline constexpr int kValueFieldNumber<BackEndFacts::ProfileModes> =
    v1::EvidenceRecord::kProfileModesFieldNumber;
template <>
inline constexpr int kValueFieldNumber<KeeperFacts> = v1::EvidenceRecord::kKeeperFieldNumber;
template <>
inline constexpr int kValueFieldNumber<KeptBackEnd> = v1::EvidenceRecord::kKeptFieldNumber;
template <>
inline constexpr int kValueFieldNumber<DescriptorFacts> =
    v1::EvidenceRecord::kDescriptorsFieldNumber;
template <>
inline constexpr int kValueFieldNumber<OpenFileFacts> = v1::EvidenceRecord::kOpenFilesFieldNumber;

template <>
inline constexpr int kValueFieldNumber<EffectivePolicy> = v1::EvidenceRecord::kPolicyFieldNumber;

template <typename T>
void VisitEvidence(auto& archive, Is<Evidence<T>> auto& evidence) {
  using R = v1::EvidenceRecord;
  static_assert(kValueFieldNumber<T> != 0, "EvidenceRecord has no value of this type");
  archive(R::kSourceFieldNumber, evidence.source);
  archive(R::kObservedAtFieldNumber, evidence.observed_at);
  archive(R::kDetailFieldNumber, evidence.detail);
  archive(kValueFieldNumber<T>, evidence.value);
}
template <typename T>
void Visit(auto& archive, Evidence<T>& evidence) {
  VisitEvidence<T>(archive, evidence);
}
template <typename T>
void Visit(auto& archive, const Evidence<T>& evidence) {
  VisitEvidence<T>(archive, evidence);
}

void Visit(auto& archive, Is<BackEndFacts> auto& back_end) {
  using R = v1::BackEndRecord;
  archive(R::kSocketFieldNumber, back_end.socket);
  archive(R::kProcessFieldNumber, back_end.process);
  archive(R::kFirstStartTicksFieldNumber, back_end.first_start_ticks);
  archive(R::kProcessStateFieldNumber, back_end.process_state);
  archive(R::kExecutableFieldNumber, back_end.executable);
  archive(R::kExecutableDeletedFieldNumber, back_end.executable_deleted);
  archive(R::kVersionLineFieldNumber, back_end.version_line);
  archive(R::kKindFieldNumber, back_end.kind);
  archive(R::kVersionFieldNumber, back_end.version);
  archive(R::kOptionsFieldNumber, back_end.options);
  archive(R::kFeaturesFieldNumber, back_end.features);
  archive(R::kEffectiveCapabilitiesFieldNumber, back_end.effective_capabilities);
  archive(R::kShareFieldNumber, back_end.share);
  archive(R::kFrontEndsFieldNumber, back_end.front_ends);
  archive(R::kProfileModesFieldNumber, back_end.profile_modes);
  archive(R::kKeeperFieldNumber, back_end.keeper);
  archive(R::kKeptFieldNumber, back_end.kept);
  archive(R::kFileHandlesFieldNumber, back_end.file_handles);
  archive(R::kSubmountsFieldNumber, back_end.submounts);
  archive(R::kIdsFieldNumber, back_end.ids);
  archive(R::kSecurityLabelFieldNumber, back_end.security_label);
  archive(R::kDescriptorsFieldNumber, back_end.descriptors);
  archive(R::kOpenFilesFieldNumber, back_end.open_files);
}

void Visit(auto& archive, Is<FsDeviceFacts> auto& device) {
  using R = v1::FsDeviceRecord;
  archive(R::kQomPathFieldNumber, device.qom_path);
  archive(R::kIdFieldNumber, device.id);
  archive(R::kTypeFieldNumber, device.type);
  archive(R::kTagFieldNumber, device.tag);
  archive(R::kRequestQueuesFieldNumber, device.request_queues);
  archive(R::kQueueSizeFieldNumber, device.queue_size);
  archive(R::kRingSizeFieldNumber, device.ring_size);
  archive(R::kPciAddressFieldNumber, device.pci_address);
  archive(R::kChardevLabelFieldNumber, device.chardev_label);
  archive(R::kChardevFieldNumber, device.chardev);
  archive(R::kMigrationPropertyFieldNumber, device.migration_property);
  archive(R::kBackEndFieldNumber, device.back_end);
  archive(R::kDriverRunningFieldNumber, device.driver_running);
}

void Visit(auto& archive, Is<VmFacts> auto& vm) {
  using R = v1::VmFactsRecord;
  archive(R::kQmpSocketFieldNumber, vm.qmp_socket);
  archive(R::kMonitorFieldNumber, vm.monitor);
  archive(R::kProcessFieldNumber, vm.process);
  archive(R::kUuidFieldNumber, vm.uuid);
  archive(R::kGuestNameFieldNumber, vm.guest_name);
  archive(R::kQemuVersionFieldNumber, vm.qemu_version);
  archive(R::kRunStateFieldNumber, vm.run_state);
  archive(R::kMachineTypeFieldNumber, vm.machine_type);
  archive(R::kStartedPausedFieldNumber, vm.started_paused);
  archive(R::kMigrationStatusFieldNumber, vm.migration_status);
  archive(R::kBlockedReasonsFieldNumber, vm.blocked_reasons);
  archive(R::kCapabilitiesFieldNumber, vm.capabilities);
  archive(R::kMigrationModeFieldNumber, vm.migration_mode);
  archive(R::kMemoryBackendsFieldNumber, vm.memory_backends);
  archive(R::kDevicesFieldNumber, vm.devices);
  archive(R::kTlsCredsFieldNumber, vm.tls_creds);
}

void Visit(auto& archive, Is<Request> auto& request) {
  using R = v1::RequestRecord;
  archive(R::kAllowStatelessFieldNumber, request.allow_stateless);
  archive(R::kAllowStatefulFieldNumber, request.allow_stateful);
  archive(R::kHasDestinationFieldNumber, request.has_destination);
  archive(R::kSharedRamFieldNumber, request.shared_ram);
  archive(R::kSequentialFieldNumber, request.sequential);
  archive(R::kOwnPermitsFieldNumber, request.own_permits);
}

void Visit(auto& archive, Is<RegisteredEndpoint> auto& endpoint) {
  using R = v1::RegisteredEndpointRecord;
  archive(R::kNameFieldNumber, endpoint.name);
  archive(R::kSocketPathFieldNumber, endpoint.socket_path);
  archive(R::kProcessFieldNumber, endpoint.process);
  archive(R::kSocketFileFieldNumber, endpoint.socket_file);
  archive(R::kBootIdFieldNumber, endpoint.boot_id);
  archive(R::kGenerationFieldNumber, endpoint.generation);
}

void Visit(auto& archive, Is<OtherHost> auto& host) {
  using R = v1::OtherHostRecord;
  archive(R::kSideFieldNumber, host.side);
  archive(R::kAgentFieldNumber, host.agent);
  archive(R::kBootIdFieldNumber, host.boot_id);
  archive(R::kRefusalsFieldNumber, host.refusals);
}

void Visit(auto& archive, Is<Facts> auto& facts) {
  using R = v1::FactsRecord;
  archive(R::kRequestFieldNumber, facts.request);
  archive(R::kBootIdFieldNumber, facts.boot_id);
  archive(R::kSourceFieldNumber, facts.source);
  archive(R::kDestinationFieldNumber, facts.destination);
  archive(R::kEndpointsFieldNumber, facts.endpoints);
  archive(R::kRunningMigrationFieldNumber, facts.running_migration);
  archive(R::kNowFieldNumber, facts.now);
  archive(R::kMaxAgeFieldNumber, facts.max_age);
  archive(R::kPolicyFieldNumber, facts.policy);
  archive(R::kShadowPolicyFieldNumber, facts.shadow_policy);
  archive(R::kOtherHostFieldNumber, facts.other_host);
}

}  // namespace vuf::record

#endif  // VUFD_SERVER_CONVERT_RECORD_FIELDS_H_
