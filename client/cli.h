// vufctl without its main(): what the commands share, and running one.
#ifndef VUFD_CLIENT_CLI_H_
#define VUFD_CLIENT_CLI_H_

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/args.h"
#include "client/vuf_client.h"
#include "google/protobuf/message.h"

namespace vuf::cli {

inline constexpr char kVersion[] = "0.1.0";

// Documented in docs/vufctl.md and `vufctl help`; scripts rely on them.
enum ExitCode : int {
  kExitOk = 0,
  kExitError = 1,
  kExitUsage = 2,
  kExitRefused = 3,
  kExitFailed = 4,
  kExitCancelled = 5,
  kExitInterrupted = 6,
  kExitUnknown = 7,
  // 128 + SIGINT, as shells have it.
  kExitCtrlC = 130,
};

// Where output goes and what it can show.
struct Terminal {
  std::ostream& out;
  std::ostream& err;
  bool err_is_tty = false;
  bool colour = false;
  int columns = 80;
};

enum class Output { kTable, kJson, kNames };

// One run of one command.
class Context {
 public:
  Context(ParsedArgs args, const std::vector<Command>& commands, Terminal& terminal)
      : args_(std::move(args)), commands_(commands), terminal_(terminal) {}

  // Reads the global flags.
  absl::Status Init();

  const ParsedArgs& args() const { return args_; }
  const std::vector<Command>& commands() const { return commands_; }
  Terminal& terminal() { return terminal_; }
  std::ostream& out() { return terminal_.out; }
  std::ostream& err() { return terminal_.err; }
  Output output() const { return output_; }
  const ClientOptions& options() const { return options_; }
  VufClient& client() { return *client_; }

  // The positional argument at `index` as a resource name of the collection.
  absl::StatusOr<std::string> Name(absl::string_view collection, size_t index = 0) const;
  // Prints the message as JSON, or `text` when tables are wanted. Success is exit code 0.
  absl::StatusOr<int> Print(const google::protobuf::Message& message, absl::string_view text);

 private:
  const ParsedArgs args_;
  const std::vector<Command>& commands_;
  Terminal& terminal_;
  Output output_ = Output::kTable;
  ClientOptions options_;
  std::unique_ptr<VufClient> client_;
};

// The message in JSON with the field names of the .proto, unset fields included; ends in a newline.
absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message, bool one_line = false);

// All commands, in the order of the help.
const std::vector<Command>& Commands();

// Runs the command that `words` (without the program's name) ask for; returns the exit code.
int RunVufctl(const std::vector<std::string>& words, Terminal& terminal);

}  // namespace vuf::cli

#endif  // VUFD_CLIENT_CLI_H_
