// What callers may ask of the migration service, and what the agent makes of it.
#ifndef VUFD_SERVER_SERVICE_MIGRATION_REQUEST_H_
#define VUFD_SERVER_SERVICE_MIGRATION_REQUEST_H_

#include <string>

#include "absl/status/status.h"
#include "server/model/facts.h"
#include "vuf/v1/migration.pb.h"
#include "vuf/v1/vm.pb.h"

namespace vuf {

// INVALID_ARGUMENT names the first field that is wrong.
absl::Status CheckRequest(const v1::EvaluateMigrationRequest& request);
absl::Status CheckRequest(const v1::CreateMigrationRequest& request);
absl::Status CheckRequest(const v1::UpgradeVmRequest& request);
// Its modes and the way of memory only.
absl::Status CheckHow(const v1::EvaluateMigrationRequest& request);
absl::Status CheckDestination(const std::string& field, const v1::Destination& destination);
// `field` is the destination's. INVALID_ARGUMENT: it is `vm`'s own monitor.
absl::Status CheckIsElsewhere(const std::string& field, const v1::Destination& destination,
                              const v1::Vm& vm);

// Only what the caller may set.
v1::Migration InputOf(const v1::Migration& in);
// The migration that an upgrade is.
v1::Migration MigrationOf(const v1::UpgradeVmRequest& request);
Request ModelRequest(const v1::EvaluateMigrationRequest& request);

}  // namespace vuf

#endif  // VUFD_SERVER_SERVICE_MIGRATION_REQUEST_H_
