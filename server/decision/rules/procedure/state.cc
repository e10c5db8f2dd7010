// Is the VM, and is QEMU, in a state to begin a migration from or into?
#include <algorithm>
#include <iterator>

#include "absl/strings/str_format.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

// query-migrate.status of a QEMU whose earlier migration is over and done with.
constexpr const char* kOver[] = {"", "none", "completed", "failed", "cancelled"};
constexpr const char* kNeverBegun[] = {"", "none"};

template <size_t kSize>
bool OneOf(const std::string& value, const char* const (&list)[kSize]) {
  return std::any_of(std::begin(list), std::end(list),
                     [&](const char* one) { return value == one; });
}

void CheckRunning(const World& world, Report& report) {
  const std::string& name = world.facts().running_migration;
  if (name.empty()) return;
  report.Add(world.source().subject(), absl::StrFormat("%s of this VM is under way.", name));
}

void CheckQemuMigrates(const World& world, Report& report) {
  const VmView& vm = world.source();
  const auto status = report.Need(vm, fact::kMigrationStatus);
  if (!status || OneOf(*status, kOver)) return;
  report.Add(vm.subject(),
             absl::StrFormat("QEMU itself reports a migration in the state %s.", *status),
             {status.Cite()});
}

void CheckRunState(const World& world, Report& report) {
  const VmView& vm = world.source();
  const auto state = report.Need(vm, fact::kRunState);
  if (!state || *state == "running" || *state == "paused") return;
  report.Add(vm.subject(), absl::StrFormat("The VM is %s, neither running nor paused.", *state),
             {state.Cite()});
}

void CheckWaiting(const World& world, Report& report) {
  if (!world.destination()) return;
  const auto state = report.Need(*world.destination(), fact::kRunState);
  if (!state || *state == "inmigrate") return;
  report.Add(world.destination()->subject(),
             absl::StrFormat("The destination is %s; it must be waiting for a migration "
                             "(inmigrate).",
                             *state),
             {state.Cite()});
}

void CheckUsedUp(const World& world, Report& report) {
  if (!world.destination()) return;
  const auto status = report.Need(*world.destination(), fact::kMigrationStatus);
  if (!status || OneOf(*status, kNeverBegun)) return;
  report.Add(
      world.destination()->subject(),
      absl::StrFormat("The destination QEMU has already had an incoming migration: %s.", *status),
      {status.Cite()});
}

void CheckStartedPaused(const World& world, Report& report) {
  if (!world.destination()) return;
  const auto paused = report.Need(*world.destination(), fact::kStartedPaused);
  if (!paused || *paused) return;
  report.Add(world.destination()->subject(), "The destination QEMU was started without -S.",
             {paused.Cite()});
}

constexpr char kNewDestination[] =
    "Start a new destination QEMU with -S -incoming defer, with new back-ends (they exit with the "
    "old one).";

}  // namespace

VUFD_RULE(MIGRATION_RUNNING) = {
    .hazards = "60",
    .retry_class = RetryClass::kWait,
    .side = "source",
    .scope = Scope::kSource,
    .cause = "A VM can be in one migration at a time.",
    .remedy = "Wait for the migration that the message names, or cancel it (vufctl cancel).",
    .check = CheckRunning,
};

VUFD_RULE(QEMU_IS_MIGRATING) = {
    .hazards = "60",
    .retry_class = RetryClass::kWait,
    .side = "source",
    .scope = Scope::kSource,
    .cause = "Somebody else (libvirt, a person at the monitor) is migrating or saving this VM.",
    .remedy = "Wait until it is over, and let only vufd migrate this VM.",
    .check = CheckQemuMigrates,
};

VUFD_RULE(RUN_STATE_UNSUITABLE) = {
    .hazards = "59",
    .retry_class = RetryClass::kOperator,
    .side = "source",
    .scope = Scope::kSource,
    .cause =
        "Only a running or paused guest can be migrated, and found again in the same state if "
        "the migration fails. A VM in postmigrate may be running elsewhere.",
    .remedy =
        "Bring the VM to the state running or paused first; in postmigrate, make certain that "
        "it does not run elsewhere before any cont.",
    .check = CheckRunState,
};

VUFD_RULE(DESTINATION_NOT_WAITING) = {
    .hazards = "59",
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kDestination,
    .cause = "Only a QEMU started with -incoming can take a guest.",
    .remedy = kNewDestination,
    .check = CheckWaiting,
};

VUFD_RULE(DESTINATION_USED_UP) = {
    .hazards = "24, 60",
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kDestination,
    .cause =
        "A QEMU takes one incoming migration in its life; this one is under way or has failed.",
    .remedy = kNewDestination,
    .check = CheckUsedUp,
};

VUFD_RULE(DESTINATION_STARTS_BY_ITSELF) = {
    .hazards = "56",
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kDestination,
    .cause =
        "Without -S the destination runs the guest as soon as it is loaded, before anybody can "
        "tell whether the source runs it too.",
    .remedy = kNewDestination,
    .check = CheckStartedPaused,
};

}  // namespace vuf
