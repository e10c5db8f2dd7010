// Shared by the store's tests.
#ifndef VUFD_SERVER_STORE_STORE_TEST_UTIL_H_
#define VUFD_SERVER_STORE_STORE_TEST_UTIL_H_

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/store/sqlite_store.h"

namespace vuf {

class TempDir {
 public:
  TempDir() : path_(testing::TempDir() + "/store.XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) abort();
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

inline std::unique_ptr<SqliteStore> MustOpen(const std::string& directory) {
  absl::StatusOr<std::unique_ptr<SqliteStore>> store = SqliteStore::Open(directory);
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

inline std::map<std::string, std::string> Rows(Store& store, Table table) {
  std::map<std::string, std::string> rows;
  const absl::StatusOr<std::vector<Record>> records = store.ReadAll(table);
  EXPECT_TRUE(records.ok()) << records.status();
  if (records.ok()) {
    for (const Record& record : *records) rows[record.key] = record.value;
  }
  return rows;
}

}  // namespace vuf

#endif  // VUFD_SERVER_STORE_STORE_TEST_UTIL_H_
