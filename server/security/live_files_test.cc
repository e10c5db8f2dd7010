#include "server/security/live_files.h"

#include <fstream>
#include <future>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temp_directory.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LiveFilesTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(directory_.Path(name)) << text;
  }

  TempDirectory directory_;
  std::vector<std::string> taken_;
  std::vector<std::string> failures_;
  LiveFiles files_{{{"one", directory_.Path("1")}, {"two", directory_.Path("2")}},
                   [this](const std::vector<std::string>& contents) {
                     taken_.push_back(contents[0] + "+" + contents[1]);
                     return contents[0] == "bad" ? absl::InvalidArgumentError("bad one")
                                                 : absl::OkStatus();
                   },
                   [this](const absl::Status& why) { failures_.emplace_back(why.message()); }};
};

TEST_F(LiveFilesTest, TheFirstErrorIsTheCallers) {
  Write("1", "a");
  EXPECT_THAT(std::string(files_.Load().message()), HasSubstr("two \"" + directory_.Path("2")));
  EXPECT_THAT(failures_, IsEmpty());
}

TEST_F(LiveFilesTest, OnlyWhatHasChangedIsTaken) {
  Write("1", "a");
  Write("2", "b");
  ASSERT_TRUE(files_.Load().ok());
  files_.Poll();
  Write("2", "c");
  files_.Poll();
  files_.Poll();
  EXPECT_THAT(taken_, ElementsAre("a+b", "a+c"));
}

TEST_F(LiveFilesTest, EachFailureIsToldOnce) {
  Write("1", "a");
  Write("2", "b");
  ASSERT_TRUE(files_.Load().ok());
  Write("1", "bad");
  files_.Poll();
  files_.Poll();
  EXPECT_THAT(failures_, ElementsAre("bad one"));
  std::filesystem::remove(directory_.Path("1"));
  files_.Poll();
  files_.Poll();
  EXPECT_THAT(failures_, ElementsAre("bad one", HasSubstr("one \"")));
  Write("1", "a");
  files_.Poll();
  EXPECT_EQ(taken_.back(), "a+b");
}

TEST_F(LiveFilesTest, HugeFilesAreRefused) {
  Write("1", std::string(LiveFiles::kMaxBytes + 1, 'x'));
  Write("2", "b");
  EXPECT_THAT(std::string(files_.Load().message()), HasSubstr("larger than 1048576 bytes"));
}

TEST(PollerTest, PollsUntilItEnds) {
  std::promise<void> third;
  int polls = 0;
  {
    Poller poller(absl::Milliseconds(1), [&] {
      if (++polls == 3) third.set_value();
    });
    third.get_future().wait();
  }
  EXPECT_GE(polls, 3);
}

}  // namespace
}  // namespace vuf
