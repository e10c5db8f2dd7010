// This process plays the back-end.
#include "server/discovery/open_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/testing/temp_directory.h"

namespace vuf {
namespace {

TEST(IsUtf8Test, TakesWhatIsAndRefusesWhatIsNot) {
  for (const char* good : {"", "a/b", "\x7f", "\xc3\xa9", "\xe2\x82\xac", "\xed\x9f\xbf",
                           "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsUtf8(good)) << good;
  }
  for (const char* bad :
       {"\x80", "\xc3", "\xc3(", "\xc0\x80", "\xe2\x82", "\xe0\x9f\xbf", "\xed\xa0\x80",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "ok\xe9"}) {
    EXPECT_FALSE(IsUtf8(bad)) << bad;
  }
}

class OpenFilesTest : public ::testing::Test {
 protected:
  OpenFilesTest() { mkdir((dir_ + "/share").c_str(), 0755); }
  ~OpenFilesTest() override {
    for (const int fd : fds_) close(fd);
  }

  // In the directory of the test.
  void Open(const std::string& name) {
    fds_.push_back(open(absl::StrCat(dir_, "/", name).c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    ASSERT_GE(fds_.back(), 0) << name;
  }
  void Delete(const std::string& name) {
    ASSERT_EQ(unlink(absl::StrCat(dir_, "/", name).c_str()), 0) << name;
  }
  Tree Share() {
    return {procfs_.RealPath(getpid(), dir_ + "/share").value(),
            {LookAt(dir_ + "/share")->mount_id.value()}};
  }
  OpenFileFacts Look() {
    return LookAtOpenFiles(procfs_, getpid(), Share(), absl::Now() + absl::Minutes(1)).value();
  }

  TempDirectory directory_;
  const std::string& dir_ = directory_.path();
  Procfs procfs_;
  std::vector<int> fds_;
};

TEST_F(OpenFilesTest, CountsFilesWithoutAName) {
  Open("share/kept");
  Open("share/gone");
  Open("share/gone too");
  Open("beside");
  Delete("share/gone");
  Delete("share/gone too");
  Delete("beside");
  const OpenFileFacts facts = Look();
  EXPECT_EQ(facts.deleted, 2u);
  EXPECT_EQ(facts.deleted_example, "gone too");
  EXPECT_EQ(facts.not_utf8, 0u);
  EXPECT_GE(facts.looked_at, 4u);
}

TEST_F(OpenFilesTest, AFileWithAnotherNameLeftIsNotLost) {
  Open("share/one");
  ASSERT_EQ(link((dir_ + "/share/one").c_str(), (dir_ + "/share/two").c_str()), 0);
  Delete("share/one");
  EXPECT_EQ(Look().deleted, 0u);
}

TEST_F(OpenFilesTest, AFileMayBeCalledDeleted) {
  Open("share/one (deleted)");
  EXPECT_EQ(Look().deleted, 0u);
}

TEST_F(OpenFilesTest, CountsNamesThatAreNotUtf8BelowTheShareOnly) {
  Open("beside\xff");
  EXPECT_EQ(Look().not_utf8, 0u);
  Open("share/caf\xe9");
  Open("share/caf\xc3\xa9");
  EXPECT_EQ(Look().not_utf8, 1u);
}

TEST_F(OpenFilesTest, OtherMountsWithTheSamePathsDoNotCount) {
  Open("share/gone");
  Delete("share/gone");
  Tree tree = Share();
  tree.mount_ids = {uint64_t{1} << 60};
  EXPECT_EQ(LookAtOpenFiles(procfs_, getpid(), tree, absl::InfiniteFuture())->deleted, 0u);
}

TEST_F(OpenFilesTest, WithoutTimeNothingIsKnown) {
  EXPECT_FALSE(LookAtOpenFiles(procfs_, getpid(), Share(), absl::InfinitePast()).ok());
  EXPECT_FALSE(CountDescriptors(procfs_, getpid(), absl::InfinitePast()).ok());
}

TEST_F(OpenFilesTest, CountsDescriptors) {
  const uint64_t before = CountDescriptors(procfs_, getpid(), absl::InfiniteFuture()).value();
  Open("share/one");
  Open("share/two");
  EXPECT_EQ(CountDescriptors(procfs_, getpid(), absl::InfiniteFuture()).value(), before + 2);
}

}  // namespace
}  // namespace vuf
