#include "server/service/paging.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace vuf {
namespace {

// The page of `keys`; `token` becomes that of the next one.
std::vector<std::string> Read(const std::vector<std::string>& keys, int size, std::string* token) {
  absl::StatusOr<Page> page = Page::Begin("List", size, *token);
  EXPECT_TRUE(page.ok()) << page.status();
  std::vector<std::string> taken;
  for (const std::string& key : keys) {
    if (page->Takes(key)) taken.push_back(key);
  }
  *token = page->NextToken();
  return taken;
}

using Keys = std::vector<std::string>;

TEST(PagingTest, GoesThroughEverythingOnce) {
  const Keys keys = {"a", "b", "c", "d", "e"};
  std::string token;
  EXPECT_EQ(Read(keys, 2, &token), Keys({"a", "b"}));
  EXPECT_EQ(Read(keys, 2, &token), Keys({"c", "d"}));
  EXPECT_EQ(Read(keys, 2, &token), Keys({"e"}));
  EXPECT_EQ(token, "");
}

TEST(PagingTest, AFullLastPageHasNoToken) {
  std::string token;
  EXPECT_EQ(Read({"a", "b"}, 2, &token), Keys({"a", "b"}));
  EXPECT_EQ(token, "");
}

TEST(PagingTest, TheKeyOfTheTokenMayBeGone) {
  std::string token;
  Read({"a", "b", "c"}, 2, &token);
  EXPECT_EQ(Read({"a", "aa", "bb", "c"}, 5, &token), Keys({"bb", "c"}));
}

TEST(PagingTest, SizesHaveLimits) {
  EXPECT_FALSE(Page::Begin("List", -1, "").ok());
  Keys many;
  for (int i = 1000; i < 3000; ++i) many.push_back(std::to_string(i));
  std::string token;
  EXPECT_EQ(Read(many, 0, &token).size(), 50u);
  token.clear();
  EXPECT_EQ(Read(many, 5000, &token).size(), 1000u);
}

TEST(PagingTest, TokensAreBoundToTheirRequest) {
  std::string token;
  Read({"a", "b"}, 1, &token);
  EXPECT_TRUE(Page::Begin("List", 7, token).ok());
  EXPECT_FALSE(Page::Begin("List x", 1, token).ok());
  // The last characters may hold padding bits only.
  for (size_t i = 0; i + 2 < token.size(); ++i) {
    std::string forged = token;
    forged[i] = forged[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(Page::Begin("List", 1, forged).ok()) << i;
  }
  EXPECT_FALSE(Page::Begin("List", 1, std::string(2000, 'A')).ok());
  EXPECT_FALSE(Page::Begin("List", 1, "?").ok());
}

}  // namespace
}  // namespace vuf
