// Many verdicts at once, and emptying a host.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/commands.h"
#include "client/render.h"

namespace vuf::cli {
namespace {

std::vector<std::string> Repeated(const ParsedArgs& args, const char* flag) {
  const auto it = args.flags.find(flag);
  return it == args.flags.end() ? std::vector<std::string>() : it->second;
}

// Refused when any pair is: scripts that ask for several want all of them.
absl::StatusOr<int> Batch(Context& context) {
  const ParsedArgs& args = context.args();
  v1::BatchEvaluateRequest request;
  for (size_t i = 0; i < args.positional.size(); ++i) {
    const absl::StatusOr<std::string> name = context.Name("vms", i);
    if (!name.ok()) return name.status();
    request.add_vms(*name);
  }
  const std::vector<std::string> sockets = Repeated(args, "to");
  for (const std::string& socket : sockets) {
    request.add_destinations()->mutable_same_host()->set_qmp_socket(socket);
  }
  const absl::StatusOr<std::vector<v1::MigrationMode>> modes = ModeFlag(args);
  if (!modes.ok()) return modes.status();
  for (const v1::MigrationMode mode : *modes) request.add_allowed_modes(mode);
  request.set_ram_transfer(RamTransferFlag(args));
  bool all = true;
  absl::Status printed;
  const absl::Status ended =
      context.client().BatchEvaluate(request, [&](const v1::BatchEvaluateResponse& one) {
        all = all && Allows(one.verdict());
        if (context.output() == Output::kJson) {
          const absl::StatusOr<std::string> json = ToJson(one, /*one_line=*/true);
          if (!json.ok()) printed = json.status();
          if (json.ok()) context.out() << *json;
          return;
        }
        context.out() << BatchLine(one, sockets.empty() ? "" : sockets[one.destination()]);
      });
  if (!ended.ok()) return ended;
  if (!printed.ok()) return printed;
  return all ? kExitOk : kExitRefused;
}

absl::StatusOr<int> Plan(Context& context) {
  const ParsedArgs& args = context.args();
  v1::PlanEvacuationRequest request;
  for (const std::string& target : Repeated(args, "target")) {
    const std::vector<std::string> parts = absl::StrSplit(target, absl::MaxSplits('=', 1));
    if (parts.size() != 2) {
      return UsageError(absl::StrCat("--target=", target, ": want VM=SOCKET"));
    }
    const absl::StatusOr<std::string> name = ResourceName("vms", parts[0]);
    if (!name.ok()) return name.status();
    v1::EvacuationTarget& added = *request.add_targets();
    added.set_vm(*name);
    added.mutable_destination()->mutable_same_host()->set_qmp_socket(parts[1]);
  }
  const absl::StatusOr<std::vector<v1::MigrationMode>> modes = ModeFlag(args);
  if (!modes.ok()) return modes.status();
  for (const v1::MigrationMode mode : *modes) request.add_allowed_modes(mode);
  request.set_ram_transfer(RamTransferFlag(args));
  const absl::StatusOr<v1::PlanEvacuationResponse> plan = context.client().PlanEvacuation(request);
  if (!plan.ok()) return plan.status();
  const absl::StatusOr<int> shown = context.Print(*plan, PlanText(*plan));
  return shown.ok() && !plan->blocked().empty() ? kExitRefused : shown;
}

}  // namespace

std::vector<Command> PlanningCommands() {
  return {
      {"batch",
       "[VM]...",
       "verdicts on every VM (default: all) with every destination",
       "One line per pair as it comes; exit code 3 when any is refused. Without --to it lists "
       "what\n"
       "speaks against the sources.",
       {{"to", "SOCKET", "QMP socket of a destination; may be repeated", nullptr, true},
        kModeFlag,
        kSharedRamFlag},
       Batch},
      {"plan",
       "",
       "which VMs can leave, in what order, and what to mend for the others",
       "Exit code 3 when a VM cannot leave.",
       {{"target", "VM=SOCKET", "where a VM would go; may be repeated", nullptr, true},
        kModeFlag,
        kSharedRamFlag},
       Plan},
  };
}

}  // namespace vuf::cli
