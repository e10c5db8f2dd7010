// Options that differ between the sides. virtiofsd compares none of these itself.
#include <optional>

#include "server/decision/options.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

void CheckDrift(const World& world, Report& report, std::optional<Drift> drift) {
  NeedOptions(world, report);
  for (const OptionDifference& option : world.option_differences()) {
    if (DriftOf(option.name) == drift) AddDifference(option, report);
  }
}

void CheckHarmful(const World& world, Report& report) {
  CheckDrift(world, report, Drift::kHarmful);
}

void CheckSuspicious(const World& world, Report& report) {
  CheckDrift(world, report, Drift::kSuspicious);
}

void CheckUnrecognised(const World& world, Report& report) {
  CheckDrift(world, report, std::nullopt);
}

void CheckOne(const World& world, Report& report, const char* name) {
  NeedOptions(world, report);
  for (const OptionDifference& option : world.option_differences()) {
    if (option.name == name) AddDifference(option, report);
  }
}

void CheckSandbox(const World& world, Report& report) { CheckOne(world, report, "sandbox"); }

void CheckInodeFileHandles(const World& world, Report& report) {
  CheckOne(world, report, "inode-file-handles");
}

constexpr char kSameOptions[] = "Start the destination's back-end with the source's options.";

}  // namespace

VUFD_RULE(OPTION_DIFFERS_HARMFULLY) = {
    .hazards = "48",
    .against = Against::kStateful,
    .retry_class = RetryClass::kOperator,
    .acknowledgeable = true,
    .side = "destination",
    .scope = Scope::kPair,
    .cause =
        "The guest would see other attributes, owners or permissions than before, or could no "
        "longer write, without an error of the migration.",
    .remedy = kSameOptions,
    .check = CheckHarmful,
};

VUFD_RULE(OPTION_DIFFERS) = {
    .hazards = "30, 48",
    .severity = Severity::kWarning,
    .against = Against::kStateful,
    .side = "destination",
    .scope = Scope::kPair,
    .cause =
        "Caching, mapping, or a limit will not be what the guest had. No error is known to come "
        "of it, but nobody compares the options either.",
    .remedy = kSameOptions,
    .check = CheckSuspicious,
};

VUFD_RULE(OPTION_UNRECOGNISED_DIFFERS) = {
    .hazards = "48",
    .against = Against::kStateful,
    .retry_class = RetryClass::kOperator,
    .acknowledgeable = true,
    .side = "destination",
    .scope = Scope::kPair,
    .cause =
        "The sides differ in an option that vufd does not know, so it cannot tell what comes of "
        "it.",
    .remedy = kSameOptions,
    .check = CheckUnrecognised,
};

VUFD_RULE(SANDBOX_DIFFERS) = {
    .hazards = "50",
    .severity = Severity::kWarning,
    .against = Against::kStateful,
    .side = "destination",
    .scope = Scope::kPair,
    .cause = "Symbolic links and mounts below the share may resolve differently.",
    .remedy = kSameOptions,
    .check = CheckSandbox,
};

VUFD_RULE(INODE_FILE_HANDLES_DIFFER) = {
    .hazards = "49",
    .severity = Severity::kWarning,
    .against = Against::kStateful,
    .side = "destination",
    .scope = Scope::kPair,
    .cause =
        "One side keeps a descriptor for every file that the guest knows, the other a handle "
        "(the default changed between virtiofsd 1.13.2 and 1.14); the destination may need "
        "more descriptors than it is allowed.",
    .remedy =
        "Give both back-ends the same --inode-file-handles, or the destination a "
        "sufficient --rlimit-nofile.",
    .check = CheckInodeFileHandles,
};

}  // namespace vuf
