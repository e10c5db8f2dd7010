#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/follow.h"
#include "client/render.h"

namespace vuf::cli {
namespace {

absl::StatusOr<int> List(Context& context) {
  const absl::StatusOr<int> limit = CountFlag(context.args(), "limit", 50);
  if (!limit.ok()) return limit.status();
  const absl::StatusOr<std::string> vm = VmFlag(context.args());
  if (!vm.ok()) return vm.status();
  const absl::StatusOr<v1::ListMigrationsResponse> migrations =
      context.client().ListMigrations(*vm, *limit);
  if (!migrations.ok()) return migrations.status();
  return PrintList(context, *migrations, migrations->migrations(), MigrationsText(*migrations));
}

absl::StatusOr<int> Get(Context& context) {
  const absl::StatusOr<std::string> name = context.Name("migrations");
  if (!name.ok()) return name.status();
  const absl::StatusOr<v1::Migration> migration = context.client().GetMigration(*name);
  if (!migration.ok()) return migration.status();
  return context.Print(*migration, MigrationText(*migration, LookOf(context)));
}

absl::StatusOr<int> Watch(Context& context) {
  const absl::StatusOr<std::string> name = context.Name("migrations");
  if (!name.ok()) return name.status();
  return FollowMigration(context, *name, JsonOutput::kEveryChange);
}

absl::StatusOr<int> Cancel(Context& context) {
  const absl::StatusOr<std::string> name = context.Name("migrations");
  if (!name.ok()) return name.status();
  const absl::StatusOr<v1::Migration> migration = context.client().CancelMigration(*name);
  if (!migration.ok()) return migration.status();
  return context.Print(
      *migration,
      absl::StrCat(*name, " is ", StateText(migration->state()), ". Follow it: ",
                   Invocation(context, absl::StrCat("migrations watch ", ShortName(*name))), "\n"));
}

}  // namespace

std::vector<Command> MigrationCommands() {
  return {
      {"migrations list",
       "",
       "list migrations, newest first",
       "",
       {{"vm", "VM", "only those of this VM", "@vms"},
        {"limit", "N", "at most this many (default 50)"}},
       List},
      {"migrations get", "MIGRATION", "show a migration", "", {}, Get},
      {"migrations watch",
       "MIGRATION",
       "follow a migration to its end; exit code by its outcome",
       "Ctrl-C stops watching and leaves the migration alone. With --output=json: one object per "
       "line and change.",
       {},
       Watch},
      {"cancel",
       "MIGRATION",
       "ask a migration to stop; before its commit the source runs on",
       "Exit code 0 says that vufd took the request, not that the migration has ended.",
       {},
       Cancel},
  };
}

}  // namespace vuf::cli
