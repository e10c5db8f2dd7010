// doctor, version, completion, help.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands.h"
#include "client/completion.h"
#include "client/doctor.h"
#include "client/help.h"
#include "google/protobuf/struct.pb.h"

namespace vuf::cli {
namespace {

absl::StatusOr<int> Doctor(Context& context) {
  std::vector<Check> checks = CheckAgent(context.client(), context.options().server);
  for (Check& check : CheckHost("")) checks.push_back(std::move(check));
  absl::StatusOr<int> printed =
      context.Print(ChecksMessage(checks),
                    ChecksText(checks, context.terminal().columns, context.terminal().colour));
  if (!printed.ok()) return printed;
  return Ready(checks) ? kExitOk : kExitRefused;
}

absl::StatusOr<int> Version(Context& context) {
  google::protobuf::Struct message;
  auto& fields = *message.mutable_fields();
  fields["client"].set_string_value(kVersion);
  std::string text = absl::StrCat("vufctl ", kVersion, "\n");
  if (context.args().Has("client")) return context.Print(message, text);
  const absl::StatusOr<bool> serving = context.client().IsServing();
  if (!serving.ok()) {
    context.err() << text;
    return serving.status();
  }
  fields["server"].set_string_value(context.options().server);
  fields["serving"].set_bool_value(*serving);
  absl::StrAppend(&text, "vufd at ", context.options().server,
                  *serving ? " takes requests\n" : " answers, but changes nothing now\n");
  absl::StatusOr<int> printed = context.Print(message, text);
  return printed.ok() && !*serving ? kExitError : printed;
}

absl::StatusOr<int> Completion(Context& context) {
  if (context.args().positional[0] != "bash") {
    return UsageError(
        absl::StrCat("no completion for \"", context.args().positional[0], "\": want bash"));
  }
  context.out() << BashCompletion(context.commands());
  return kExitOk;
}

absl::StatusOr<int> Help(Context& context) {
  const std::vector<std::string>& words = context.args().positional;
  if (words.empty()) {
    context.out() << OverviewHelp(context.commands());
    return kExitOk;
  }
  // "help vms": all of the group. "help vms get web", made from "vms get web --help": one.
  std::string text;
  const std::string both = words.size() > 1 ? absl::StrCat(words[0], " ", words[1]) : "";
  for (const Command& command : context.commands()) {
    if (command.name == both || command.name == words[0]) {
      text = CommandHelp(command);
      break;
    }
    if (absl::StartsWith(command.name, words[0] + " ")) {
      absl::StrAppend(&text, text.empty() ? "" : "\n---\n\n", CommandHelp(command));
    }
  }
  if (text.empty()) return UsageError(absl::StrCat("unknown command \"", words[0], "\""));
  context.out() << text;
  return kExitOk;
}

}  // namespace

std::vector<Command> OtherCommands() {
  return {
      {"doctor",
       "",
       "say whether this host is ready, and what is missing",
       "Looks at the agent, its process and this host; connects to vufd's socket only. Exit code "
       "3 when a line says FAIL. Run it as root to see everything.",
       {},
       Doctor},
      {"version",
       "",
       "show the version, and whether vufd answers",
       "",
       {{"client", nullptr, "do not ask vufd"}},
       Version},
      {"completion",
       "SHELL",
       "print the completion script for a shell (bash)",
       "source <(vufctl completion bash)",
       {},
       Completion},
      {"help", "[COMMAND]...", "show help", "", {}, Help},
  };
}

}  // namespace vuf::cli
