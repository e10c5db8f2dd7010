// The log of decisions, and computing one again.
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/render.h"
#include "google/protobuf/util/json_util.h"
#include "server/decisions/replay.h"

namespace vuf::cli {
namespace {

// Facts of a VM are some kilobytes.
constexpr size_t kMaxFileBytes = 64 << 20;

absl::StatusOr<int> List(Context& context) {
  const absl::StatusOr<int> limit = CountFlag(context.args(), "limit", 50);
  if (!limit.ok()) return limit.status();
  const absl::StatusOr<std::string> vm = VmFlag(context.args());
  if (!vm.ok()) return vm.status();
  const absl::StatusOr<v1::ListDecisionsResponse> decisions =
      context.client().ListDecisions(*vm, *limit);
  if (!decisions.ok()) return decisions.status();
  return PrintList(context, *decisions, decisions->decisions(), DecisionsText(*decisions));
}

absl::StatusOr<v1::DecisionRecord> Fetch(Context& context) {
  const absl::StatusOr<std::string> name = context.Name("decisions");
  if (!name.ok()) return name.status();
  return context.client().GetDecision(*name);
}

absl::StatusOr<int> Show(Context& context) {
  const absl::StatusOr<v1::DecisionRecord> decision = Fetch(context);
  if (!decision.ok()) return decision.status();
  return context.Print(*decision, DecisionText(*decision, LookOf(context)));
}

absl::StatusOr<int> Export(Context& context) {
  const absl::StatusOr<v1::DecisionRecord> decision = Fetch(context);
  if (!decision.ok()) return decision.status();
  const absl::StatusOr<std::string> json = ToJson(*decision);
  if (!json.ok()) return json.status();
  context.out() << *json;
  return kExitOk;
}

// A field that this vufctl does not know is an error: it could be a reason for another verdict.
absl::StatusOr<v1::DecisionRecord> ReadExported(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string json(std::istreambuf_iterator<char>(file), {});
  if (!file || json.empty()) {
    return absl::NotFoundError(absl::StrCat("--file=", path, ": cannot be read, or is empty"));
  }
  if (json.size() > kMaxFileBytes) {
    return absl::InvalidArgumentError(absl::StrCat("--file=", path, ": is no exported decision"));
  }
  v1::DecisionRecord decision;
  const auto parsed = google::protobuf::util::JsonStringToMessage(json, &decision);
  if (parsed.ok()) return decision;
  return absl::InvalidArgumentError(
      absl::StrCat("--file=", path, ": is no exported decision: ", std::string(parsed.message())));
}

absl::StatusOr<int> Replay(Context& context) {
  const bool from_file = context.args().Has("file");
  if (from_file != context.args().positional.empty()) {
    return UsageError("want the name of a decision, or --file=FILE");
  }
  const absl::StatusOr<v1::DecisionRecord> decision =
      from_file ? ReadExported(context.args().Get("file")) : Fetch(context);
  if (!decision.ok()) return decision.status();
  const absl::StatusOr<v1::DecisionReplay> replay = ReplayDecision(*decision);
  if (!replay.ok()) return replay.status();
  const absl::StatusOr<int> printed =
      context.Print(*replay, ReplayText(*decision, *replay, LookOf(context)));
  if (!printed.ok()) return printed;
  return replay->agrees() ? kExitOk : kExitRefused;
}

}  // namespace

std::vector<Command> DecisionCommands() {
  return {
      {"decisions list",
       "",
       "list decisions, newest first",
       "",
       {{"vm", "VM", "only those about this VM", "@vms"},
        {"limit", "N", "at most this many (default 50)"}},
       List},
      {"decisions show",
       "DECISION",
       "show a decision: who asked, the verdict, every reason",
       "",
       {},
       Show},
      {"decisions export",
       "DECISION",
       "print a decision with all its facts, as JSON, for replay --file",
       "",
       {},
       Export},
      {"replay",
       "[DECISION]",
       "compute a decision again from the facts that were recorded",
       "Exit code 0: it agrees; 3: it does not, or the record is not what was recorded. The rules "
       "are this vufctl's; vufd is asked for nothing but the record.",
       {{"file", "FILE", "what \"decisions export\" printed, instead of asking vufd", "@files"}},
       Replay},
  };
}

}  // namespace vuf::cli
