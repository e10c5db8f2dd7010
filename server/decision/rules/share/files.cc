// What the source's back-end holds open and cannot hand over by a path.
#include "absl/strings/str_format.h"
#include "server/decision/options.h"
#include "server/decision/report.h"
#include "server/decision/rule.h"

namespace vuf {
namespace {

// Calls `visit` with each device of the source whose files travel as paths, its open files, and
// the option that says so.
template <typename Visit>
void ForEachByPath(const World& world, Report& report, Visit visit) {
  for (const DeviceView& device : world.source_devices()) {
    if (!HandsOverFiles(device)) continue;
    const auto mode = NeedOption(device, "migration-mode", report);
    if (!mode || mode->value != "find-paths") continue;
    const auto files = report.Need(device, fact::kOpenFiles);
    if (files) visit(device, files, mode->Cite());
  }
}

void CheckDeleted(const World& world, Report& report) {
  ForEachByPath(world, report, [&](const auto& device, const auto& files, const auto& mode) {
    if (files->deleted == 0) return;
    report.Add(device.subject(),
               absl::StrFormat("The back-end hands over its files by their paths, and %u of those "
                               "that it holds open have none any more (last: %s).",
                               files->deleted, files->deleted_example),
               {files.Cite(), mode});
  });
}

void CheckUtf8(const World& world, Report& report) {
  ForEachByPath(world, report, [&](const auto& device, const auto& files, const auto& mode) {
    if (files->not_utf8 == 0) return;
    report.Add(device.subject(),
               absl::StrFormat("The back-end hands over its files by their paths, and %u of those "
                               "that it holds open have paths that are not UTF-8.",
                               files->not_utf8),
               {files.Cite(), mode});
  });
}

}  // namespace

VUFD_RULE(DELETED_FILES_OPEN) = {
    .hazards = "34",
    .against = Against::kStateful,
    .retry_class = RetryClass::kWait,
    .side = "source",
    .scope = Scope::kSource,
    .cause =
        "The guest has files open that are deleted. The destination cannot find them: the "
        "migration fails, or, with --migration-on-error=guest-error, the guest gets EIO for them.",
    .remedy =
        "Try again when the guest has closed them, or run the back-end with "
        "--migration-mode=file-handles, which keeps them.",
    .check = CheckDeleted,
};

VUFD_RULE(FILE_NAMES_NOT_UTF8) = {
    .hazards = "40",
    .against = Against::kStateful,
    .retry_class = RetryClass::kOperator,
    .side = "source",
    .scope = Scope::kSource,
    .cause =
        "virtiofsd writes paths into its state as text, and cannot write these. vufd sees only "
        "what the back-end holds open; other files that the guest knows may have such names too.",
    .remedy = "Run the back-end with --migration-mode=file-handles, or rename the files.",
    .check = CheckUtf8,
};

}  // namespace vuf
