#include "server/convert/convert.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace vuf {
namespace {

// The range of google.protobuf.Duration and Timestamp, in seconds.
constexpr int64_t kMaxDurationSeconds = 315576000000;
constexpr int64_t kMinTimestampSeconds = -62135596800;
constexpr int64_t kMaxTimestampSeconds = 253402300799;

v1::Severity SeverityMessage(Severity severity) {
  return severity == Severity::kWarning ? v1::SEVERITY_WARNING : v1::SEVERITY_BLOCKER;
}

v1::Side SideMessage(Side side) {
  switch (side) {
    case Side::kNone:
      return v1::SIDE_UNSPECIFIED;
    case Side::kSource:
      return v1::SIDE_SOURCE;
    case Side::kDestination:
      return v1::SIDE_DESTINATION;
  }
  return v1::SIDE_UNSPECIFIED;
}

v1::RetryClass RetryMessage(RetryClass retry) {
  switch (retry) {
    case RetryClass::kPermanent:
      return v1::RETRY_CLASS_PERMANENT;
    case RetryClass::kWait:
      return v1::RETRY_CLASS_WAIT;
    case RetryClass::kOperator:
      return v1::RETRY_CLASS_OPERATOR;
  }
  return v1::RETRY_CLASS_PERMANENT;
}

v1::EvidenceSource SourceMessage(Source source) {
  switch (source) {
    case Source::kNobody:
      return v1::EVIDENCE_SOURCE_UNSPECIFIED;
    case Source::kQmp:
      return v1::EVIDENCE_SOURCE_QMP;
    case Source::kProcfs:
      return v1::EVIDENCE_SOURCE_PROCFS;
    case Source::kSockDiag:
      return v1::EVIDENCE_SOURCE_SOCK_DIAG;
    case Source::kBackEndExecutable:
      return v1::EVIDENCE_SOURCE_BACK_END_EXECUTABLE;
    case Source::kProfile:
      return v1::EVIDENCE_SOURCE_PROFILE;
    case Source::kRegistry:
      return v1::EVIDENCE_SOURCE_REGISTRY;
    case Source::kRequest:
      return v1::EVIDENCE_SOURCE_REQUEST;
    case Source::kFileSystem:
      return v1::EVIDENCE_SOURCE_FILE_SYSTEM;
    case Source::kPeer:
      return v1::EVIDENCE_SOURCE_PEER;
  }
  return v1::EVIDENCE_SOURCE_UNSPECIFIED;
}

v1::Evidence EvidenceMessage(const CitedFact& cited) {
  v1::Evidence out;
  out.set_fact(ValidUtf8(cited.fact));
  out.set_value(ValidUtf8(cited.value));
  out.set_unknown(cited.unknown);
  out.set_source(SourceMessage(cited.source));
  if (!cited.unknown && cited.observed_at != absl::InfinitePast()) {
    *out.mutable_observe_time() = ToProto(cited.observed_at);
  }
  out.set_detail(ValidUtf8(cited.detail));
  return out;
}

v1::Finding FindingMessage(const Finding& finding) {
  v1::Finding out;
  out.set_code(finding.code);
  out.set_severity(SeverityMessage(finding.severity));
  out.set_side(SideMessage(finding.side));
  out.set_subject(ValidUtf8(finding.subject));
  out.set_message(ValidUtf8(finding.message));
  out.set_remedy(ValidUtf8(finding.remedy));
  out.set_retry_class(RetryMessage(finding.retry_class));
  for (const CitedFact& cited : finding.evidence) *out.add_evidence() = EvidenceMessage(cited);
  return out;
}

template <typename T>
void NoteUnknown(absl::string_view what, const Evidence<T>& evidence,
                 std::vector<std::string>* notes) {
  if (evidence.known()) return;
  notes->push_back(absl::StrCat(what, ": ", evidence.detail.empty() ? "unknown" : evidence.detail));
}

void SetTexts(const std::vector<std::string>& texts,
              google::protobuf::RepeatedPtrField<std::string>& out) {
  for (const std::string& text : texts) *out.Add() = ValidUtf8(text);
}

v1::ShadowVerdict ShadowMessage(const ShadowVerdict& shadow) {
  v1::ShadowVerdict out;
  out.set_decision(shadow.allow ? v1::DECISION_ALLOW : v1::DECISION_REFUSE);
  out.set_mode(ToProto(shadow.mode));
  SetTexts(shadow.added_blockers, *out.mutable_added_blockers());
  SetTexts(shadow.removed_blockers, *out.mutable_removed_blockers());
  SetTexts(shadow.policies, *out.mutable_policies());
  return out;
}

}  // namespace

std::string ValidUtf8(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const size_t length = Utf8CharacterLength(text.substr(i));
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      ++i;
      continue;
    }
    out.append(text.data() + i, length);
    i += length;
  }
  return out;
}

size_t Utf8CharacterLength(absl::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, and what is past U+10FFFF.
  if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F) ||
      (first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F)) {
    return 0;
  }
  return length;
}

std::string DestinationText(const v1::Destination& destination) {
  if (!destination.has_other_host()) return MonitorOf(destination);
  return absl::StrCat(destination.other_host().agent(), ":", destination.other_host().qmp_socket());
}

const std::string& MonitorOf(const v1::Destination& destination) {
  return destination.has_sequential() ? destination.sequential().qmp_socket()
                                      : destination.same_host().qmp_socket();
}

v1::MigrationMode ToProto(Mode mode) {
  switch (mode) {
    case Mode::kNone:
      return v1::MIGRATION_MODE_NONE;
    case Mode::kStateful:
      return v1::MIGRATION_MODE_STATEFUL;
    case Mode::kStateless:
      return v1::MIGRATION_MODE_STATELESS;
  }
  return v1::MIGRATION_MODE_NONE;
}

google::protobuf::Timestamp ToProto(absl::Time time) {
  google::protobuf::Timestamp out;
  const int64_t seconds = absl::ToUnixSeconds(time);
  if (seconds < kMinTimestampSeconds) {
    out.set_seconds(kMinTimestampSeconds);
  } else if (seconds > kMaxTimestampSeconds) {
    out.set_seconds(kMaxTimestampSeconds);
    out.set_nanos(999999999);
  } else {
    out.set_seconds(seconds);
    out.set_nanos(
        static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  }
  return out;
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  const absl::Duration limit = absl::Seconds(kMaxDurationSeconds);
  if (duration > limit) duration = limit;
  if (duration < -limit) duration = -limit;
  google::protobuf::Duration out;
  // Both parts get the sign of the whole, as Duration wants it.
  out.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  out.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration)));
  return out;
}

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

absl::Time FromProto(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

v1::Verdict ToProto(const Verdict& verdict) {
  v1::Verdict out;
  out.set_decision(verdict.allow ? v1::DECISION_ALLOW : v1::DECISION_REFUSE);
  out.set_mode(ToProto(verdict.mode));
  for (const DeviceVerdict& device : verdict.devices) {
    v1::DeviceVerdict* const added = out.add_devices();
    added->set_device(ValidUtf8(device.device));
    added->set_tag(ValidUtf8(device.tag));
    added->set_mode(ToProto(device.mode));
    added->set_socket_path(ValidUtf8(device.socket_path));
  }
  for (const Finding& finding : verdict.blockers) *out.add_blockers() = FindingMessage(finding);
  for (const Finding& finding : verdict.warnings) *out.add_warnings() = FindingMessage(finding);
  if (verdict.evaluated_at != absl::InfinitePast()) {
    *out.mutable_evaluate_time() = ToProto(verdict.evaluated_at);
  }
  out.set_fingerprint(verdict.fingerprint);
  SetTexts(verdict.policies, *out.mutable_policies());
  if (verdict.shadow.has_value()) *out.mutable_shadow() = ShadowMessage(*verdict.shadow);
  return out;
}

v1::FsDevice ToProto(const FsDeviceFacts& device) {
  v1::FsDevice out;
  out.set_id(ValidUtf8(device.id));
  out.set_qom_path(ValidUtf8(device.qom_path));
  out.set_type(ValidUtf8(device.type));
  out.set_tag(ValidUtf8(device.tag.value.value_or("")));
  out.set_request_queues(device.request_queues.value.value_or(0));
  out.set_queue_size(device.queue_size.value.value_or(0));
  out.set_pci_address(ValidUtf8(device.pci_address.value.value_or("")));
  out.set_chardev(ValidUtf8(device.chardev_label.value.value_or("")));
  if (device.chardev.known()) {
    out.set_socket_path(ValidUtf8(device.chardev.value->socket_path));
    out.set_connected(device.chardev.value->connected);
  }
  if (device.back_end.process.known()) *out.mutable_back_end() = ToProto(device.back_end);
  return out;
}

void FillObserved(const VmFacts& facts, v1::Vm* vm) {
  std::vector<std::string> notes;
  NoteUnknown("monitor", facts.monitor, &notes);
  if (facts.monitor.known()) {
    NoteUnknown("uuid", facts.uuid, &notes);
    NoteUnknown("guest name", facts.guest_name, &notes);
    NoteUnknown("QEMU version", facts.qemu_version, &notes);
    NoteUnknown("run state", facts.run_state, &notes);
    NoteUnknown("devices", facts.devices, &notes);
  }
  // A monitor that does not answer takes nothing away from what the record says already.
  if (facts.uuid.known()) vm->set_uuid(ValidUtf8(*facts.uuid.value));
  if (facts.guest_name.known()) vm->set_guest_name(ValidUtf8(*facts.guest_name.value));
  if (facts.qemu_version.known()) vm->set_qemu_version(facts.qemu_version.value->ToString());
  vm->set_run_state(ValidUtf8(facts.run_state.value.value_or("")));
  vm->clear_devices();
  if (facts.devices.known()) {
    for (const FsDeviceFacts& device : *facts.devices.value) {
      *vm->add_devices() = ToProto(device);
      NoteUnknown(absl::StrCat("back-end of ", device.subject()), device.back_end.process, &notes);
    }
  }
  vm->set_observe_error(ValidUtf8(absl::StrJoin(notes, "; ")));
}

}  // namespace vuf
