// How the request ids of CreateMigration are kept, beside those of the registry.
#ifndef VUFD_SERVER_MIGRATION_REQUEST_RECORD_H_
#define VUFD_SERVER_MIGRATION_REQUEST_RECORD_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "server/store/store.h"

namespace vuf {

struct MigrationRequestRecord {
  std::string request_id;
  std::string arguments_digest;
  // "migrations/{migration}"
  std::string migration;
};

Change RequestChange(const MigrationRequestRecord& request);
Change RequestDeletion(const std::string& request_id);
// Nothing when the record belongs to another service.
absl::StatusOr<std::optional<MigrationRequestRecord>> ParseRequestRecord(const Record& record);

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_REQUEST_RECORD_H_
