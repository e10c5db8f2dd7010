// evaluate and migrate.
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/follow.h"
#include "client/render.h"

namespace vuf::cli {
namespace {

absl::StatusOr<int> Evaluate(Context& context) {
  const ParsedArgs& args = context.args();
  const absl::StatusOr<std::string> vm = context.Name("vms");
  if (!vm.ok()) return vm.status();
  const absl::StatusOr<std::vector<v1::MigrationMode>> modes = ModeFlag(args);
  if (!modes.ok()) return modes.status();
  v1::EvaluateMigrationRequest request;
  request.set_vm(*vm);
  for (const v1::MigrationMode mode : *modes) request.add_allowed_modes(mode);
  request.set_ram_transfer(RamTransferFlag(args));
  if (args.Has("to") || args.Has("sequential") || args.Has("state-file")) {
    const absl::Status status = SetDestination(args, request.mutable_destination());
    if (!status.ok()) return status;
  }
  const absl::StatusOr<v1::Verdict> verdict = context.client().EvaluateMigration(request);
  if (!verdict.ok()) return verdict.status();
  v1::EvaluateMigrationResponse response;
  *response.mutable_verdict() = *verdict;
  const Look look{context.terminal().columns, context.terminal().colour};
  absl::StatusOr<int> printed = context.Print(response, VerdictText(*vm, *verdict, look));
  if (!printed.ok()) return printed;
  return Allows(*verdict) ? kExitOk : kExitRefused;
}

absl::Status SetLimits(const ParsedArgs& args, v1::Migration* migration) {
  absl::Status status =
      SetDuration(args, "timeout", [migration] { return migration->mutable_timeout(); });
  if (!status.ok()) return status;
  status = SetDuration(args, "downtime-limit",
                       [migration] { return migration->mutable_downtime_limit(); });
  if (!status.ok()) return status;
  const absl::StatusOr<uint64_t> bandwidth = SizeFlag(args, "max-bandwidth");
  if (!bandwidth.ok()) return bandwidth.status();
  migration->set_max_bandwidth_bytes_per_second(*bandwidth);
  int32_t priority = 0;
  if (args.Has("priority") && !absl::SimpleAtoi(args.Get("priority"), &priority)) {
    return UsageError(absl::StrCat("--priority=", args.Get("priority"), ": want 0 to 1000"));
  }
  migration->set_priority(priority);
  const std::string after = args.Get("source-after");
  if (args.Has("source-after") && after != "keep" && after != "quit") {
    return UsageError(absl::StrCat("--source-after=", after, ": want keep or quit"));
  }
  migration->set_source_disposition(after == "quit" ? v1::SOURCE_DISPOSITION_QUIT
                                                    : v1::SOURCE_DISPOSITION_KEEP);
  return absl::OkStatus();
}

absl::StatusOr<v1::CreateMigrationRequest> MigrateRequest(Context& context) {
  const ParsedArgs& args = context.args();
  const absl::StatusOr<std::string> vm = context.Name("vms");
  if (!vm.ok()) return vm.status();
  const absl::StatusOr<std::vector<v1::MigrationMode>> modes = ModeFlag(args);
  if (!modes.ok()) return modes.status();
  v1::CreateMigrationRequest request;
  request.set_request_id(args.Has("request-id") ? args.Get("request-id") : NewRequestId());
  v1::Migration& migration = *request.mutable_migration();
  migration.set_vm(*vm);
  absl::Status status = SetDestination(args, migration.mutable_destination());
  if (!status.ok()) return status;
  migration.set_ram_transfer(RamTransferFlag(args));
  for (const v1::MigrationMode mode : *modes) migration.add_allowed_modes(mode);
  migration.set_required_fingerprint(args.Get("require-fingerprint"));
  status = SetLimits(args, &migration);
  if (!status.ok()) return status;
  return request;
}

absl::StatusOr<int> Migrate(Context& context) {
  const absl::StatusOr<v1::CreateMigrationRequest> request = MigrateRequest(context);
  if (!request.ok()) return request.status();
  return StartMigration(context, request->request_id(),
                        [&] { return context.client().CreateMigration(*request); });
}

}  // namespace

std::vector<Command> EvaluateCommands() {
  return {
      {"evaluate",
       "VM",
       "say whether a VM may migrate, with every reason; changes nothing",
       "Exit code 0: allowed; 3: refused. Without --to the verdict can only refuse.",
       {kDestinationFlag, kHostFlag, kModeFlag, kSharedRamFlag, kSequentialFlag, kStateFileFlag},
       Evaluate},
      {"migrate",
       "VM",
       "migrate a VM to another QEMU, on this host or (--host) on another",
       "Evaluates again on fresh facts first. Without --watch, exit code 0 says that the migration "
       "was started; with it, the exit code is the outcome's. Ctrl-C while watching leaves the "
       "migration running. --timeout is the migration's here, not the call's.",
       {kDestinationFlag,
        kHostFlag,
        kModeFlag,
        kSharedRamFlag,
        {"watch", nullptr, "follow it to its end"},
        {"timeout", "DURATION", "cancel it when it takes longer (default: vufd's, 5m)"},
        {"max-bandwidth", "BYTES", "bytes per second, K, M or G allowed (default: QEMU's)"},
        {"downtime-limit", "DURATION", "how long the guest may stop (default: QEMU's)"},
        {"priority", "N", "0 to 1000; of migrations that wait, the highest is next (default 0)"},
        {"source-after", "WHAT", "keep or quit the source QEMU (default keep)", "keep quit"},
        {"require-fingerprint", "HEX", "only if the fresh verdict has this fingerprint"},
        kRequestIdFlag},
       Migrate},
  };
}

}  // namespace vuf::cli
