// Starting a migration and watching it to its end.
#ifndef VUFD_CLIENT_FOLLOW_H_
#define VUFD_CLIENT_FOLLOW_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "client/cli.h"

namespace vuf::cli {

enum class JsonOutput { kEnd, kEveryChange };

// Called with every change of a migration that is followed. `cancelled` says at any time whether
// the user has given up watching.
using OnChange = std::function<void(const v1::Migration&, const std::function<bool()>& cancelled)>;

// Shows progress on standard error and the end on standard output. The exit code is the outcome's;
// kExitCtrlC when interrupted and kExitUnknown when the agent is lost, the migration going on in
// both cases.
absl::StatusOr<int> FollowMigration(Context& context, const std::string& name, JsonOutput json,
                                    const OnChange& on_change = nullptr);

// Makes the call that starts a migration and, with --watch or a callback, follows it. A lost
// answer is kExitUnknown, with the request id under which to ask again.
absl::StatusOr<int> StartMigration(Context& context, const std::string& request_id,
                                   const std::function<absl::StatusOr<v1::Migration>()>& call,
                                   const OnChange& on_change = nullptr);

ExitCode ExitCodeOf(v1::Migration::State state);

}  // namespace vuf::cli

#endif  // VUFD_CLIENT_FOLLOW_H_
