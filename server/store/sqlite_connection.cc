#include "server/store/sqlite_connection.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace vuf {
namespace {

bool NoSpace(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

}  // namespace

absl::StatusOr<SqliteConnection> SqliteConnection::Open(const std::string& path) {
  sqlite3* db = nullptr;
  const int result =
      sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  SqliteConnection connection(db, path);
  if (db == nullptr) return absl::ResourceExhaustedError("no memory for SQLite");
  if (result != SQLITE_OK) return connection.Error("open");
  sqlite3_extended_result_codes(db, 1);
  sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  return connection;
}

absl::Status SqliteConnection::Execute(const std::string& sql) {
  if (sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return Error(sql);
  }
  return absl::OkStatus();
}

absl::StatusOr<SqliteStatement> SqliteConnection::Prepare(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db_.get(), sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
    return Error(sql);
  }
  return SqliteStatement(statement);
}

absl::StatusOr<std::string> SqliteConnection::QueryText(const std::string& sql) {
  absl::StatusOr<SqliteStatement> statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  if (sqlite3_step(statement->get()) != SQLITE_ROW) return Error(sql);
  const unsigned char* const text = sqlite3_column_text(statement->get(), 0);
  return std::string(text == nullptr ? "" : reinterpret_cast<const char*>(text));
}

absl::StatusOr<int64_t> SqliteConnection::QueryInt(const std::string& sql) {
  absl::StatusOr<SqliteStatement> statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  if (sqlite3_step(statement->get()) != SQLITE_ROW) return Error(sql);
  return sqlite3_column_int64(statement->get(), 0);
}

absl::Status SqliteConnection::Error(absl::string_view doing) const {
  // SQLite does not remember the system's error of a failed COMMIT: errno still has it.
  const int last_error = errno;
  const int code = sqlite3_extended_errcode(db_.get());
  const int saved_error = sqlite3_system_errno(db_.get());
  const int os_error = saved_error != 0 ? saved_error : last_error;
  std::string message = absl::StrCat("\"", path_, "\": ", doing, ": ", sqlite3_errmsg(db_.get()));
  const int primary = code & 0xff;
  if (primary == SQLITE_FULL || (primary == SQLITE_IOERR && NoSpace(os_error))) {
    return absl::ResourceExhaustedError(
        absl::StrCat(message, ": no space left for the state: free some and try again"));
  }
  if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB) return absl::DataLossError(message);
  if (primary == SQLITE_BUSY) {
    return absl::FailedPreconditionError(
        absl::StrCat(message, ": another program has the file open: end it"));
  }
  if (primary == SQLITE_IOERR && os_error != 0) absl::StrAppend(&message, ": ", strerror(os_error));
  return absl::InternalError(absl::StrCat(message, " (SQLite ", code, ")"));
}

}  // namespace vuf
