// What whoever runs the agent asks for: probes, and a good moment to stop it.
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands.h"
#include "client/interrupt.h"

namespace vuf::cli {
namespace {

// More than vufd keeps.
constexpr int kAll = 1 << 20;

absl::StatusOr<int> Health(Context& context) {
  const absl::StatusOr<bool> serving = context.client().IsServing();
  if (!serving.ok()) return serving.status();
  context.out() << (*serving ? "ready\n" : "answers, but changes nothing now\n");
  return *serving || context.args().Has("live") ? kExitOk : kExitError;
}

// What a stop of vufd would end. One that is queued or waits for its destination goes on
// afterwards.
bool EndsWithVufd(v1::Migration::State state) {
  switch (state) {
    case v1::Migration::STATE_EVALUATING:
    case v1::Migration::STATE_PREPARING:
    case v1::Migration::STATE_TRANSFERRING:
    case v1::Migration::STATE_SWITCHING_OVER:
    case v1::Migration::STATE_COMMITTED:
    case v1::Migration::STATE_CANCELLING:
      return true;
    default:
      return false;
  }
}

absl::StatusOr<std::vector<std::string>> UnderWay(VufClient& client) {
  const absl::StatusOr<v1::ListMigrationsResponse> all = client.ListMigrations("", kAll);
  if (!all.ok()) return all.status();
  std::vector<std::string> names;
  for (const v1::Migration& migration : all->migrations()) {
    if (EndsWithVufd(migration.state())) names.push_back(migration.name());
  }
  return names;
}

// Until none is under way, or until cancelled: those that still are.
absl::StatusOr<std::vector<std::string>> AwaitNone(VufClient& client, WatchCanceller& canceller) {
  while (true) {
    absl::StatusOr<std::vector<std::string>> names = UnderWay(client);
    if (!names.ok() || names->empty() || canceller.cancelled()) return names;
    const auto ignore = [](const v1::Migration&) {};
    const absl::StatusOr<v1::Migration> end =
        client.WatchMigration(names->front(), ignore, &canceller);
    // One that is not known any more has ended, too.
    if (!end.ok() && !absl::IsNotFound(end.status()) && !canceller.cancelled()) {
      return end.status();
    }
  }
}

absl::StatusOr<int> Wait(Context& context) {
  const auto timeout = DurationFlag(context.args(), "timeout", absl::Minutes(5));
  if (!timeout.ok()) return timeout.status();
  WatchCanceller canceller;
  const InterruptScope interrupt([&] { canceller.Cancel(); });
  std::thread timer([&] {
    canceller.Sleep(*timeout);
    canceller.Cancel();
  });
  const absl::StatusOr<std::vector<std::string>> left = AwaitNone(context.client(), canceller);
  canceller.Cancel();
  timer.join();
  if (!left.ok()) return left.status();
  if (left->empty()) return kExitOk;
  context.err() << "still under way: " << absl::StrJoin(*left, ", ") << "\n";
  return kExitUnknown;
}

}  // namespace

std::vector<Command> NodeCommands() {
  return {
      {"health",
       "",
       "say whether vufd takes requests, for probes",
       "Exit code 0 when it does. Needs no role.",
       {{"live", nullptr, "exit code 0 also when it answers but changes nothing now"}},
       Health},
      {"migrations wait",
       "",
       "wait until no migration is under way, before vufd is stopped",
       "Without it a stop sends migrations that have not switched over back to their sources. Does "
       "not wait for those that a start takes up again: queued ones, and sequential ones between "
       "two QEMUs. Exit code 7 when some are left.",
       {{"timeout", "DURATION", "at most so long (default 5m)"}},
       Wait},
  };
}

}  // namespace vuf::cli
