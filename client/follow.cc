#include "client/follow.h"

#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/interrupt.h"
#include "client/progress.h"
#include "client/render.h"

namespace vuf::cli {
namespace {

void PrintHowToGoOn(Context& context, const std::string& name) {
  const std::string id = ShortName(name);
  context.err() << "  follow it:  " << Invocation(context, absl::StrCat("migrations watch ", id))
                << "\n"
                << "  cancel it:  " << Invocation(context, absl::StrCat("cancel ", id)) << "\n";
}

}  // namespace

ExitCode ExitCodeOf(v1::Migration::State state) {
  switch (state) {
    case v1::Migration::STATE_SUCCEEDED:
      return kExitOk;
    case v1::Migration::STATE_REFUSED:
      return kExitRefused;
    case v1::Migration::STATE_FAILED:
      return kExitFailed;
    case v1::Migration::STATE_CANCELLED:
      return kExitCancelled;
    case v1::Migration::STATE_INTERRUPTED:
      return kExitInterrupted;
    default:
      return kExitUnknown;
  }
}

absl::StatusOr<int> FollowMigration(Context& context, const std::string& name, JsonOutput json) {
  Terminal& terminal = context.terminal();
  WatchCanceller canceller;
  const InterruptScope interrupt([&] { canceller.Cancel(); });
  ProgressDisplay progress(terminal.err, terminal.err_is_tty, terminal.columns);
  const bool every_change = context.output() == Output::kJson && json == JsonOutput::kEveryChange;
  const absl::StatusOr<v1::Migration> end = context.client().WatchMigration(
      name,
      [&](const v1::Migration& migration) {
        const absl::StatusOr<std::string> line = ToJson(migration, true);
        if (every_change && line.ok()) context.out() << *line << std::flush;
        if (!every_change) progress.Show(migration);
      },
      &canceller);
  progress.End();
  if (end.ok()) {
    if (every_change) return ExitCodeOf(end->state());
    const Look look{terminal.columns, terminal.colour};
    absl::StatusOr<int> printed = context.Print(*end, MigrationText(*end, look));
    if (!printed.ok()) return printed;
    return ExitCodeOf(end->state());
  }
  if (canceller.cancelled()) {
    context.err() << "Stopped watching. " << name << " goes on.\n";
    PrintHowToGoOn(context, name);
    return kExitCtrlC;
  }
  if (absl::IsNotFound(end.status()) || absl::IsInvalidArgument(end.status())) return end.status();
  context.err() << "vufctl: lost sight of " << name
                << ", which may still be running: " << Printable(end.status().ToString()) << "\n";
  PrintHowToGoOn(context, name);
  return kExitUnknown;
}

}  // namespace vuf::cli
