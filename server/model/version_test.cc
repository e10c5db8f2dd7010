#include "server/model/version.h"

#include "gtest/gtest.h"

namespace vuf {
namespace {

TEST(VersionTest, ReadsWhatQemuAndBackEndsPrint) {
  EXPECT_EQ(Version::Parse("10.0.13"), (Version{10, 0, 13}));
  EXPECT_EQ(Version::Parse("1.14"), (Version{1, 14, 0}));
  EXPECT_EQ(Version::Parse("7"), (Version{7, 0, 0}));
  EXPECT_EQ(Version::Parse("7.2.22 (Debian 1:7.2+dfsg)"), (Version{7, 2, 22}));
  EXPECT_EQ(Version::Parse("1.13.2-dev"), (Version{1, 13, 2}));
}

TEST(VersionTest, GuessesNothing) {
  for (const char* text : {"", ".", "1.", "1..2", "1.2.3.4", "v1", "1.-2", "1.x", "99999999999"}) {
    EXPECT_EQ(Version::Parse(text), std::nullopt) << text;
  }
}

TEST(VersionTest, OrdersByNumber) {
  EXPECT_LT((Version{1, 9, 0}), (Version{1, 10, 0}));
  EXPECT_LT((Version{9, 2, 9}), (Version{10, 0, 0}));
}

}  // namespace
}  // namespace vuf
