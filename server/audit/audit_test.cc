// The audit log as it is on disk: that it is all there, and that tampering is found.
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/audit/file_audit_log.h"
#include "server/audit/verify.h"
#include "tests/testing/temp_directory.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class AuditTest : public ::testing::Test {
 protected:
  // About three records per file.
  std::unique_ptr<FileAuditLog> Open(uint64_t files = 100) {
    FileAuditLog::Options options;
    options.directory = directory();
    options.file_bytes = 900;
    options.files = files;
    auto log = FileAuditLog::Open(options, &clock_);
    EXPECT_TRUE(log.ok()) << log.status();
    return *std::move(log);
  }
  AuditRecord Record(int i) {
    return {clock_.Now(),
            "spiffe://test/a",
            "vuf.v1.VmService/RemoveVm",
            absl::StrCat("vms/", i),
            absl::StrCat("request-", i),
            "OK",
            ""};
  }
  void Write(int count) {
    const auto log = Open();
    for (int i = 0; i < count; ++i) ASSERT_TRUE(log->Append(Record(i)).ok());
  }

  std::string directory() const { return directory_.Path("audit"); }
  std::string File(int number) const {
    return absl::StrCat(directory(), "/", AuditFileName(static_cast<uint64_t>(number)));
  }
  static std::string Read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  static void Put(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  }
  std::vector<std::string> Lines(int file) { return absl::StrSplit(Read(File(file)), '\n'); }
  void PutLines(int file, const std::vector<std::string>& lines) {
    Put(File(file), absl::StrJoin(lines, "\n"));
  }

  AuditReport Verify(const std::string& expected = "") {
    records_.clear();
    const auto report = VerifyAudit(directory(), expected, [this](const AuditLine& line) {
      if (line.kind == AuditLine::Kind::kCall) records_.push_back(line.record);
    });
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(AuditReport());
  }
  std::vector<std::string> Problems() { return Verify().problems; }

  TempDirectory directory_;
  FakeClock clock_{absl::FromUnixMicros(1'700'000'000'123'456)};
  std::vector<AuditRecord> records_;
};

TEST_F(AuditTest, WhatWasWrittenIsReadAsItWas) {
  Write(10);
  const AuditReport report = Verify();
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_EQ(report.records, 10u);
  EXPECT_GE(report.files, 3u);
  ASSERT_EQ(records_.size(), 10u);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(records_[static_cast<size_t>(i)], Record(i));
}

TEST_F(AuditTest, RestartGoesOnWithTheChain) {
  for (int i = 0; i < 8; ++i) Write(1);
  const AuditReport report = Verify();
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_EQ(report.records, 8u);
  EXPECT_LT(report.files, 8u);
}

TEST_F(AuditTest, OnlyTheOwnerReadsIt) {
  Write(1);
  struct stat info = {};
  ASSERT_EQ(stat(directory().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  ASSERT_EQ(stat(File(1).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(AuditTest, WhatACallerSendsCannotMakeALineOfItsOwn) {
  AuditRecord record = Record(1);
  record.resource = "vms/a\"}\n0000 {\"kind\":\"next\"}\xff";
  record.message = std::string(100000, 'x');
  ASSERT_TRUE(Open()->Append(record).ok());
  EXPECT_THAT(Problems(), IsEmpty());
  ASSERT_EQ(records_.size(), 1u);
  EXPECT_THAT(records_[0].resource, StartsWith("vms/a\"}\n0000 {"));
  EXPECT_EQ(records_[0].message.size(), kMaxAuditText);
}

TEST_F(AuditTest, OldestFilesGoAndTheRestIsWhole) {
  const auto log = Open(3);
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(log->Append(Record(i)).ok());
  const AuditReport report = Verify();
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_EQ(report.files, 3u);
  EXPECT_EQ(records_.back(), Record(29));
}

TEST_F(AuditTest, FileRemovedFromThoseThatAreKeptIsFound) {
  {
    const auto log = Open(3);
    for (int i = 0; i < 30; ++i) ASSERT_TRUE(log->Append(Record(i)).ok());
  }
  const auto files = AuditFiles(directory());
  ASSERT_EQ(files->size(), 3u);
  const std::vector<std::string> kept = {File(static_cast<int>((*files)[0])),
                                         File(static_cast<int>((*files)[1])),
                                         File(static_cast<int>((*files)[2]))};
  for (const std::string& path : kept) {
    const std::string text = Read(path);
    std::filesystem::remove(path);
    const std::string name = std::filesystem::path(path).filename();
    EXPECT_THAT(Problems(), ElementsAre(StartsWith(name + ": the file is missing"))) << name;
    Put(path, text);
  }
  EXPECT_THAT(Problems(), IsEmpty());
}

TEST_F(AuditTest, EveryChangedByteIsFoundWithItsPlace) {
  Write(8);
  const std::string text = Read(File(2));
  size_t line = 1;
  for (size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    Put(File(2), changed);
    const std::vector<std::string> problems = Problems();
    ASSERT_THAT(problems, Not(IsEmpty())) << "byte " << i;
    EXPECT_THAT(problems.front(), StartsWith("audit-0000000")) << "byte " << i;
    // A hash is also what the next line rests on; a newline joins two lines.
    if (text[i] != '\n') {
      EXPECT_THAT(problems.front(), HasSubstr(absl::StrCat("audit-00000002.log line ", line, ":")));
    }
    if (text[i] == '\n') ++line;
  }
}

TEST_F(AuditTest, EveryLineThatIsTakenOutPutInTwiceOrMovedIsFound) {
  Write(8);
  const std::vector<std::string> lines = Lines(2);
  ASSERT_GE(lines.size(), 5u);
  for (size_t i = 0; i + 1 < lines.size(); ++i) {
    std::vector<std::string> changed = lines;
    changed.erase(changed.begin() + static_cast<long>(i));
    PutLines(2, changed);
    EXPECT_THAT(Problems(), Not(IsEmpty())) << "without line " << i + 1;
    changed = lines;
    changed.insert(changed.begin() + static_cast<long>(i), lines[i]);
    PutLines(2, changed);
    EXPECT_THAT(Problems(), Not(IsEmpty())) << "twice line " << i + 1;
    changed = lines;
    std::swap(changed[i], changed[(i + 1) % (lines.size() - 1)]);
    PutLines(2, changed);
    EXPECT_THAT(Problems(), Not(IsEmpty())) << "swapped line " << i + 1;
  }
  PutLines(2, lines);
  EXPECT_THAT(Problems(), IsEmpty());
}

TEST_F(AuditTest, TakingAwayTheEndIsFoundByAHashThatWasNoted) {
  Write(8);
  const std::string noted = Verify().head;
  EXPECT_TRUE(Verify(noted).has_expected);
  const auto files = AuditFiles(directory());
  std::vector<std::string> lines = Lines(static_cast<int>(files->back()));
  lines.erase(lines.end() - 2);
  PutLines(static_cast<int>(files->back()), lines);
  EXPECT_THAT(Verify(noted).problems, IsEmpty());
  EXPECT_FALSE(Verify(noted).has_expected);
}

TEST_F(AuditTest, WhatACrashLeftOfALineIsCutOff) {
  Write(1);
  const std::string whole = Read(File(1));
  Put(File(1), whole + whole.substr(0, 100));
  EXPECT_THAT(Problems(), IsEmpty());
  Write(1);
  EXPECT_THAT(Problems(), IsEmpty());
  EXPECT_EQ(records_.size(), 2u);
}

TEST_F(AuditTest, DamagedEndIsNeitherRepairedNorAHindrance) {
  Write(1);
  Put(File(1), Read(File(1)) + "nonsense\n");
  Write(1);
  EXPECT_THAT(Problems().front(), HasSubstr("audit-00000001.log line 3: is no line"));
  EXPECT_EQ(records_.size(), 2u);
}

TEST_F(AuditTest, EmptyDirectoryIsNoWholeLog) {
  std::filesystem::create_directory(directory());
  EXPECT_TRUE(absl::IsNotFound(VerifyAudit(directory(), "").status()));
}

TEST_F(AuditTest, WriteThatFailsLeavesNothingAndTheNextOneWorks) {
  const auto log = Open();
  ASSERT_TRUE(log->Append(Record(0)).ok());
  rlimit before = {};
  getrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, SIG_IGN);
  const rlimit full = {Read(File(1)).size() + 50, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &full);
  EXPECT_TRUE(absl::IsUnavailable(log->Append(Record(1))));
  EXPECT_FALSE(log->Ready().ok());
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_TRUE(log->Ready().ok());
  ASSERT_TRUE(log->Append(Record(2)).ok());
  EXPECT_THAT(Problems(), IsEmpty());
  EXPECT_THAT(records_, ElementsAre(Record(0), Record(2)));
}

}  // namespace
}  // namespace vuf
