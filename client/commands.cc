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
                            "modes to permit: stateful, stateless or both, joined by a comma "
                            "(default both)",
                            "stateful stateless stateful,stateless"};
const FlagSpec kDestinationFlag = {
    "to", "QMP_SOCKET", "QMP socket of the destination QEMU on this host (-S -incoming defer)",
    "@files"};

absl::StatusOr<std::vector<v1::MigrationMode>> ModeFlag(const ParsedArgs& args) {
  if (!args.Has("mode"))
    return std::vector{v1::MIGRATION_MODE_STATEFUL, v1::MIGRATION_MODE_STATELESS};
  std::vector<v1::MigrationMode> modes;
  for (const absl::string_view word : absl::StrSplit(args.Get("mode"), ',')) {
    if (word != "stateful" && word != "stateless") {
      return UsageError(absl::StrCat("--mode=", args.Get("mode"),
                                     ": want stateful, stateless or stateful,stateless"));
    }
    modes.push_back(word == "stateful" ? v1::MIGRATION_MODE_STATEFUL
                                       : v1::MIGRATION_MODE_STATELESS);
  }
  return modes;
}

absl::StatusOr<int> PrintDone(Context& context, const absl::Status& status,
                              const std::string& text) {
  if (!status.ok()) return status;
  context.out() << (context.output() == Output::kJson ? "{}" : text) << "\n";
  return kExitOk;
}

std::string Invocation(const Context& context, const std::string& suffix) {
  const std::string& server = context.options().server;
  return absl::StrCat(
      "vufctl ", server == kDefaultServer ? "" : absl::StrCat("--server=", server, " "), suffix);
}

const std::vector<Command>& Commands() {
  static const auto* const commands = [] {
    auto* all = new std::vector<Command>;
    for (auto group : {VmCommands, EndpointCommands, ProfileCommands, EvaluateCommands,
                       MigrationCommands, OtherCommands}) {
      for (Command& command : group()) all->push_back(std::move(command));
    }
    return all;
  }();
  return *commands;
}

}  // namespace vuf::cli
