// Watching a migration to its end.
#ifndef VUFD_CLIENT_FOLLOW_H_
#define VUFD_CLIENT_FOLLOW_H_

#include <string>

#include "absl/status/statusor.h"
#include "client/cli.h"

namespace vuf::cli {

enum class JsonOutput { kEnd, kEveryChange };

// Shows progress on standard error and the end on standard output. The exit code is the outcome's;
// kExitCtrlC when interrupted and kExitUnknown when the agent is lost, the migration going on in
// both cases.
absl::StatusOr<int> FollowMigration(Context& context, const std::string& name, JsonOutput json);

ExitCode ExitCodeOf(v1::Migration::State state);

}  // namespace vuf::cli

#endif  // VUFD_CLIENT_FOLLOW_H_
