#include "client/help.h"

#include "absl/strings/str_cat.h"
#include "client/text.h"

namespace vuf::cli {
namespace {

constexpr int kColumns = 90;

constexpr char kExitCodes[] = R"(Exit codes:
  0    done; allowed; succeeded
  1    error: no answer, or vufd refused the call
  2    the command line is wrong
  3    the migration is refused; doctor: something is missing; replay: it does not agree;
       audit verify: it is not whole
  4    the migration failed
  5    the migration was cancelled
  6    the agent ended while the migration was under way
  7    the outcome is not known: the migration may be running
  130  Ctrl-C; a migration that was watched goes on
)";

std::string FlagsHelp(const std::vector<FlagSpec>& flags) {
  std::string text;
  for (const FlagSpec& flag : flags) {
    const std::string lead = absl::StrCat(
        "  --", flag.name, flag.value == nullptr ? "" : absl::StrCat("=", flag.value), "  ");
    absl::StrAppend(&text, Wrap(flag.help, kColumns, 30, lead));
  }
  return text;
}

}  // namespace

std::string OverviewHelp(const std::vector<Command>& commands) {
  std::string text =
      "vufctl: may a VM with virtiofs devices be live-migrated? Asks vufd, and has it do it.\n\n"
      "Usage: vufctl [FLAG...] COMMAND [ARGUMENT...]\n\nCommands:\n";
  for (const Command& command : commands) {
    const std::string lead = absl::StrCat("  ", command.name, " ", command.args, "  ");
    absl::StrAppend(&text, Wrap(command.summary, kColumns, 36, lead));
  }
  absl::StrAppend(
      &text,
      "\n\"vms\", \"endpoints\", \"profiles\", \"migrations\" and \"decisions\" alone list.\n",
      "\nFlags of every command:\n", FlagsHelp(GlobalFlags()), "\n", kExitCodes);
  return text;
}

std::string CommandHelp(const Command& command) {
  const absl::string_view args = command.args;
  std::string text = absl::StrCat("Usage: vufctl ", command.name, args.empty() ? "" : " ", args,
                                  command.flags.empty() ? "" : " [FLAG...]", "\n\n",
                                  Wrap(command.summary, kColumns, 0));
  if (*command.details != '\0') absl::StrAppend(&text, "\n", Wrap(command.details, kColumns, 0));
  if (!command.flags.empty()) absl::StrAppend(&text, "\nFlags:\n", FlagsHelp(command.flags));
  absl::StrAppend(&text,
                  "\nFlags of every command: --server, --address, --output, --timeout; see "
                  "\"vufctl help\".\n");
  return text;
}

}  // namespace vuf::cli
