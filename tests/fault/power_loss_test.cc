// The state survives a loss of power at any operation on the disk: what was acknowledged is there,
// what was not is there as a whole or not at all, and a torn end is repaired and reported.
#include <algorithm>
#include <filesystem>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/store/sqlite_store.h"
#include "server/store/store_test_util.h"
#include "server/store/wal_tail.h"
#include "tests/fault/power_loss_vfs.h"

namespace vuf {
namespace {

constexpr int kRounds = 200;

// A change has two rows of some pages, so that half of it would be seen.
std::vector<Change> Numbered(int number) {
  const std::string key = absl::StrCat(number);
  const std::string value(static_cast<size_t>(100 + 97 * (number % 9)), 'v');
  return {{Table::kVms, key, value}, {Table::kMigrations, key, value}};
}

// Writes until the power goes off; returns how many were acknowledged, counted from 0.
int WriteUntilOff(SqliteStore& store, int first) {
  int number = first;
  while (store.Write(Numbered(number)).ok()) ++number;
  return number;
}

class PowerLossTest : public testing::Test {
 protected:
  PowerLossDisk& disk_ = PowerLossDisk::Get();
  std::mt19937 random_{20261125};
  const TempDir dir_;
  int torn_ = 0;

  // The rows after the power is back.
  std::map<std::string, std::string> Reopened() {
    disk_.Restore(random_);
    const absl::StatusOr<WalTail> tail = ReadWalTail(dir_.file("vufd.db-wal"));
    EXPECT_TRUE(tail.ok()) << tail.status();
    testing::internal::CaptureStderr();
    const auto store = MustOpen(dir_.path());
    const std::string said = testing::internal::GetCapturedStderr();
    const bool reported = said.find("ended in the middle of a write") != std::string::npos;
    EXPECT_EQ(reported, tail->torn_bytes > 0) << said;
    torn_ += reported ? 1 : 0;
    if (store == nullptr) return {};
    const auto vms = Rows(*store, Table::kVms);
    EXPECT_EQ(vms, Rows(*store, Table::kMigrations)) << "half a change was kept";
    return vms;
  }
};

TEST_F(PowerLossTest, WhatWasAcknowledgedIsThere) {
  { const auto store = MustOpen(dir_.path()); }
  int next = 0;
  int survived = 0;
  for (int round = 0; round < kRounds; ++round) {
    {
      const auto store = MustOpen(dir_.path());
      ASSERT_NE(store, nullptr);
      disk_.OffAt(1 + static_cast<int>(random_() % 120));
      next = WriteUntilOff(*store, next);
    }
    const auto rows = Reopened();
    bool all = true;
    for (int i = 0; i < next; ++i) all = all && rows.count(absl::StrCat(i)) > 0;
    ASSERT_TRUE(all) << "round " << round;
    ++survived;
    // The one that was under way may be there.
    if (rows.count(absl::StrCat(next)) > 0) ++next;
  }
  EXPECT_EQ(survived, kRounds);
  EXPECT_GT(next, kRounds) << "hardly anything was written";
  EXPECT_GT(torn_, 10) << "no end was ever torn, so this tests nothing";
  RecordProperty("acknowledged", next);
  RecordProperty("torn", torn_);
}

TEST_F(PowerLossTest, AFirstStartThatNeverEndedBeginsAnew) {
  for (int operation = 1; operation < 40; ++operation) {
    disk_.OffAt(operation);
    absl::StatusOr<std::unique_ptr<SqliteStore>> store = SqliteStore::Open(dir_.path());
    const bool opened = store.ok();
    if (opened) store->reset();
    disk_.Restore(random_);
    auto again = MustOpen(dir_.path());
    ASSERT_NE(again, nullptr) << "off before operation " << operation;
    EXPECT_TRUE(Rows(*again, Table::kVms).empty());
    again.reset();
    disk_.Restore(random_);
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
      std::filesystem::remove(entry);
    }
  }
}

// Not at random: every length that the log of one write can be cut to.
TEST_F(PowerLossTest, ALogThatIsTornAtAnyByteIsRepairedAndReported) {
  {
    const auto store = MustOpen(dir_.path());
    ASSERT_TRUE(store->Write(Numbered(0)).ok());
    disk_.OffAt(0);
    ASSERT_TRUE(store->Write(Numbered(1)).ok());
    std::filesystem::copy_file(dir_.file("vufd.db"), dir_.file("db"));
    std::filesystem::copy_file(dir_.file("vufd.db-wal"), dir_.file("wal"));
  }
  const std::string db = ReadFile(dir_.file("db")), wal = ReadFile(dir_.file("wal"));
  size_t reported = 0;
  std::string seen;
  for (size_t size = 0; size < wal.size(); size += 61) {
    disk_.Restore(random_);
    WriteFile(dir_.file("vufd.db"), db);
    WriteFile(dir_.file("vufd.db-wal"), wal.substr(0, size));
    torn_ = 0;
    const auto rows = Reopened();
    reported += static_cast<size_t>(torn_);
    seen += absl::StrCat(rows.size());
    EXPECT_EQ(rows.count("1"), rows.size() == 2 ? 1u : 0u) << size << " of " << wal.size();
  }
  // None, then the first, then both: what is whole is never left out.
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end())) << seen;
  EXPECT_EQ(seen.front(), '0');
  EXPECT_NE(seen.find('1'), std::string::npos) << seen;
  EXPECT_EQ(seen.back(), '2');
  EXPECT_GT(reported, wal.size() / 61 / 2);
}

}  // namespace
}  // namespace vuf
