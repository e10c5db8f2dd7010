// The layout of the database file and its versions.
#ifndef VUFD_SERVER_STORE_SQLITE_SCHEMA_H_
#define VUFD_SERVER_STORE_SQLITE_SCHEMA_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/store/sqlite_connection.h"

namespace vuf {

// Creates the schema in an empty file.
absl::Status CreateSchema(SqliteConnection& db);
// Looks at a file without writing. DATA_LOSS: damaged. FAILED_PRECONDITION: not vufd's, or written
// by a newer vufd.
absl::Status CheckSchema(SqliteConnection& db);
// Brings a checked file up to this version, in one transaction.
absl::Status UpgradeSchema(SqliteConnection& db);

}  // namespace vuf

#endif  // VUFD_SERVER_STORE_SQLITE_SCHEMA_H_
