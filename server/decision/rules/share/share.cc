// The shared directory: the same one on both sides, and one whose files can be found again.
#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "server/decision/keeper.h"
#include "server/decision/options.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"
#include "server/decision/tables.h"

namespace vuf {
namespace {

// What is behind a keeper can be compared when it is known; KEEPER_SHARE_UNKNOWN when it is not.
bool IsHidden(const DeviceView& device) {
  return IsKeeper(device) && !device->back_end.share.known();
}

bool IsHidden(const DevicePair& pair) {
  return IsHidden(pair.source) || IsHidden(pair.destination);
}

// On two machines as far as it can be told there: SHARE_NOT_PROVED_SAME.
bool IsSameDirectory(const World& world, const ShareId& from, const ShareId& to) {
  if (world.same_machine()) return from.root == to.root;
  return from.file_system == to.file_system && from.mount_source == to.mount_source &&
         from.root.inode == to.root.inode;
}

void CheckSame(const World& world, Report& report) {
  for (const DeviceView& device : world.devices()) {
    if (!IsHidden(device)) report.Need(device, fact::kShare);
  }
  for (const DevicePair& pair : world.pairs()) {
    if (IsHidden(pair)) continue;
    const auto from = report.Need(pair.source, fact::kShare);
    const auto to = report.Need(pair.destination, fact::kShare);
    if (!from || !to || IsSameDirectory(world, *from, *to)) continue;
    report.Add(pair.destination.subject(),
               absl::StrFormat("The back-ends share different directories: %s at the source, %s at "
                               "the destination.",
                               ToText(*from), ToText(*to)),
               {from.Cite(), to.Cite()});
  }
}

void CheckMount(const World& world, Report& report) {
  for (const DevicePair& pair : world.pairs()) {
    if (IsHidden(pair)) continue;
    const auto from = report.Need(pair.source, fact::kShare);
    const auto to = report.Need(pair.destination, fact::kShare);
    if (!from || !to || from->mount_read_only == to->mount_read_only) continue;
    report.Add(pair.destination.subject(),
               absl::StrFormat("The shared directory is mounted %s at the source and %s at the "
                               "destination.",
                               from->mount_read_only ? "read-only" : "writable",
                               to->mount_read_only ? "read-only" : "writable"),
               {from.Cite(), to.Cite()});
  }
}

void CheckFindPaths(const World& world, Report& report) {
  for (const DeviceView& device : world.source_devices()) {
    if (IsHidden(device)) continue;
    const auto share = report.Need(device, fact::kShare);
    const auto mode = NeedOption(device, "migration-mode", report);
    if (!share || !mode || mode->value != "find-paths" || share->mount_read_only) continue;
    const auto readonly = NeedOption(device, "readonly", report);
    const auto verify = NeedOption(device, "migration-verify-handles", report);
    const auto confirm = NeedOption(device, "migration-confirm-paths", report);
    if (!readonly || !verify || !confirm) continue;
    if (readonly->on() || verify->on() || confirm->on()) continue;
    report.Add(device.subject(),
               "The back-end hands over its files by their paths, unchecked, and the share is "
               "writable.",
               {mode->Cite(), readonly->Cite(), verify->Cite(), confirm->Cite()});
  }
}

void CheckMigrationMode(const World& world, Report& report) {
  for (const DeviceView& device : world.source_devices()) {
    const auto mode = NeedOption(device, "migration-mode", report);
    if (!mode || mode->value == "find-paths" || mode->value == "file-handles") continue;
    report.Add(device.subject(),
               absl::StrFormat("The back-end's --migration-mode is \"%s\", which vufd does not "
                               "know.",
                               mode->value),
               {mode->Cite()});
  }
}

void CheckReopen(const World& world, Report& report) {
  constexpr uint64_t kDacReadSearch = uint64_t{1} << 2;
  for (const DevicePair& pair : world.pairs()) {
    // KEEPER_TO_PLAIN_BACK_END; a keeper opens no files itself.
    if (IsKeeper(pair.source) != IsKeeper(pair.destination)) continue;
    const auto mode = NeedOption(pair.source, "migration-mode", report);
    if (!mode || mode->value != "file-handles") continue;
    const auto capabilities = report.Need(pair.destination, fact::kCapEff);
    if (!capabilities || (*capabilities & kDacReadSearch) != 0) continue;
    report.Add(pair.destination.subject(),
               absl::StrFormat("The source hands over file handles, but the destination's back-end "
                               "lacks CAP_DAC_READ_SEARCH (CapEff %s) to open them.",
                               ToText(*capabilities)),
               {mode->Cite(), capabilities.Cite()});
  }
}

// Whether the source's back-end will make handles of its files, and of which options that follows.
struct Handles {
  Option mode;
  Option verify;

  bool used() const { return mode.value == "file-handles" || verify.on(); }
  // These, and what else was looked at.
  std::vector<CitedFact> CiteWith(CitedFact other) const {
    return {mode.Cite(), verify.Cite(), std::move(other)};
  }
};

std::optional<Handles> NeedHandles(const DeviceView& device, Report& report) {
  const auto mode = NeedOption(device, "migration-mode", report);
  const auto verify = NeedOption(device, "migration-verify-handles", report);
  if (!mode || !verify) return std::nullopt;
  return Handles{*mode, *verify};
}

void CheckHandlesTried(const World& world, Report& report) {
  for (const DeviceView& device : world.source_devices()) {
    if (IsHidden(device)) continue;
    const auto handles = NeedHandles(device, report);
    if (!handles || !handles->used()) continue;
    const auto tried = report.Need(device, fact::kFileHandles);
    if (!tried || *tried) continue;
    report.Add(device.subject(),
               "The back-end needs file handles, and the shared directory's file system gives out "
               "none.",
               handles->CiteWith(tried.Cite()));
  }
}

bool IsDoubtful(const std::string& file_system) {
  return std::any_of(std::begin(kDoubtfulHandles), std::end(kDoubtfulHandles),
                     [&](const char* name) { return absl::StartsWith(file_system, name); });
}

void CheckHandles(const World& world, Report& report) {
  for (const DeviceView& device : world.source_devices()) {
    if (IsHidden(device)) continue;
    const auto share = report.Need(device, fact::kShare);
    const auto handles = NeedHandles(device, report);
    if (!share || !handles || !handles->used() || !IsDoubtful(share->file_system)) continue;
    report.Add(
        device.subject(),
        absl::StrFormat("The back-end needs file handles, and the shared directory is on %s, "
                        "which may not find files by them.",
                        share->file_system),
        handles->CiteWith(share.Cite()));
  }
}

void CheckOnError(const World& world, Report& report) {
  for (const DeviceView& device : world.destination_devices()) {
    const auto on_error = NeedOption(device, "migration-on-error", report);
    if (!on_error || on_error->value == "abort") continue;
    report.Add(
        device.subject(),
        absl::StrFormat("The destination's back-end has --migration-on-error=%s.", on_error->value),
        {on_error->Cite()});
  }
}

}  // namespace

VUFD_RULE(SHARE_DIFFERS) = {
    .hazards = "31",
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kPair,
    .cause =
        "With another directory, even a copy, the migration succeeds and the guest's open files "
        "lead into other files, without an error.",
    .remedy = "Start the destination's back-end on the very directory that the source's shares.",
    .check = CheckSame,
};

VUFD_RULE(SHARE_MOUNT_DIFFERS) = {
    .hazards = "48",
    .retry_class = RetryClass::kOperator,
    .acknowledgeable = true,
    .side = "destination",
    .scope = Scope::kPair,
    .cause = "The guest may write on one side and gets EROFS on the other.",
    .remedy = "Start the destination's back-end where the directory is mounted the same way.",
    .check = CheckMount,
};

VUFD_RULE(SHARE_MAY_CHANGE) = {
    .hazards = "33",
    .severity = Severity::kWarning,
    .against = Against::kStateful,
    .side = "source",
    .scope = Scope::kSource,
    .cause =
        "If somebody on the host renames or replaces files during the migration, the guest's "
        "open files may lead into the wrong ones, without an error.",
    .remedy =
        "Let nobody but this guest write to the share while it migrates; or run the back-end "
        "with --migration-mode=file-handles, or with --migration-verify-handles.",
    .check = CheckFindPaths,
};

VUFD_RULE(MIGRATION_MODE_UNKNOWN) = {
    .hazards = "33",
    .against = Against::kStateful,
    .side = "source",
    .scope = Scope::kSource,
    .cause = "How the back-end hands over its files decides what can go wrong with them.",
    .remedy = "Run the back-end with --migration-mode=file-handles or find-paths.",
    .check = CheckMigrationMode,
};

VUFD_RULE(BACK_END_LACKS_DAC_READ_SEARCH) = {
    .hazards = "36",
    .against = Against::kStateful,
    .retry_class = RetryClass::kOperator,
    .side = "destination",
    .scope = Scope::kPair,
    .cause =
        "Opening a file by its handle needs CAP_DAC_READ_SEARCH; without it the destination "
        "loads nothing.",
    .remedy =
        "Start the destination's back-end as root, virtiofsd before 1.14 with "
        "--modcaps=+dac_read_search.",
    .check = CheckReopen,
};

VUFD_RULE(FILE_HANDLES_UNAVAILABLE) = {
    .hazards = "37",
    .against = Against::kStateful,
    .retry_class = RetryClass::kOperator,
    .side = "source",
    .scope = Scope::kSource,
    .cause =
        "vufd asked the file system for a handle of the shared directory (name_to_handle_at), as "
        "the back-end would for every file, and it has none (overlayfs without nfs_export=on, "
        "9p). The migration would fail.",
    .remedy =
        "Share a directory of a file system with handles, or run the back-end with "
        "--migration-mode=find-paths --migration-confirm-paths.",
    .check = CheckHandlesTried,
};

VUFD_RULE(FILE_HANDLES_DOUBTFUL) = {
    .hazards = "37",
    .severity = Severity::kWarning,
    .against = Against::kStateful,
    .side = "source",
    .scope = Scope::kSource,
    .cause =
        "Some file systems (most FUSE ones) give out file handles that lead nowhere once they "
        "have forgotten the file. The migration fails then, and the guest stays where it is.",
    .remedy =
        "Share a directory of a file system with handles, or run the back-end with "
        "--migration-mode=find-paths --migration-confirm-paths.",
    .check = CheckHandles,
};

VUFD_RULE(LOST_FILES_GO_UNNOTICED) = {
    .hazards = "35",
    .severity = Severity::kWarning,
    .against = Against::kStateful,
    .side = "destination",
    .scope = Scope::kDestination,
    .cause =
        "Files that the destination cannot find again do not fail the migration; the guest gets "
        "EIO for them for ever.",
    .remedy =
        "Start the destination's back-end with --migration-on-error=abort, so that the guest "
        "stays at the source instead.",
    .check = CheckOnError,
};

}  // namespace vuf
