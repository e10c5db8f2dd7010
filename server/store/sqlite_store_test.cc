#include "server/store/sqlite_store.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "server/store/store_test_util.h"

namespace vuf {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

std::string Message(const absl::StatusOr<std::unique_ptr<SqliteStore>>& store) {
  return std::string(store.status().message());
}

TEST(SqliteStoreTest, WhatWasWrittenIsThereAfterReopen) {
  const TempDir dir;
  const std::string binary("a\0b\xff", 4);
  {
    const auto store = MustOpen(dir.path());
    ASSERT_TRUE(store
                    ->Write({{Table::kVms, "vms/b", binary},
                             {Table::kVms, "vms/a", ""},
                             {Table::kEndpoints, "vms/a", "other table"}})
                    .ok());
    ASSERT_TRUE(store->Write({{Table::kVms, "vms/c", "gone"}}).ok());
    ASSERT_TRUE(
        store->Write({{Table::kVms, "vms/c", std::nullopt}, {Table::kVms, "vms/a", "two"}}).ok());
  }
  const auto store = MustOpen(dir.path());
  EXPECT_THAT(Rows(*store, Table::kVms), ElementsAre(Pair("vms/a", "two"), Pair("vms/b", binary)));
  EXPECT_THAT(Rows(*store, Table::kEndpoints), ElementsAre(Pair("vms/a", "other table")));
  EXPECT_THAT(Rows(*store, Table::kMigrations), IsEmpty());
}

// Stored digests are checked by later builds.
TEST(SqliteStoreTest, DigestIsTheSameInEveryBuild) {
  const TempDir dir;
  ASSERT_TRUE(MustOpen(dir.path())->Write({{Table::kVms, "vms/a", "x"}}).ok());
  absl::StatusOr<SqliteConnection> db = SqliteConnection::Open(dir.file("vufd.db"));
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_EQ(*db->QueryInt("SELECT digest FROM records"), -4770678681184544929);
}

TEST(SqliteStoreTest, RecordsAreOrderedByKey) {
  const TempDir dir;
  const auto store = MustOpen(dir.path());
  for (const char* key : {"m", "a", "z", "B"}) {
    ASSERT_TRUE(store->Write({{Table::kProfiles, key, "v"}}).ok());
  }
  const auto records = store->ReadAll(Table::kProfiles);
  ASSERT_TRUE(records.ok()) << records.status();
  std::vector<std::string> keys;
  for (const Record& record : *records) keys.push_back(record.key);
  EXPECT_THAT(keys, ElementsAre("B", "a", "m", "z"));
}

TEST(SqliteStoreTest, OnlyTheOwnerMayReadTheFiles) {
  const TempDir dir;
  const mode_t old = umask(0);
  const auto store = MustOpen(dir.path());
  ASSERT_TRUE(store->Write({{Table::kVms, "a", "1"}}).ok());
  umask(old);
  for (const char* name : {"vufd.db", "vufd.db-wal", "vufd.lock"}) {
    struct stat info;
    ASSERT_EQ(stat(dir.file(name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << name;
  }
}

TEST(SqliteStoreTest, SecondOwnerIsRefusedAndToldWhoTheFirstIs) {
  const TempDir dir;
  auto first = MustOpen(dir.path());
  const auto second = SqliteStore::Open(dir.path());
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status()));
  EXPECT_THAT(Message(second), AllOf(HasSubstr(dir.path()), HasSubstr("in use by another vufd"),
                                     HasSubstr(absl::StrCat("pid ", getpid()))));
  first.reset();
  EXPECT_TRUE(SqliteStore::Open(dir.path()).ok());
}

TEST(SqliteStoreTest, OtherProgramsCannotWriteWhileItIsOpen) {
  const TempDir dir;
  const auto store = MustOpen(dir.path());
  sqlite3* intruder = nullptr;
  ASSERT_EQ(sqlite3_open(dir.file("vufd.db").c_str(), &intruder), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(intruder, "DELETE FROM records", nullptr, nullptr, nullptr), SQLITE_BUSY);
  sqlite3_close(intruder);
}

TEST(SqliteStoreTest, MissingDirectoryIsNamed) {
  const TempDir dir;
  const auto store = SqliteStore::Open(dir.file("none"));
  EXPECT_TRUE(absl::IsNotFound(store.status()));
  EXPECT_THAT(Message(store), AllOf(HasSubstr(dir.file("none")), HasSubstr("create it")));
}

TEST(SqliteStoreTest, FileInPlaceOfTheDirectoryIsRefused) {
  const TempDir dir;
  WriteFile(dir.file("f"), "x");
  const auto store = SqliteStore::Open(dir.file("f"));
  EXPECT_TRUE(absl::IsFailedPrecondition(store.status()));
  EXPECT_THAT(Message(store), HasSubstr("is not a directory"));
}

TEST(SqliteStoreTest, DirectoryThatMayNotBeWrittenIsRefused) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  const TempDir dir;
  chmod(dir.path().c_str(), 0500);
  const auto store = SqliteStore::Open(dir.path());
  chmod(dir.path().c_str(), 0700);
  EXPECT_TRUE(absl::IsPermissionDenied(store.status()));
  EXPECT_THAT(Message(store), HasSubstr("must be readable and writable"));
}

TEST(SqliteStoreTest, ConcurrentCallersAllGetTheirRecords) {
  const TempDir dir;
  const auto store = MustOpen(dir.path());
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer) {
    writers.emplace_back([&store, writer] {
      for (int i = 0; i < 25; ++i) {
        const std::string key = absl::StrCat(writer, "-", i);
        EXPECT_TRUE(store->Write({{Table::kMigrations, key, key}}).ok());
        EXPECT_TRUE(store->ReadAll(Table::kVms).ok());
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(Rows(*store, Table::kMigrations).size(), 100u);
}

}  // namespace
}  // namespace vuf
