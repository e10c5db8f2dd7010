#include "client/cli.h"

#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/text.h"
#include "google/protobuf/util/json_util.h"

namespace vuf::cli {
namespace {

int Report(const absl::Status& status, const Context* context, Terminal& terminal) {
  if (IsUsageError(status)) {
    terminal.err << "vufctl: " << Printable(status.message()) << "\n"
                 << "Try: vufctl help"
                 << (context == nullptr ? "" : absl::StrCat(" ", context->args().command->name))
                 << "\n";
    return kExitUsage;
  }
  terminal.err << "vufctl: " << absl::StatusCodeToString(status.code()) << ": "
               << Printable(status.message()) << "\n";
  if (absl::IsUnavailable(status) && context != nullptr) {
    terminal.err << "Is vufd running, and may you use " << context->options().server
                 << "? \"vufctl doctor\" tells.\n";
  }
  return kExitError;
}

// The flag's value, else the environment's.
std::string FlagOrEnvironment(const ParsedArgs& args, const char* flag, const char* variable) {
  if (args.Has(flag)) return args.Get(flag);
  const char* const value = std::getenv(variable);
  return value == nullptr ? "" : value;
}

absl::Status SetServer(const ParsedArgs& args, ClientOptions* options) {
  if (args.Has("server")) {
    if (args.Has("address")) return UsageError("--server and --address are two places");
    options->server = args.Get("server");
    return absl::OkStatus();
  }
  const std::string address = FlagOrEnvironment(args, "address", "VUFCTL_ADDRESS");
  if (address.empty()) return absl::OkStatus();
  ClientTls tls;
  tls.ca_file = FlagOrEnvironment(args, "ca", "VUFCTL_CA");
  tls.certificate_file = FlagOrEnvironment(args, "certificate", "VUFCTL_CERTIFICATE");
  tls.private_key_file = FlagOrEnvironment(args, "key", "VUFCTL_KEY");
  if (tls.ca_file.empty() || tls.certificate_file.empty() || tls.private_key_file.empty()) {
    return UsageError(absl::StrCat("--address=", address,
                                   " needs --ca, --certificate and --key (or VUFCTL_CA, "
                                   "VUFCTL_CERTIFICATE and VUFCTL_KEY)"));
  }
  options->server = address;
  options->tls = std::move(tls);
  return absl::OkStatus();
}

absl::StatusOr<int> RunCommand(Context& context) {
  absl::Status status = context.Init();
  if (!status.ok()) return status;
  return context.args().command->run(context);
}

}  // namespace

absl::Status Context::Init() {
  const std::string output = args_.Get("output");
  const bool is_list = absl::EndsWith(args_.command->name, " list");
  if (output == "json") {
    output_ = Output::kJson;
  } else if (output == "names" && is_list) {
    output_ = Output::kNames;
  } else if (args_.Has("output") && output != "table") {
    return UsageError(
        absl::StrCat("--output=", output, ": want table, json", is_list ? " or names" : ""));
  }
  options_.user_agent =
      absl::StrCat("vufctl/", kVersion, " (uid ", getuid(), ", pid ", getpid(), ")");
  if (absl::Status status = SetServer(args_, &options_); !status.ok()) return status;
  // `migrate` has a --timeout of its own, which says how long the migration may take.
  bool own_timeout = false;
  for (const FlagSpec& flag : args_.command->flags) {
    own_timeout = own_timeout || absl::string_view(flag.name) == "timeout";
  }
  if (!own_timeout) {
    absl::StatusOr<absl::Duration> timeout = DurationFlag(args_, "timeout", options_.call_timeout);
    if (!timeout.ok()) return timeout.status();
    options_.call_timeout = *timeout;
  }
  absl::StatusOr<std::unique_ptr<VufClient>> client = VufClient::Create(options_);
  if (!client.ok()) {
    return UsageError(absl::StrCat(options_.tls.has_value() ? "--address: " : "--server: ",
                                   client.status().message()));
  }
  client_ = *std::move(client);
  return absl::OkStatus();
}

absl::StatusOr<std::string> Context::Name(absl::string_view collection, size_t index) const {
  absl::StatusOr<std::string> name = ResourceName(collection, args_.positional.at(index));
  if (!name.ok()) return UsageError(name.status().message());
  return name;
}

absl::StatusOr<int> Context::Print(const google::protobuf::Message& message,
                                   absl::string_view text) {
  if (output_ == Output::kJson) {
    const absl::StatusOr<std::string> json = ToJson(message);
    if (!json.ok()) return json.status();
    out() << *json;
  } else {
    out() << text;
  }
  return kExitOk;
}

absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message, bool one_line) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = !one_line;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) {
    return absl::InternalError(
        absl::StrCat("cannot write the answer as JSON: ", std::string(status.message())));
  }
  return absl::EndsWith(json, "\n") ? json : absl::StrCat(json, "\n");
}

int RunVufctl(const std::vector<std::string>& words, Terminal& terminal) {
  if (words == std::vector<std::string>{"--version"}) {
    return RunVufctl({"version", "--client"}, terminal);
  }
  absl::StatusOr<ParsedArgs> args = Parse(Commands(), words);
  if (!args.ok()) return Report(args.status(), nullptr, terminal);
  Context context(*std::move(args), Commands(), terminal);
  const absl::StatusOr<int> result = RunCommand(context);
  int code = result.ok() ? *result : Report(result.status(), &context, terminal);
  // A verdict that nobody could read must not look like one that was delivered.
  if (!terminal.out.flush() && code == kExitOk) {
    terminal.err << "vufctl: cannot write the output\n";
    code = kExitError;
  }
  return code;
}

}  // namespace vuf::cli
