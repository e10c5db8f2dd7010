#include "server/store/sqlite_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/base/log.h"
#include "server/store/sqlite_schema.h"
#include "server/store/wal_tail.h"

namespace vuf {
namespace {

// The number is stored: never change one.
int KindOf(Table table) {
  switch (table) {
    case Table::kVms:
      return 1;
    case Table::kEndpoints:
      return 2;
    case Table::kProfiles:
      return 3;
    case Table::kMigrations:
      return 4;
    case Table::kRequests:
      return 5;
    case Table::kSavedGuests:
      return 6;
    case Table::kPolicies:
      return 7;
    case Table::kPolicyRevisions:
      return 8;
    case Table::kAcknowledgements:
      return 9;
    case Table::kDecisions:
      return 10;
    case Table::kReservations:
      return 11;
  }
  return 0;
}

// FNV-1a over kind, key and value with their lengths: against accidents, not against attackers.
int64_t Digest(int kind, absl::string_view key, absl::string_view value) {
  uint64_t hash = 0xcbf29ce484222325;
  const std::string head = absl::StrCat(kind, ":", key.size(), ":");
  for (const absl::string_view part : {absl::string_view(head), key, value}) {
    for (const char c : part) {
      hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    }
  }
  return static_cast<int64_t>(hash);
}

absl::string_view Column(sqlite3_stmt* row, int column) {
  const void* const bytes = sqlite3_column_blob(row, column);
  const int size = sqlite3_column_bytes(row, column);
  return {static_cast<const char*>(bytes), static_cast<size_t>(size)};
}

absl::Status OsError(absl::string_view doing, const std::string& path) {
  const int error = errno;
  const std::string message = absl::StrCat("cannot ", doing, " \"", path, "\": ", strerror(error));
  return error == ENOSPC || error == EDQUOT ? absl::ResourceExhaustedError(message)
                                            : absl::InternalError(message);
}

// What stands in the way of a file that cannot be read, and what can be done about it.
absl::Status Explain(const absl::Status& status, const std::string& path) {
  if (!absl::IsDataLoss(status)) return status;
  return absl::DataLossError(absl::StrCat(
      "the state in \"", path, "\" is damaged and was left as it is: ", status.message(),
      ". Restore a backup, or move the file and its -wal file away to begin with nothing "
      "registered; a migration under way is then not remembered, so look at its VM first"));
}

// Makes the file under another name and moves it into place when it is complete and durable, so
// that an empty or half-made "vufd.db" is always damage and never a first start.
absl::Status CreateFile(const std::string& directory, const std::string& path) {
  const std::string fresh = path + ".new";
  for (const char* suffix : {"", "-journal", "-wal"}) unlink((fresh + suffix).c_str());
  const int fd = open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return OsError("create", fresh);
  close(fd);
  {
    absl::StatusOr<SqliteConnection> db = SqliteConnection::Open(fresh);
    if (!db.ok()) return db.status();
    // The default rollback journal with synchronous=FULL leaves a single, synced file.
    if (absl::Status s = db->Execute("PRAGMA synchronous=FULL"); !s.ok()) return s;
    if (absl::Status s = CreateSchema(*db); !s.ok()) return s;
  }
  if (rename(fresh.c_str(), path.c_str()) != 0) return OsError("create", path);
  return SyncDirectory(directory);
}

absl::Status EnsureFile(const std::string& directory, const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0) {
    if (!S_ISREG(info.st_mode)) {
      return absl::FailedPreconditionError(absl::StrCat("\"", path, "\" is not a regular file"));
    }
    if (info.st_size == 0) return Explain(absl::DataLossError("the file is empty"), path);
    return chmod(path.c_str(), 0600) == 0 ? absl::OkStatus() : OsError("chmod", path);
  }
  if (errno != ENOENT) return OsError("look at", path);
  if (access((path + "-wal").c_str(), F_OK) == 0) {
    return Explain(absl::DataLossError("the file is missing but its -wal file is there"), path);
  }
  return CreateFile(directory, path);
}

// Asks for a setting and makes sure that it is in force: SQLite ignores what it cannot do.
absl::Status Set(SqliteConnection& db, absl::string_view setting, absl::string_view value,
                 absl::string_view reads_as) {
  if (absl::Status s = db.Execute(absl::StrCat("PRAGMA ", setting, "=", value)); !s.ok()) return s;
  const absl::StatusOr<std::string> read = db.QueryText(absl::StrCat("PRAGMA ", setting));
  if (!read.ok()) return read.status();
  if (*read == reads_as) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("SQLite refused ", setting, "=", value, " and keeps ", *read));
}

void Report(const WalTail& tail, const std::string& path) {
  if (tail.torn_bytes == 0) return;
  Log(LogLevel::kWarning,
      "the state's log ended in the middle of a write, which was not acknowledged and is left out",
      {{"file", path + "-wal"},
       {"bytes", absl::StrCat(tail.torn_bytes)},
       {"pages_taken_over", absl::StrCat(tail.whole_frames)}});
}

absl::Status Prepare(SqliteConnection& db) {
  // Exclusive before anything is read: nobody else changes the file while the agent runs, and the
  // index of the write-ahead log is in memory instead of in a mapped file.
  if (absl::Status s = Set(db, "locking_mode", "EXCLUSIVE", "exclusive"); !s.ok()) return s;
  if (absl::Status s = CheckSchema(db); !s.ok()) return s;
  if (absl::Status s = Set(db, "journal_mode", "WAL", "wal"); !s.ok()) return s;
  // 2 is FULL: every commit is synced. With NORMAL a loss of power takes acknowledged records.
  if (absl::Status s = Set(db, "synchronous", "FULL", "2"); !s.ok()) return s;
  if (absl::Status s = UpgradeSchema(db); !s.ok()) return s;
  // From here on the file is known to be good: tidy up on close.
  sqlite3_db_config(db.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(const std::string& directory) {
  absl::StatusOr<DirectoryLock> lock = DirectoryLock::Acquire(directory);
  if (!lock.ok()) return lock.status();
  const std::string path = absl::StrCat(directory, "/vufd.db");
  if (absl::Status s = EnsureFile(directory, path); !s.ok()) return s;
  const absl::StatusOr<WalTail> tail = ReadWalTail(path + "-wal");
  if (!tail.ok()) return tail.status();
  absl::StatusOr<SqliteConnection> db = SqliteConnection::Open(path);
  if (!db.ok()) return Explain(db.status(), path);
  if (absl::Status s = Prepare(*db); !s.ok()) return Explain(s, path);
  Report(*tail, path);

  absl::StatusOr<SqliteStatement> read =
      db->Prepare("SELECT key, value, digest FROM records WHERE kind=?1 ORDER BY key");
  absl::StatusOr<SqliteStatement> upsert =
      db->Prepare("INSERT OR REPLACE INTO records (kind, key, value, digest) VALUES (?1,?2,?3,?4)");
  absl::StatusOr<SqliteStatement> remove =
      db->Prepare("DELETE FROM records WHERE kind=?1 AND key=?2");
  for (const absl::Status& s : {read.status(), upsert.status(), remove.status()}) {
    if (!s.ok()) return s;
  }
  return std::unique_ptr<SqliteStore>(
      new SqliteStore(path, *std::move(lock), *std::move(db),
                      {*std::move(read), *std::move(upsert), *std::move(remove)}));
}

SqliteStore::SqliteStore(std::string path, DirectoryLock lock, SqliteConnection db,
                         Statements statements)
    : path_(std::move(path)),
      lock_(std::move(lock)),
      db_(std::move(db)),
      statements_(std::move(statements)) {}

absl::StatusOr<std::vector<Record>> SqliteStore::ReadAll(Table table) {
  const int kind = KindOf(table);
  MutexLock lock(&mu_);
  sqlite3_stmt* const row = statements_.read.get();
  sqlite3_reset(row);
  sqlite3_bind_int(row, 1, kind);
  std::vector<Record> records;
  int result;
  while ((result = sqlite3_step(row)) == SQLITE_ROW) {
    const absl::string_view key = Column(row, 0), value = Column(row, 1);
    if (sqlite3_column_int64(row, 2) != Digest(kind, key, value)) {
      const absl::Status damaged =
          absl::DataLossError(absl::StrCat("record \"", key, "\" does not match its digest"));
      sqlite3_reset(row);
      return Explain(damaged, path_);
    }
    records.push_back({std::string(key), std::string(value)});
  }
  const absl::Status status = result == SQLITE_DONE ? absl::OkStatus() : db_.Error("read");
  sqlite3_reset(row);
  if (!status.ok()) return Explain(status, path_);
  return records;
}

absl::Status SqliteStore::Apply(const Change& change) {
  const int kind = KindOf(change.table);
  sqlite3_stmt* const statement =
      change.value.has_value() ? statements_.upsert.get() : statements_.remove.get();
  sqlite3_bind_int(statement, 1, kind);
  sqlite3_bind_text64(statement, 2, change.key.data(), change.key.size(), SQLITE_STATIC,
                      SQLITE_UTF8);
  if (change.value.has_value()) {
    sqlite3_bind_blob64(statement, 3, change.value->data(), change.value->size(), SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, Digest(kind, change.key, *change.value));
  }
  const int result = sqlite3_step(statement);
  const absl::Status status = result == SQLITE_DONE ? absl::OkStatus() : db_.Error("write");
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  return status;
}

absl::Status SqliteStore::Write(const std::vector<Change>& changes) {
  MutexLock lock(&mu_);
  errno = 0;
  absl::Status status = db_.Execute("BEGIN IMMEDIATE");
  for (const Change& change : changes) {
    if (!status.ok()) break;
    status = Apply(change);
  }
  if (status.ok()) status = db_.Execute("COMMIT");
  if (status.ok()) return status;
  // After some errors SQLite has rolled back by itself; then there is nothing left to do.
  if (sqlite3_get_autocommit(db_.get()) == 0) {
    sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  return Explain(status, path_);
}

}  // namespace vuf
