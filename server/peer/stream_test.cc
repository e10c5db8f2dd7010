#include "server/peer/stream.h"

#include <sys/socket.h>

#include <future>
#include <string>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kToken(kStreamTokenBytes, 't');

absl::Time In(absl::Duration time) { return absl::Now() + time; }

class StreamTest : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Families, StreamTest, testing::Values("127.0.0.1", "::1"));

TEST_P(StreamTest, WhoSaysTheTokenIsTaken) {
  const auto listener = StreamListener::Open(GetParam());
  ASSERT_TRUE(listener.ok()) << listener.status();
  const auto here = ConnectStream((*listener)->address(), kToken, In(absl::Seconds(20)));
  ASSERT_TRUE(here.ok()) << here.status();
  const auto there = (*listener)->Accept(kToken, In(absl::Seconds(20)));
  ASSERT_TRUE(there.ok()) << there.status();
  ASSERT_EQ(send(here->get(), "guest", 5, 0), 5);
  char got[6] = {};
  ASSERT_EQ(recv(there->get(), got, 5, MSG_WAITALL), 5);
  EXPECT_STREQ(got, "guest") << "not a byte of what follows the token was read";
}

TEST(StreamListenerTest, OthersAreClosed) {
  const auto listener = StreamListener::Open("127.0.0.1");
  const std::string& address = (*listener)->address();
  const auto stranger =
      ConnectStream(address, std::string(kStreamTokenBytes, 'x'), In(absl::Seconds(20)));
  const auto right = ConnectStream(address, kToken, In(absl::Seconds(20)));
  ASSERT_TRUE(stranger.ok() && right.ok());
  EXPECT_TRUE((*listener)->Accept(kToken, In(absl::Seconds(20))).ok());
  char byte;
  EXPECT_EQ(recv(stranger->get(), &byte, 1, MSG_DONTWAIT), 0) << "end of file";
}

TEST(StreamListenerTest, NobodyComes) {
  const auto listener = StreamListener::Open("127.0.0.1");
  const auto stream = (*listener)->Accept(kToken, In(absl::Milliseconds(50)));
  EXPECT_TRUE(absl::IsDeadlineExceeded(stream.status())) << stream.status();
}

TEST(StreamListenerTest, AnAddressThatIsNotThisHosts) {
  EXPECT_TRUE(absl::IsFailedPrecondition(StreamListener::Open("192.0.2.1").status()));
  EXPECT_THAT(std::string(StreamListener::Open("example").status().message()),
              HasSubstr("no numeric address"));
}

TEST(ConnectStreamTest, NobodyListens) {
  std::string address;
  { address = (*StreamListener::Open("127.0.0.1"))->address(); }
  const auto stream = ConnectStream(address, kToken, In(absl::Seconds(20)));
  EXPECT_TRUE(absl::IsUnavailable(stream.status())) << stream.status();
  EXPECT_THAT(std::string(stream.status().message()), StartsWith("the stream to 127.0.0.1:"));
}

TEST(ConnectStreamTest, NoAddress) {
  EXPECT_TRUE(
      absl::IsFailedPrecondition(ConnectStream("nowhere", kToken, In(absl::Seconds(1))).status()));
}

}  // namespace
}  // namespace vuf
