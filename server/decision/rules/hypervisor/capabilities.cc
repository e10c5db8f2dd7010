// Migration capabilities: those vufd needs, and those that must be off.
#include <algorithm>

#include "absl/strings/str_format.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

constexpr const char* kNeeded[] = {"return-path", "events", "pause-before-switchover"};

// Left on by somebody else, each would break vufd's way to migrate: one stream on one socket, the
// source kept able to resume.
constexpr const char* kInTheWay[] = {"block",        "compress",    "mapped-ram", "multifd",
                                     "rdma-pin-all", "release-ram", "x-colo",     "zero-copy-send"};

void CheckNeeded(const World& world, Report& report) {
  for (const VmView& vm : world.vms()) {
    const auto capabilities = report.Need(vm, fact::kCapabilities);
    if (!capabilities) continue;
    for (const char* name : kNeeded) {
      if (capabilities->count(name) > 0) continue;
      report.Add(vm.subject(), absl::StrFormat("QEMU has no migration capability %s.", name),
                 {capabilities.CiteAs(name, "absent")});
    }
  }
}

void RefuseIfOn(const World& world, Report& report, const char* name) {
  for (const VmView& vm : world.vms()) {
    const auto capabilities = report.Need(vm, fact::kCapabilities);
    if (!capabilities) continue;
    const auto it = capabilities->find(name);
    if (it == capabilities->end() || !it->second) continue;
    report.Add(vm.subject(), absl::StrFormat("The migration capability %s is on.", name),
               {capabilities.CiteAs(name, "true")});
  }
}

void CheckPostcopy(const World& world, Report& report) {
  RefuseIfOn(world, report, "postcopy-ram");
}

void CheckSnapshot(const World& world, Report& report) {
  RefuseIfOn(world, report, "background-snapshot");
}

void CheckIgnoreShared(const World& world, Report& report) {
  // vufd sets it itself then.
  if (world.facts().request.shared_ram) return;
  RefuseIfOn(world, report, "x-ignore-shared");
}

void CheckFsCapability(const World& world, Report& report) {
  RefuseIfOn(world, report, "vhost-user-fs");
}

void CheckInTheWay(const World& world, Report& report) {
  for (const char* name : kInTheWay) RefuseIfOn(world, report, name);
}

void CheckMode(const World& world, Report& report) {
  for (const VmView& vm : world.vms()) {
    const auto mode = report.Need(vm, fact::kMigrationMode);
    // Empty: a QEMU before 8.2, which has no modes.
    if (!mode || mode->empty() || *mode == "normal") continue;
    report.Add(vm.subject(), absl::StrFormat("The migration mode is %s, not normal.", *mode),
               {mode.Cite()});
  }
}

constexpr char kTurnOff[] =
    "Turn the capability off (migrate-set-capabilities) on both sides; find out who turned it on, "
    "vufd does not.";

}  // namespace

VUFD_RULE(QEMU_LACKS_CAPABILITY) = {
    .hazards = "55",
    .scope = Scope::kEachSide,
    .cause =
        "vufd needs return-path (or the source takes a failed load for success), events and "
        "pause-before-switchover (the last look before the point of no return).",
    .remedy = "Use a QEMU that has the capability; every QEMU since 4.0 does.",
    .check = CheckNeeded,
};

VUFD_RULE(POSTCOPY_ENABLED) = {
    .hazards = "53",
    .retry_class = RetryClass::kOperator,
    .scope = Scope::kEachSide,
    .cause =
        "In postcopy the guest runs at the destination before its memory is there; no "
        "vhost-user-fs back-end can wait for it.",
    .remedy = kTurnOff,
    .check = CheckPostcopy,
};

VUFD_RULE(BACKGROUND_SNAPSHOT_ENABLED) = {
    .hazards = "54",
    .retry_class = RetryClass::kOperator,
    .scope = Scope::kEachSide,
    .cause =
        "A background snapshot reports success although the guest stays here, and misses what "
        "back-ends write meanwhile.",
    .remedy = kTurnOff,
    .check = CheckSnapshot,
};

VUFD_RULE(IGNORE_SHARED_ENABLED) = {
    .hazards = "52",
    .retry_class = RetryClass::kOperator,
    .scope = Scope::kEachSide,
    .cause =
        "With x-ignore-shared, shared memory does not travel: the destination has blank "
        "memory, or both sides own the same. The request asks for a copy of it.",
    .remedy = kTurnOff,
    .check = CheckIgnoreShared,
};

// The first patch of the thread of January 2023; no released QEMU has it.
VUFD_RULE(FS_CAPABILITY_ENABLED) = {
    .hazards = "5",
    .retry_class = RetryClass::kOperator,
    .scope = Scope::kEachSide,
    .cause =
        "A patched QEMU with the migration capability vhost-user-fs sends neither back-end state "
        "nor a keeper's marker: the destination loads the stream silently, and the guest gets "
        "EBADF for everything, or hangs.",
    .remedy = kTurnOff,
    .check = CheckFsCapability,
};

VUFD_RULE(CAPABILITY_IN_THE_WAY) = {
    .hazards = "58",
    .retry_class = RetryClass::kOperator,
    .scope = Scope::kEachSide,
    .cause =
        "The capability does not go together with a single stream on a socket, or gives up "
        "memory that the source needs to resume after a failure.",
    .remedy = kTurnOff,
    .check = CheckInTheWay,
};

VUFD_RULE(MIGRATION_MODE_NOT_NORMAL) = {
    .hazards = "58",
    .retry_class = RetryClass::kOperator,
    .scope = Scope::kEachSide,
    .cause =
        "A cpr mode is set. It is another procedure, and QEMU's blocked-reasons, which are "
        "kept by mode, were read for the wrong one.",
    .remedy = "Set it back: migrate-set-parameters {\"mode\": \"normal\"}.",
    .check = CheckMode,
};

}  // namespace vuf
