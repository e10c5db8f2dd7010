#include "server/decision/text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace vuf {

std::string ToText(const std::string& value) { return value; }
std::string ToText(bool value) { return value ? "true" : "false"; }
std::string ToText(int value) { return absl::StrCat(value); }
std::string ToText(uint32_t value) { return absl::StrCat(value); }
std::string ToText(uint64_t value) { return absl::StrFormat("%016x", value); }
std::string ToText(const Version& value) { return value.ToString(); }

std::string ToText(const ProcessId& value) {
  return absl::StrFormat("pid %d started at tick %u", value.pid, value.start_ticks);
}

std::string ToText(ProcessState value) {
  switch (value) {
    case ProcessState::kUnknown:
      return "unknown";
    case ProcessState::kRunning:
      return "running";
    case ProcessState::kStopped:
      return "stopped";
    case ProcessState::kZombie:
      return "zombie";
    case ProcessState::kUninterruptible:
      return "uninterruptible";
    case ProcessState::kFrozen:
      return "frozen";
  }
  return "unknown";
}

std::string ToText(BackEndKind value) {
  switch (value) {
    case BackEndKind::kUnknown:
      return "unknown";
    case BackEndKind::kVirtiofsd:
      return "virtiofsd";
    case BackEndKind::kVirtiofsdC:
      return "virtiofsd of QEMU 7.2 and older (C)";
    case BackEndKind::kFilestoreVhost:
      return "filestore-vhost";
    case BackEndKind::kKeeper:
      return "vuf-keeper";
    case BackEndKind::kProfiled:
      return "known by an operator's profile";
  }
  return "unknown";
}

std::string ToText(const FileId& value) {
  return absl::StrFormat("device %u inode %u", value.device, value.inode);
}

std::string ToText(const ShareId& value) {
  return absl::StrCat(ToText(value.root), ", ", value.file_system, " from ", value.mount_source,
                      value.mount_read_only ? ", read-only" : "");
}

std::string ToText(const DescriptorFacts& value) {
  return absl::StrFormat("%u open, %u allowed", value.open, value.limit);
}

std::string ToText(const OpenFileFacts& value) {
  return absl::StrFormat("%u deleted, %u not UTF-8, of %u descriptors", value.deleted,
                         value.not_utf8, value.looked_at);
}

std::string ToText(const SocketFacts& value) {
  return absl::StrCat(value.path, ": bound ", ToText(value.bound_file), ", now ",
                      ToText(value.file_at_path), ", peer inode ", value.peer_inode);
}

std::string ToText(const ChardevFacts& value) { return value.filename; }

std::string ToText(const BackEndFacts::ProfileModes& value) {
  return absl::StrCat(value.profile, ": stateless=", ToText(value.stateless),
                      " stateful=", ToText(value.stateful));
}

std::string ToText(KeeperFacts::Phase value) { return PhaseName(value, "unknown"); }

std::string ToText(KeeperFacts::Role value) {
  switch (value) {
    case KeeperFacts::Role::kUnknown:
      return "of an unknown role";
    case KeeperFacts::Role::kIdle:
      return "idle";
    case KeeperFacts::Role::kDriver:
      return "the driver";
    case KeeperFacts::Role::kNominee:
      return "the nominee";
    case KeeperFacts::Role::kFenced:
      return "fenced";
  }
  return "of an unknown role";
}

std::string ToText(const KeeperFacts& value) {
  std::string text = absl::StrCat("instance ", value.instance, ", session ", value.session,
                                  ", hand-over phase ", ToText(value.phase));
  if (!value.permit.empty()) absl::StrAppend(&text, " under permit ", value.permit);
  for (const KeeperFacts::FrontEnd& front_end : value.front_ends) {
    absl::StrAppend(&text, ", front-end ", front_end.socket_inode, " is ", ToText(front_end.role));
  }
  return text;
}

std::string ToText(const KeptBackEnd& value) {
  return absl::StrCat(value.executable, " (", ToText(value.process), "), ", ToText(value.state));
}

std::string ToText(const EffectivePolicy& value) { return absl::StrJoin(value.matching, ", "); }

std::string ToText(const std::map<std::string, std::string>& value) {
  return absl::StrJoin(value, " ", absl::PairFormatter("="));
}

std::string ToText(const std::map<std::string, bool>& value) {
  return absl::StrJoin(value, " ", [](std::string* out, const auto& entry) {
    absl::StrAppend(out, entry.first, "=", ToText(entry.second));
  });
}

std::string ToText(const std::set<std::string>& value) { return absl::StrJoin(value, " "); }
std::string ToText(const std::vector<std::string>& value) { return absl::StrJoin(value, "; "); }

std::string ToText(const std::vector<MemoryBackendFacts>& value) {
  return absl::StrJoin(value, " ", [](std::string* out, const MemoryBackendFacts& backend) {
    absl::StrAppend(out, backend.id, ":share=", ToText(backend.share));
    if (!backend.path.value_or("").empty()) absl::StrAppend(out, ",path=", *backend.path);
    if (backend.file.has_value()) absl::StrAppend(out, " (", ToText(*backend.file), ")");
  });
}

std::string ToText(const std::vector<FsDeviceFacts>& value) {
  return absl::StrJoin(value, " ", [](std::string* out, const FsDeviceFacts& device) {
    absl::StrAppend(out, device.subject());
  });
}

}  // namespace vuf
