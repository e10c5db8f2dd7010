// The commands, by group. A new command is an entry in one of these tables.
#ifndef VUFD_CLIENT_COMMANDS_H_
#define VUFD_CLIENT_COMMANDS_H_

#include <functional>
#include <string>
#include <vector>

#include "client/args.h"
#include "client/cli.h"
#include "client/render.h"

namespace vuf::cli {

std::vector<Command> VmCommands();
std::vector<Command> EndpointCommands();
std::vector<Command> ProfileCommands();
std::vector<Command> PlanningCommands();
std::vector<Command> PolicyCommands();
std::vector<Command> EvaluateCommands();
std::vector<Command> MigrationCommands();
std::vector<Command> UpgradeCommands();
std::vector<Command> NodeCommands();
std::vector<Command> OtherCommands();
std::vector<Command> DecisionCommands();
std::vector<Command> PeerCommands();
std::vector<Command> AuditCommands();

extern const FlagSpec kRequestIdFlag;
extern const FlagSpec kEtagFlag;
extern const FlagSpec kModeFlag;
extern const FlagSpec kDestinationFlag;
extern const FlagSpec kHostFlag;
extern const FlagSpec kSharedRamFlag;
extern const FlagSpec kSequentialFlag;
extern const FlagSpec kStateFileFlag;

// --mode=stateful,stateless or --mode=both; both when the flag is absent.
absl::StatusOr<std::vector<v1::MigrationMode>> ModeFlag(const ParsedArgs& args);

// --shared-ram; UNSPECIFIED, which means copying, when the flag is absent.
v1::RamTransfer RamTransferFlag(const ParsedArgs& args);

// --to, with --sequential and --state-file where the command has them.
absl::Status SetDestination(const ParsedArgs& args, v1::Destination* destination);

// --vm as "vms/{vm}"; empty when the flag is absent.
absl::StatusOr<std::string> VmFlag(const ParsedArgs& args);

// Fills the message that `field` makes, unless the flag is absent.
absl::Status SetDuration(const ParsedArgs& args, const std::string& flag,
                         const std::function<google::protobuf::Duration*()>& field);

// How wide, and whether in colour.
Look LookOf(Context& context);

// Prints a list as table, JSON or names, as asked.
template <typename List, typename Items>
absl::StatusOr<int> PrintList(Context& context, const List& list, const Items& items,
                              const std::string& text) {
  if (context.output() != Output::kNames) return context.Print(list, text);
  for (const auto& item : items) {
    context.out() << item.name().substr(item.name().find('/') + 1) << "\n";
  }
  return kExitOk;
}

// Says in a table what was done; prints {} as JSON, the answer of the method.
absl::StatusOr<int> PrintDone(Context& context, const absl::Status& status,
                              const std::string& text);

// "vufctl SUFFIX" with the --server or --address that is in use: for a hint that can be pasted.
std::string Invocation(const Context& context, const std::string& suffix);

}  // namespace vuf::cli

#endif  // VUFD_CLIENT_COMMANDS_H_
