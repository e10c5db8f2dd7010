#include "server/store/sqlite_schema.h"

#include <cstddef>
#include <cstdint>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace vuf {
namespace {

// "vufd" in the file's header, so that no other program's database is taken for ours.
constexpr int64_t kApplicationId = 0x76756664;

// Step i leads from version i to i + 1. A released step never changes; changes are added.
constexpr const char* kSteps[] = {
    // The check is a digest of table, key and value: SQLite finds damage to its own structure,
    // not a flipped bit within a value.
    ("CREATE TABLE records (kind INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,"
     " digest INTEGER NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID, STRICT;"),
    // Policies and decisions are kept. The same tables, but a vufd that does not know policies must
    // not open them: it would allow what they forbid.
    "SELECT 1;",
    // Reservations are kept: a vufd that does not know them must not leave a promise unkept.
    "SELECT 1;",
};
constexpr int64_t kVersion = std::size(kSteps);

absl::Status RunSteps(SqliteConnection& db, int64_t from) {
  for (int64_t step = from; step < kVersion; ++step) {
    if (absl::Status s = db.Execute(kSteps[step]); !s.ok()) return s;
  }
  if (absl::Status s = db.Execute(absl::StrCat("PRAGMA application_id=", kApplicationId));
      !s.ok()) {
    return s;
  }
  return db.Execute(absl::StrCat("PRAGMA user_version=", kVersion));
}

absl::Status InTransaction(SqliteConnection& db, int64_t from) {
  if (absl::Status s = db.Execute("BEGIN IMMEDIATE"); !s.ok()) return s;
  absl::Status status = RunSteps(db, from);
  if (status.ok()) status = db.Execute("COMMIT");
  // After an error SQLite may have rolled back by itself; a second time is harmless.
  if (!status.ok()) sqlite3_exec(db.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  return status;
}

}  // namespace

absl::Status CreateSchema(SqliteConnection& db) { return InTransaction(db, 0); }

absl::Status CheckSchema(SqliteConnection& db) {
  const absl::StatusOr<int64_t> id = db.QueryInt("PRAGMA application_id");
  if (!id.ok()) return id.status();
  const absl::StatusOr<int64_t> version = db.QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*id == kApplicationId && *version > kVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("the state was written by a newer vufd: its schema version is ", *version,
                     ", this vufd knows versions up to ", kVersion,
                     "; run that vufd again, or restore a backup from before the upgrade"));
  }
  // Damage first: a file with a broken header need not say truly whose it is.
  const absl::StatusOr<std::string> check = db.QueryText("PRAGMA quick_check(1)");
  if (!check.ok()) return check.status();
  if (*check != "ok") return absl::DataLossError(*check);
  if (*id != kApplicationId || *version < 1) {
    return absl::FailedPreconditionError(absl::StrCat(
        "this database is not vufd's (application id ", *id, ", schema version ", *version, ")"));
  }
  return absl::OkStatus();
}

absl::Status UpgradeSchema(SqliteConnection& db) {
  const absl::StatusOr<int64_t> version = db.QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  return *version == kVersion ? absl::OkStatus() : InTransaction(db, *version);
}

}  // namespace vuf
