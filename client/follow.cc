#include "client/follow.h"

#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/interrupt.h"
#include "client/progress.h"
#include "client/render.h"

namespace vuf::cli {
namespace {

void PrintHowToGoOn(Context& context, const std::string& name, const v1::Migration& last_seen) {
  const std::string id = ShortName(name);
  context.err() << "  follow it:  " << Invocation(context, absl::StrCat("migrations watch ", id))
                << "\n";
  if (last_seen.state() == v1::Migration::STATE_AWAITING_DESTINATION) {
    context.err() << "  The source has quit. To go on, the destination QEMU must be started, with\n"
                  << "  its monitor at "
                  << Printable(last_seen.destination().sequential().qmp_socket()) << ".\n";
    return;
  }
  context.err() << "  cancel it:  " << Invocation(context, absl::StrCat("cancel ", id)) << "\n";
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

absl::StatusOr<int> FollowMigration(Context& context, const std::string& name, JsonOutput json,
                                    const OnChange& on_change) {
  Terminal& terminal = context.terminal();
  WatchCanceller canceller;
  const InterruptScope interrupt([&] { canceller.Cancel(); });
  ProgressDisplay progress(terminal.err, terminal.err_is_tty, terminal.columns);
  const bool every_change = context.output() == Output::kJson && json == JsonOutput::kEveryChange;
  v1::Migration last_seen;
  const absl::StatusOr<v1::Migration> end = context.client().WatchMigration(
      name,
      [&](const v1::Migration& migration) {
        const absl::StatusOr<std::string> line = ToJson(migration, true);
        if (every_change && line.ok()) context.out() << *line << std::flush;
        if (!every_change) progress.Show(migration);
        last_seen = migration;
        if (on_change) on_change(migration, [&] { return canceller.cancelled(); });
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
    PrintHowToGoOn(context, name, last_seen);
    return kExitCtrlC;
  }
  if (absl::IsNotFound(end.status()) || absl::IsInvalidArgument(end.status())) return end.status();
  context.err() << "vufctl: lost sight of " << name
                << ", which may still be running: " << Printable(end.status().ToString()) << "\n";
  PrintHowToGoOn(context, name, last_seen);
  return kExitUnknown;
}

absl::StatusOr<int> StartMigration(Context& context, const std::string& request_id,
                                   const std::function<absl::StatusOr<v1::Migration>()>& call,
                                   const OnChange& on_change) {
  // Tells an agent that is not there, and so has started nothing, from one lost half-way.
  const absl::StatusOr<bool> serving = context.client().IsServing();
  if (absl::IsUnavailable(serving.status())) return serving.status();
  const absl::StatusOr<v1::Migration> migration = call();
  if (absl::IsUnavailable(migration.status()) || absl::IsDeadlineExceeded(migration.status())) {
    context.err() << "vufctl: " << Printable(migration.status().ToString()) << "\n"
                  << "It is not known whether the migration was started. The same command with\n"
                  << "--request-id=" << request_id << " does not start a second one.\n";
    return kExitUnknown;
  }
  if (!migration.ok()) return migration.status();
  if (context.args().Has("watch") || on_change) {
    context.err() << migration->name() << " started\n";
    return FollowMigration(context, migration->name(), JsonOutput::kEnd, on_change);
  }
  const std::string id = ShortName(migration->name());
  return context.Print(
      *migration, absl::StrCat(migration->name(), " started. Follow it: ",
                               Invocation(context, absl::StrCat("migrations watch ", id)), "\n"));
}

}  // namespace vuf::cli
