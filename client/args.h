// The grammar of the command line, as tables, and its parser.
#ifndef VUFD_CLIENT_ARGS_H_
#define VUFD_CLIENT_ARGS_H_

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace vuf::cli {

class Context;

// A flag has one meaning of `value` (nullptr or not) in every command that has it.
struct FlagSpec {
  const char* name;
  // What the help calls the value; nullptr when the flag takes none.
  const char* value;
  const char* help;
  // Values to offer on completion, separated by spaces. May be nullptr.
  const char* choices = nullptr;
  bool repeated = false;
};

struct Command {
  // "evaluate" or "vms list".
  const char* name;
  // Positional arguments: "VM", "[COMMAND]", "". "..." after the last: any number of them.
  const char* args;
  const char* summary;
  // More for `help COMMAND`; may be "".
  const char* details;
  std::vector<FlagSpec> flags;
  // The exit code, or an error. UsageError() makes one that is the caller's fault.
  absl::StatusOr<int> (*run)(Context&);
};

// The flags that every command takes. A command's flag of the same name wins.
const std::vector<FlagSpec>& GlobalFlags();

struct ParsedArgs {
  const Command* command = nullptr;
  std::vector<std::string> positional;
  // How many of them, the last ones, stood after "--".
  size_t after_dashes = 0;
  std::map<std::string, std::vector<std::string>> flags;

  bool Has(const std::string& flag) const { return flags.count(flag) > 0; }
  // The value, or "" when the flag was not given.
  std::string Get(const std::string& flag) const;
};

// An error in what the caller typed.
absl::Status UsageError(absl::string_view message);
bool IsUsageError(const absl::Status& status);

// Flags may stand anywhere before "--" and be written --flag=value or --flag value. A group's
// name alone ("vms") means its list. "-h" and "--help" make "help COMMAND". Every error is a
// UsageError that names the word, and the nearest right one if there is one.
absl::StatusOr<ParsedArgs> Parse(const std::vector<Command>& commands,
                                 const std::vector<std::string>& words);

// The command whose name is `name`, a group's name standing for its list; nullptr for none.
const Command* FindCommand(const std::vector<Command>& commands, absl::string_view name);

// Typed values of flags; each error is a UsageError naming flag, value and what is allowed.
absl::StatusOr<absl::Duration> DurationFlag(const ParsedArgs& args, const std::string& flag,
                                            absl::Duration if_absent);
// Bytes, with an optional suffix K, M, G (powers of 1024).
absl::StatusOr<uint64_t> SizeFlag(const ParsedArgs& args, const std::string& flag);
absl::StatusOr<int> CountFlag(const ParsedArgs& args, const std::string& flag, int if_absent);
// KEY=VALUE, repeated.
absl::StatusOr<std::map<std::string, std::string>> LabelFlags(const ParsedArgs& args,
                                                              const std::string& flag);

}  // namespace vuf::cli

#endif  // VUFD_CLIENT_ARGS_H_
