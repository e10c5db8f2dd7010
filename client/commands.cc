#include "client/commands.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace vuf::cli {

const FlagSpec kRequestIdFlag = {
    "request-id", "ID",
    "repeat an earlier call whose answer was lost, without doing it twice (default: a new id)"};
const FlagSpec kEtagFlag = {"etag", "ETAG", "do nothing unless the record still has this etag"};
const FlagSpec kModeFlag = {"mode", "MODES",
                            "modes to permit: stateful, stateless or both (default both)",
                            "stateful stateless both"};
const FlagSpec kDestinationFlag = {
    "to", "QMP_SOCKET", "QMP socket of the destination QEMU on this host (-S -incoming defer)",
    "@files"};
const FlagSpec kHostFlag = {"host", "HOST:PORT",
                            "the destination QEMU is on another host, whose vufd answers there; "
                            "--to is a path on that host"};
const FlagSpec kSharedRamFlag = {
    "shared-ram", nullptr,
    "memory is not copied: both QEMUs map the same file (memory-backend-file,share=on)"};
const FlagSpec kSequentialFlag = {
    "sequential", nullptr,
    "the source quits before the destination starts; the guest's state waits in --state-file"};
const FlagSpec kStateFileFlag = {
    "state-file", "PATH", "with --sequential: a file that vufd creates and removes", "@files"};

absl::StatusOr<std::vector<v1::MigrationMode>> ModeFlag(const ParsedArgs& args) {
  if (!args.Has("mode") || args.Get("mode") == "both")
    return std::vector{v1::MIGRATION_MODE_STATEFUL, v1::MIGRATION_MODE_STATELESS};
  std::vector<v1::MigrationMode> modes;
  for (const absl::string_view word : absl::StrSplit(args.Get("mode"), ',')) {
    if (word != "stateful" && word != "stateless") {
      return UsageError(
          absl::StrCat("--mode=", args.Get("mode"), ": want stateful, stateless or both"));
    }
    modes.push_back(word == "stateful" ? v1::MIGRATION_MODE_STATEFUL
                                       : v1::MIGRATION_MODE_STATELESS);
  }
  return modes;
}

Look LookOf(Context& context) {
  return Look{context.terminal().columns, context.terminal().colour};
}

absl::StatusOr<std::string> VmFlag(const ParsedArgs& args) {
  if (!args.Has("vm")) return std::string();
  const absl::StatusOr<std::string> name = ResourceName("vms", args.Get("vm"));
  if (!name.ok()) return UsageError(absl::StrCat("--vm: ", name.status().message()));
  return name;
}

v1::RamTransfer RamTransferFlag(const ParsedArgs& args) {
  return args.Has("shared-ram") ? v1::RAM_TRANSFER_SHARED : v1::RAM_TRANSFER_UNSPECIFIED;
}

absl::Status SetDestination(const ParsedArgs& args, v1::Destination* destination) {
  const std::string& to = args.Get("to");
  if (to.empty()) return UsageError("--to=QMP_SOCKET is required");
  const bool sequential = args.Has("sequential");
  if (sequential != !args.Get("state-file").empty()) {
    return UsageError("--sequential and --state-file=PATH go together");
  }
  if (args.Has("host")) {
    if (sequential) return UsageError("--host and --sequential do not go together");
    destination->mutable_other_host()->set_agent(args.Get("host"));
    destination->mutable_other_host()->set_qmp_socket(to);
    return absl::OkStatus();
  }
  if (!sequential) {
    destination->mutable_same_host()->set_qmp_socket(to);
    return absl::OkStatus();
  }
  destination->mutable_sequential()->set_qmp_socket(to);
  destination->mutable_sequential()->set_state_file(args.Get("state-file"));
  return absl::OkStatus();
}

absl::Status SetDuration(const ParsedArgs& args, const std::string& flag,
                         const std::function<google::protobuf::Duration*()>& field) {
  const absl::StatusOr<absl::Duration> value = DurationFlag(args, flag, absl::ZeroDuration());
  if (!value.ok() || *value == absl::ZeroDuration()) return value.status();
  google::protobuf::Duration& duration = *field();
  const int64_t nanos = absl::ToInt64Nanoseconds(*value);
  duration.set_seconds(nanos / 1000000000);
  duration.set_nanos(static_cast<int32_t>(nanos % 1000000000));
  return absl::OkStatus();
}

absl::StatusOr<int> PrintDone(Context& context, const absl::Status& status,
                              const std::string& text) {
  if (!status.ok()) return status;
  context.out() << (context.output() == Output::kJson ? "{}" : text) << "\n";
  return kExitOk;
}

std::string Invocation(const Context& context, const std::string& suffix) {
  const ClientOptions& options = context.options();
  std::string flags;
  if (options.tls.has_value()) {
    flags = absl::StrCat("--address=", options.server, " --ca=", options.tls->ca_file,
                         " --certificate=", options.tls->certificate_file,
                         " --key=", options.tls->private_key_file, " ");
  } else if (options.server != kDefaultServer) {
    flags = absl::StrCat("--server=", options.server, " ");
  }
  return absl::StrCat("vufctl ", flags, suffix);
}

const std::vector<Command>& Commands() {
  static const auto* const commands = [] {
    auto* all = new std::vector<Command>;
    for (auto group :
         {VmCommands, EndpointCommands, ProfileCommands, PolicyCommands, PlanningCommands,
          EvaluateCommands, UpgradeCommands, MigrationCommands, NodeCommands, OtherCommands,
          DecisionCommands, AuditCommands, PeerCommands}) {
      for (Command& command : group()) all->push_back(std::move(command));
    }
    return all;
  }();
  return *commands;
}

}  // namespace vuf::cli
