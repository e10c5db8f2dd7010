// upgrade: another QEMU under the running guest.
#include <functional>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/commands.h"
#include "client/destination_program.h"
#include "client/follow.h"
#include "client/text.h"

namespace vuf::cli {
namespace {

// How long a QEMU may take to open its monitor: it does that before it allocates memory.
constexpr absl::Duration kMonitorLimit = absl::Seconds(30);

absl::StatusOr<v1::UpgradeVmRequest> UpgradeRequest(Context& context) {
  const ParsedArgs& args = context.args();
  const absl::StatusOr<std::string> vm = context.Name("vms");
  if (!vm.ok()) return vm.status();
  const absl::StatusOr<std::vector<v1::MigrationMode>> modes = ModeFlag(args);
  if (!modes.ok()) return modes.status();
  v1::UpgradeVmRequest request;
  request.set_vm(*vm);
  for (const v1::MigrationMode mode : *modes) request.add_allowed_modes(mode);
  request.set_ram_transfer(RamTransferFlag(args));
  request.set_request_id(args.Has("request-id") ? args.Get("request-id") : NewRequestId());
  absl::Status status = SetDestination(args, request.mutable_destination());
  if (!status.ok()) return status;
  status = SetDuration(args, "timeout", [&] { return request.mutable_timeout(); });
  if (!status.ok()) return status;
  return request;
}

// The program after "--", found but not started; null when there is none.
absl::StatusOr<std::unique_ptr<DestinationProgram>> ProgramToStart(const ParsedArgs& args) {
  const std::vector<std::string> words(args.positional.begin() + 1, args.positional.end());
  if (words.size() != args.after_dashes) {
    return UsageError(absl::StrCat("unexpected argument \"", args.positional[1],
                                   "\"; the destination's command line stands after \"--\""));
  }
  if (words.empty()) return nullptr;
  // A second one would take the first one's monitor away.
  if (args.Has("request-id")) {
    return UsageError(
        "--request-id repeats a call: the destination is started already, so leave "
        "\"-- COMMAND\" out");
  }
  if (!absl::StartsWith(args.Get("to"), "/")) {
    return UsageError(absl::StrCat("--to=", args.Get("to"), ": want an absolute path"));
  }
  auto program = std::make_unique<DestinationProgram>(words, args.Get("to"));
  const absl::Status found = program->Find();
  if (!found.ok()) return UsageError(found.message());
  return program;
}

// Starts the program and waits for its monitor, telling the user.
absl::Status StartProgram(Context& context, DestinationProgram& program,
                          const std::function<bool()>& give_up) {
  const absl::Status started = program.Start();
  if (!started.ok()) return started;
  context.err() << "started the destination QEMU, pid " << program.pid() << std::endl;
  return program.AwaitMonitor(kMonitorLimit, give_up);
}

// What there is to see after anything but success.
void SayWhatIsLeft(Context& context, const DestinationProgram& program) {
  if (program.pid() == 0) return;
  const std::string said = program.Said();
  if (!said.empty()) {
    // Line by line, so that its line ends survive.
    context.err() << "The QEMU that vufctl started said:\n";
    for (const absl::string_view line : absl::StrSplit(absl::StripSuffix(said, "\n"), '\n')) {
      context.err() << "  " << Printable(line) << "\n";
    }
  }
  context.err() << "The QEMU that vufctl started (pid " << program.pid()
                << ") is left for inspection, if it still runs. Before you end it, see above where "
                   "the guest is.\n";
}

// The guest stands still until a destination is there, so a failure is told, not fatal.
OnChange StartWhenAwaited(Context& context, DestinationProgram& program) {
  return [&](const v1::Migration& migration, const std::function<bool()>& cancelled) {
    if (migration.state() != v1::Migration::STATE_AWAITING_DESTINATION || program.pid() != 0) {
      return;
    }
    const absl::Status status = StartProgram(context, program, cancelled);
    if (status.ok()) return;
    context.err() << "vufctl: " << Printable(status.message()) << "\n";
    SayWhatIsLeft(context, program);
    context.err() << "vufd goes on waiting for a destination: start one by hand.\n";
  };
}

// A destination that took the source's monitor path would hide the running guest from vufd.
absl::Status CheckMonitorIsAnother(Context& context, const v1::UpgradeVmRequest& request) {
  const absl::StatusOr<v1::Vm> vm = context.client().GetVm(request.vm());
  if (!vm.ok()) return vm.status();
  if (vm->qmp_socket() != context.args().Get("to")) return absl::OkStatus();
  return UsageError(absl::StrCat("--to=", vm->qmp_socket(),
                                 " is the monitor of the QEMU that runs "
                                 "the guest; nothing was started"));
}

absl::StatusOr<int> UpgradeInto(Context& context, const v1::UpgradeVmRequest& request,
                                DestinationProgram& program) {
  const absl::Status another = CheckMonitorIsAnother(context, request);
  if (!another.ok()) return another;
  absl::Status started;
  if (!request.destination().has_sequential()) {
    started = StartProgram(context, program, [] { return false; });
  }
  const absl::StatusOr<int> code =
      started.ok()
          ? StartMigration(
                context, request.request_id(), [&] { return context.client().UpgradeVm(request); },
                StartWhenAwaited(context, program))
          : started;
  if (!code.ok() || *code != kExitOk) SayWhatIsLeft(context, program);
  return code;
}

absl::StatusOr<int> Upgrade(Context& context) {
  const absl::StatusOr<v1::UpgradeVmRequest> request = UpgradeRequest(context);
  if (!request.ok()) return request.status();
  absl::StatusOr<std::unique_ptr<DestinationProgram>> program = ProgramToStart(context.args());
  if (!program.ok()) return program.status();
  if (*program != nullptr) return UpgradeInto(context, *request, **program);
  return StartMigration(context, request->request_id(),
                        [&] { return context.client().UpgradeVm(*request); });
}

}  // namespace

std::vector<Command> UpgradeCommands() {
  return {{"upgrade",
           "VM [PROGRAM]...",
           "move a VM to another QEMU on this host; the source QEMU quits",
           "vufctl upgrade VM --to=QMP_SOCKET [FLAG...] -- PROGRAM ARGUMENT... starts the "
           "destination QEMU itself and follows the upgrade; it lives on after vufctl. With "
           "--sequential it is started once the source has quit. Exit codes as of migrate; "
           "--timeout is the upgrade's here, not the call's.",
           {kDestinationFlag,
            kModeFlag,
            kSharedRamFlag,
            kSequentialFlag,
            kStateFileFlag,
            {"watch", nullptr, "follow it to its end"},
            {"timeout", "DURATION", "cancel it when it takes longer (default: vufd's, 5m)"},
            kRequestIdFlag},
           Upgrade}};
}

}  // namespace vuf::cli
