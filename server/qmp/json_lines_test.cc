#include "server/qmp/json_lines.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;

TEST(LineSplitter, GivesTheSameLinesHoweverTheBytesArrive) {
  const std::string stream = "{\"a\":1}\r\n\n{\"b\":2}\nrest";
  for (size_t step = 1; step <= stream.size(); ++step) {
    LineSplitter lines(100);
    std::vector<std::string> got;
    for (size_t at = 0; at < stream.size(); at += step) {
      ASSERT_TRUE(lines.Append(absl::string_view(stream).substr(at, step)).ok());
      while (auto line = lines.Next()) got.push_back(*line);
    }
    EXPECT_THAT(got, ::testing::ElementsAre("{\"a\":1}", "", "{\"b\":2}")) << "step " << step;
    EXPECT_EQ(lines.pending(), 4u);
  }
}

TEST(LineSplitter, ALineMayHaveTheLimitAndNoByteMore) {
  LineSplitter fits(10);
  EXPECT_TRUE(fits.Append("0123456789").ok());
  EXPECT_TRUE(fits.Append("\n0123456789").ok());
  EXPECT_TRUE(absl::IsResourceExhausted(fits.Append("x")));
  LineSplitter whole(10);
  EXPECT_TRUE(absl::IsResourceExhausted(whole.Append("0123456789a\n")));
}

TEST(ParseJsonObject, RefusesWhatIsNoObject) {
  for (const char* line : {"", "[]", "1", "\"QMP\"", "{", "{\"a\":}", "{} {}", "(qemu) ",
                           "HTTP/1.1 400 Bad Request", "{\"a\":\"\xff\"}"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseJsonObject(line).status())) << line;
  }
}

TEST(ParseJsonObject, BoundsTheDepth) {
  const auto nested = [](int levels) {
    return "{\"a\":" + std::string(levels - 1, '[') + std::string(levels - 1, ']') + "}";
  };
  EXPECT_TRUE(ParseJsonObject(nested(kMaxJsonDepth)).ok());
  EXPECT_FALSE(ParseJsonObject(nested(kMaxJsonDepth + 1)).ok());
  EXPECT_FALSE(ParseJsonObject(std::string(10000000, '[')).ok());
  EXPECT_TRUE(ParseJsonObject("{\"a\":\"" + std::string(1000, '[') + "\\\"[\"}").ok())
      << "brackets in a string are no nesting";
}

TEST(ParseJsonObject, QuotesWhatItGotInShortAndPrintable) {
  const std::string noise = "\x1b[31mnoise\x00" + std::string(100000, 'x');
  const absl::Status status = ParseJsonObject(noise).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("\\x1b[31mnoise"));
  EXPECT_LT(status.message().size(), 600u);
}

}  // namespace
}  // namespace vuf
