// What QEMU itself says against a migration. It says nothing about device state (hazard 2).
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

enum class Reason { kDirtyLog, kUnmigratable, kSharedRegion, kOther };

struct KnownReason {
  const char* words;
  Reason reason;
};
constexpr KnownReason kKnownReasons[] = {
    {"VHOST_F_LOG_ALL", Reason::kDirtyLog},
    {"VHOST_USER_PROTOCOL_F_LOG_SHMFD", Reason::kDirtyLog},
    {"failed to allocate shared memory", Reason::kDirtyLog},
    {"non-migratable device", Reason::kUnmigratable},
    {"VIRTIO Shared Memory Regions", Reason::kSharedRegion},
};

Reason Classify(const std::string& words) {
  for (const KnownReason& known : kKnownReasons) {
    if (absl::StrContains(words, known.words)) return known.reason;
  }
  return Reason::kOther;
}

template <Reason kReason>
void Check(const World& world, Report& report) {
  for (const VmView& vm : world.vms()) {
    const auto reasons = report.Need(vm, fact::kBlockedReasons);
    if (!reasons) continue;
    for (const std::string& words : *reasons) {
      if (Classify(words) != kReason) continue;
      report.Add(vm.subject(), absl::StrFormat("QEMU blocks the migration: \"%s\".", words),
                 {reasons.CiteAs("", words)});
    }
  }
}

}  // namespace

VUFD_RULE(BACK_END_LACKS_DIRTY_LOG) = {
    .hazards = "3",
    .scope = Scope::kEachSide,
    .cause =
        "The back-end cannot log which guest memory it writes (VHOST_F_LOG_ALL, LOG_SHMFD), or "
        "QEMU cannot allocate the log; the destination would get stale memory.",
    .remedy =
        "Use a back-end that offers both features (virtiofsd 1.11 or later), and let QEMU "
        "create memfd files.",
    .check = Check<Reason::kDirtyLog>,
};

VUFD_RULE(UNMIGRATABLE_DEVICE) = {
    .hazards = "1, 10",
    .scope = Scope::kEachSide,
    .cause = "The VM has a device that this QEMU cannot migrate at all.",
    .remedy = "Unplug the device that the message names, or use a QEMU that can migrate it.",
    .check = Check<Reason::kUnmigratable>,
};

VUFD_RULE(SHARED_MEMORY_REGION) = {
    .hazards = "69",
    .scope = Scope::kEachSide,
    .cause = "A device has a shared memory region (a DAX window); QEMU cannot migrate it.",
    .remedy = "Start the VM and its back-ends without DAX.",
    .check = Check<Reason::kSharedRegion>,
};

VUFD_RULE(QEMU_BLOCKS_MIGRATION) = {
    .hazards = "70",
    .scope = Scope::kEachSide,
    .cause = "QEMU names a reason against any migration of this VM.",
    .remedy = "See QEMU's words in the message, and remove what they name.",
    .check = Check<Reason::kOther>,
};

}  // namespace vuf
