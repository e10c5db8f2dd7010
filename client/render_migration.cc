#include <string>

#include "absl/strings/str_cat.h"
#include "client/render.h"

namespace vuf::cli {
namespace {

// What is known of the figures, after the end the end's.
void AddProgress(const v1::Progress& progress, FieldList* fields) {
  if (progress.ram_total_bytes() != 0) {
    fields->Add("memory", absl::StrCat(SizeText(progress.ram_transferred_bytes()), " sent of ",
                                       SizeText(progress.ram_total_bytes()), " in ",
                                       progress.dirty_sync_count(), " rounds"));
  }
  if (progress.has_downtime()) fields->Add("downtime", DurationText(progress.downtime()));
  if (progress.has_total_time()) fields->Add("total time", DurationText(progress.total_time()));
}

// Where it goes, and by which way.
void AddDestination(const v1::Migration& migration, FieldList* fields) {
  const v1::Destination& destination = migration.destination();
  fields->Add("to", destination.has_sequential()   ? destination.sequential().qmp_socket()
                    : destination.has_other_host() ? destination.other_host().qmp_socket()
                                                   : destination.same_host().qmp_socket());
  fields->Add("host", destination.other_host().agent());
  fields->Add("reservation", migration.reservation());
  fields->Add("state file", destination.sequential().state_file());
  if (migration.ram_transfer() == v1::RAM_TRANSFER_SHARED) fields->Add("ram", "shared, not copied");
}

std::string PermitsText(const v1::Migration& migration) {
  if (migration.permits().empty()) return "";
  TextTable table({"DEVICE", "MODE", "PERMIT", "KEEPER PID", "CONTROL SOCKET"});
  for (const v1::KeeperPermit& permit : migration.permits()) {
    table.AddRow({OrDash(permit.device()), ModeText(permit.mode()), OrDash(permit.permit()),
                  permit.pid() == 0 ? "-" : absl::StrCat(permit.pid()),
                  OrDash(permit.control_socket())});
  }
  return absl::StrCat("\n", table.ToString());
}

}  // namespace

std::string StateText(v1::Migration::State state) {
  return EnumText(v1::Migration::State_Name(state), "STATE_");
}

std::string MigrationsText(const v1::ListMigrationsResponse& migrations) {
  if (migrations.migrations().empty()) return "There has been no migration.\n";
  TextTable table({"MIGRATION", "VM", "STATE", "MODE", "STARTED", "DOWNTIME", "TOTAL"});
  for (const v1::Migration& migration : migrations.migrations()) {
    const v1::Progress& progress = migration.progress();
    table.AddRow({ShortName(migration.name()), ShortName(migration.vm()),
                  StateText(migration.state()),
                  migration.has_verdict() ? ModeText(migration.verdict().mode()) : "-",
                  OrDash(TimeText(migration.create_time())),
                  progress.has_downtime() ? DurationText(progress.downtime()) : "-",
                  progress.has_total_time() ? DurationText(progress.total_time()) : "-"});
  }
  std::string text = table.ToString();
  if (!migrations.next_page_token().empty()) {
    absl::StrAppend(&text, "There are older ones: --limit=N shows more.\n");
  }
  return text;
}

std::string MigrationText(const v1::Migration& migration, const Look& look) {
  FieldList fields;
  fields.Add("migration", migration.name());
  fields.Add("vm", migration.vm());
  AddDestination(migration, &fields);
  fields.Add("state", StateText(migration.state()));
  if (migration.has_verdict()) fields.Add("mode", ModeText(migration.verdict().mode()));
  AddProgress(migration.progress(), &fields);
  fields.Add("started", TimeText(migration.create_time()));
  fields.Add("ended", TimeText(migration.end_time()));
  std::string text = absl::StrCat(fields.ToString(), PermitsText(migration));
  if (!migration.message().empty()) {
    absl::StrAppend(&text, "\n", Wrap(migration.message(), look.columns, 0));
  }
  if (migration.state() == v1::Migration::STATE_REFUSED) {
    absl::StrAppend(&text, "\n", VerdictText(migration.vm(), migration.verdict(), look));
  }
  return text;
}

}  // namespace vuf::cli
