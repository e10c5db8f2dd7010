// What happens to a state file that is not what it should be, and on a full disk.
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include "absl/strings/str_cat.h"
#include "server/store/sqlite_connection.h"
#include "server/store/sqlite_store.h"
#include "server/store/store_test_util.h"

namespace vuf {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

class SqliteStoreDamageTest : public testing::Test {
 protected:
  SqliteStoreDamageTest() : db_(dir_.file("vufd.db")) {
    const auto store = MustOpen(dir_.path());
    std::vector<Change> changes;
    for (int i = 0; i < 500; ++i) {
      changes.push_back({Table::kVms, absl::StrCat("vms/", i), std::string(200, 'v')});
    }
    EXPECT_TRUE(store->Write(changes).ok());
  }

  // Reads everything, as the agent does at its start.
  absl::Status Start() {
    const auto store = SqliteStore::Open(dir_.path());
    if (!store.ok()) return store.status();
    return (*store)->ReadAll(Table::kVms).status();
  }

  void Sql(const std::string& sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(db_.c_str(), &db), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(db);
    sqlite3_close(db);
  }

  const TempDir dir_;
  const std::string db_;
};

TEST_F(SqliteStoreDamageTest, UnspoiledFileOpens) { EXPECT_TRUE(Start().ok()) << Start(); }

TEST_F(SqliteStoreDamageTest, DamageAnywhereIsDataLossAndTheFileStaysAsItIs) {
  const std::string good = ReadFile(db_);
  // The header, a page's structure, and the middle of a value.
  for (const size_t offset :
       {size_t{0}, size_t{16}, size_t{100}, size_t{4096}, good.size() / 2, good.size() - 100}) {
    std::string bad = good;
    for (size_t i = offset; i < offset + 24; ++i) bad[i] = static_cast<char>(~bad[i]);
    WriteFile(db_, bad);
    const absl::Status status = Start();
    EXPECT_TRUE(absl::IsDataLoss(status)) << offset << ": " << status;
    EXPECT_THAT(Message(status),
                AllOf(HasSubstr(db_), HasSubstr("left as it is"), HasSubstr("Restore a backup")));
    EXPECT_EQ(ReadFile(db_), bad) << offset;
  }
}

TEST_F(SqliteStoreDamageTest, OneFlippedBitInAValueIsDataLoss) {
  std::string bytes = ReadFile(db_);
  bytes[bytes.rfind("vvvvvvvv")] ^= 1;
  WriteFile(db_, bytes);
  const absl::Status status = Start();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr("does not match its digest"));
}

TEST_F(SqliteStoreDamageTest, TruncatedFileIsDataLoss) {
  const std::string good = ReadFile(db_);
  for (const size_t size : {size_t{0}, size_t{50}, size_t{4096}, good.size() - 4096}) {
    WriteFile(db_, good.substr(0, size));
    const absl::Status status = Start();
    EXPECT_TRUE(absl::IsDataLoss(status)) << size << ": " << status;
    EXPECT_EQ(ReadFile(db_), good.substr(0, size));
  }
}

TEST_F(SqliteStoreDamageTest, LogWithoutItsFileIsDataLoss) {
  ASSERT_EQ(rename(db_.c_str(), (db_ + "-wal").c_str()), 0);
  EXPECT_TRUE(absl::IsDataLoss(Start()));
  EXPECT_FALSE(std::filesystem::exists(db_));
}

TEST_F(SqliteStoreDamageTest, NewerSchemaIsRefusedAndUntouched) {
  Sql("PRAGMA user_version=7");
  const std::string before = ReadFile(db_);
  const absl::Status status = Start();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(Message(status), AllOf(HasSubstr("newer vufd"), HasSubstr("schema version is 7")));
  EXPECT_EQ(ReadFile(db_), before);
}

// One from before policies: it is taken over, and from then on that vufd refuses it.
TEST_F(SqliteStoreDamageTest, AnOlderSchemaIsTakenOver) {
  Sql("PRAGMA user_version=1");
  EXPECT_TRUE(Start().ok()) << Start();
  EXPECT_EQ(*SqliteConnection::Open(db_)->QueryInt("PRAGMA user_version"), 3);
}

TEST_F(SqliteStoreDamageTest, AnotherProgramsDatabaseIsRefused) {
  Sql("PRAGMA application_id=1");
  const absl::Status status = Start();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr("not vufd's"));
}

TEST_F(SqliteStoreDamageTest, LeftoversOfAnInterruptedCreationDoNotMatter) {
  const TempDir fresh;
  WriteFile(fresh.file("vufd.db.new"), "half");
  WriteFile(fresh.file("vufd.db.new-journal"), "half");
  const auto store = MustOpen(fresh.path());
  EXPECT_TRUE(store->Write({{Table::kVms, "a", "1"}}).ok());
}

// A limit on the size of files stands for the full disk.
TEST_F(SqliteStoreDamageTest, FullDiskIsSaidAndNothingOfTheChangeIsKept) {
  const auto store = MustOpen(dir_.path());
  signal(SIGXFSZ, SIG_IGN);
  rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  rlimit small = old;
  small.rlim_cur = 256 * 1024;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  absl::Status status;
  int written = 0;
  for (; written < 1000 && status.ok(); ++written) {
    status = store->Write({{Table::kRequests, absl::StrCat("half", written), "x"},
                           {Table::kRequests, absl::StrCat(written), std::string(5000, 'x')}});
  }
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr("no space left"));
  const size_t whole = static_cast<size_t>(written - 1) * 2;
  EXPECT_EQ(Rows(*store, Table::kRequests).size(), whole);
  EXPECT_TRUE(store->Write({{Table::kRequests, "space again", "x"}}).ok());
  EXPECT_EQ(Rows(*store, Table::kRequests).size(), whole + 1);
}

}  // namespace
}  // namespace vuf
