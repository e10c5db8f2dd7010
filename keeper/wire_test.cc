#include "keeper/wire.h"

#include <sys/socket.h>

#include <cstring>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "keeper/testing/descriptors.h"

namespace vuf::keeper {
namespace {

using Got = Connection::Got;

std::string Bytes(const Message& message) {
  std::string out(reinterpret_cast<const char*>(&message.header), sizeof(Header));
  out.append(reinterpret_cast<const char*>(message.payload.data()), message.header.size);
  return out;
}

class WireTest : public testing::Test {
 protected:
  WireTest() {
    auto [here, there] = SocketPair();
    connection_ = Connection(std::move(here));
    peer_ = std::move(there);
  }

  // Sends `bytes` as they are, with `count` descriptors.
  void SendRaw(const std::string& bytes, size_t count = 0) {
    std::vector<int> raw(count, event_.get());
    std::vector<char> buffer(CMSG_SPACE(count * sizeof(int)));
    iovec part = {const_cast<char*>(bytes.data()), bytes.size()};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (count > 0) {
      message.msg_control = buffer.data();
      message.msg_controllen = buffer.size();
      cmsghdr* const c = CMSG_FIRSTHDR(&message);
      c->cmsg_level = SOL_SOCKET;
      c->cmsg_type = SCM_RIGHTS;
      c->cmsg_len = CMSG_LEN(count * sizeof(int));
      memcpy(CMSG_DATA(c), raw.data(), count * sizeof(int));
    }
    ASSERT_EQ(sendmsg(peer_.get(), &message, MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  Got Receive() { return connection_.Receive(message_); }

  const Message example_ = Message::Make(kSetVringNum, VringState{3, 1024}, kVersion | kNeedReply);
  Fd event_ = EventFd();
  Connection connection_;
  Fd peer_;
  Message message_;
};

TEST_F(WireTest, MessageGoesThereAndBackWithItsDescriptors) {
  Connection other(std::move(peer_));
  Message out = Message::Make(kSetVringKick, uint64_t{7}, kVersion | kNeedReply);
  out.Add(event_.Duplicate());
  ASSERT_TRUE(other.Send(out));
  ASSERT_EQ(Receive(), Got::kMessage);
  EXPECT_EQ(message_.header.request, kSetVringKick);
  EXPECT_TRUE(message_.need_reply());
  uint64_t value = 0;
  ASSERT_TRUE(message_.Get(value));
  EXPECT_EQ(value, 7u);
  ASSERT_EQ(message_.fd_count, 1u);
  EXPECT_TRUE(SameEvent(message_.fds[0], event_));
  EXPECT_NE(fcntl(message_.fds[0].get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(Receive(), Got::kNothing);
}

TEST_F(WireTest, WrongSizeIsNotRead) {
  Message out = Message::Make(kSetFeatures, uint64_t{1});
  uint32_t small;
  EXPECT_FALSE(out.Get(small));
  out.header.size = 7;
  uint64_t value;
  EXPECT_FALSE(out.Get(value));
}

TEST_F(WireTest, ArrivesByteByByte) {
  const std::string bytes = Bytes(example_);
  for (size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_EQ(Receive(), Got::kNothing) << i;
    // A descriptor may come with any byte of the message.
    SendRaw(bytes.substr(i, 1), i == 5 || i == bytes.size() - 1 ? 1 : 0);
  }
  ASSERT_EQ(Receive(), Got::kMessage);
  VringState state;
  ASSERT_TRUE(message_.Get(state));
  EXPECT_EQ(state.num, 1024u);
  EXPECT_EQ(message_.fd_count, 2u);
}

TEST_F(WireTest, SeveralMessagesInOnePiece) {
  SendRaw(Bytes(example_) + Bytes(Message::Make(kSetOwner)) + Bytes(example_));
  EXPECT_EQ(Receive(), Got::kMessage);
  EXPECT_EQ(Receive(), Got::kMessage);
  EXPECT_EQ(message_.header.request, kSetOwner);
  EXPECT_EQ(message_.header.size, 0u);
  EXPECT_EQ(Receive(), Got::kMessage);
  EXPECT_EQ(message_.header.request, kSetVringNum);
  EXPECT_EQ(Receive(), Got::kNothing);
}

TEST_F(WireTest, EndBetweenMessagesIsNoFault) {
  SendRaw(Bytes(example_));
  peer_.Close();
  EXPECT_EQ(Receive(), Got::kMessage);
  EXPECT_EQ(Receive(), Got::kClosed);
}

TEST_F(WireTest, EndWithinMessageIsAFault) {
  const std::string bytes = Bytes(example_);
  for (size_t sent = 1; sent < bytes.size(); ++sent) {
    auto [here, there] = SocketPair();
    connection_ = Connection(std::move(here));
    peer_ = std::move(there);
    SendRaw(bytes.substr(0, sent));
    peer_.Close();
    EXPECT_EQ(Receive(), Got::kBroken) << sent;
    EXPECT_STREQ(connection_.problem(), "the connection ended within a message");
  }
}

TEST_F(WireTest, LargestPayloadIsTakenAndOneMoreIsNot) {
  Message large = Message::Make(kSetFeatures);
  large.header.size = kMaxPayload;
  memset(large.payload.data(), 'x', kMaxPayload);
  SendRaw(Bytes(large));
  EXPECT_EQ(Receive(), Got::kMessage);
  for (const uint32_t size : {uint32_t{kMaxPayload + 1}, 0x80000000u, 0xffffffffu}) {
    auto [here, there] = SocketPair();
    connection_ = Connection(std::move(here));
    peer_ = std::move(there);
    Message larger = Message::Make(kSetFeatures);
    larger.header.size = size;
    SendRaw(std::string(reinterpret_cast<const char*>(&larger.header), sizeof(Header)));
    EXPECT_EQ(Receive(), Got::kBroken);
    EXPECT_STREQ(connection_.problem(), "the payload is too large");
  }
}

TEST_F(WireTest, OtherVersionsAreRefused) {
  for (const uint32_t version : {0u, 2u, 3u}) {
    auto [here, there] = SocketPair();
    connection_ = Connection(std::move(here));
    peer_ = std::move(there);
    Message other = Message::Make(kGetFeatures);
    other.header.flags = version;
    SendRaw(Bytes(other));
    EXPECT_EQ(Receive(), Got::kBroken) << version;
    EXPECT_STREQ(connection_.problem(), "not version 1");
  }
}

TEST_F(WireTest, AsManyDescriptorsAsAMessageHas) {
  SendRaw(Bytes(example_), kMaxFds);
  ASSERT_EQ(Receive(), Got::kMessage);
  EXPECT_EQ(message_.fd_count, kMaxFds);
}

TEST_F(WireTest, OneDescriptorTooManyIsRefused) {
  SendRaw(Bytes(example_), kMaxFds + 1);
  EXPECT_EQ(Receive(), Got::kBroken);
}

TEST_F(WireTest, DescriptorsOfPiecesAreCountedTogether) {
  const std::string bytes = Bytes(example_);
  SendRaw(bytes.substr(0, 4), 5);
  SendRaw(bytes.substr(4), 4);
  EXPECT_EQ(Receive(), Got::kBroken);
}

TEST_F(WireTest, DescriptorsAreClosedHoweverAMessageEnds) {
  const size_t before = OpenDescriptors();
  for (const size_t count :
       {size_t{0}, size_t{1}, kMaxFds, kMaxFds + 1, 3 * kMaxFds, size_t{200}}) {
    for (const bool torn : {false, true}) {
      auto [here, there] = SocketPair();
      Connection connection(std::move(here));
      const Fd kept = std::exchange(peer_, std::move(there));
      SendRaw(torn ? "torn" : Bytes(example_), count);
      peer_.Close();
      Message message;
      while (connection.Receive(message) == Got::kMessage) {
      }
      peer_ = kept.Duplicate();
    }
  }
  EXPECT_EQ(OpenDescriptors(), before);
}

TEST_F(WireTest, SendingToNobodyFailsWithoutASignal) {
  peer_.Close();
  EXPECT_FALSE(connection_.Send(example_));
  EXPECT_FALSE(Connection().Send(example_));
  EXPECT_EQ(Connection().Receive(message_), Got::kClosed);
}

TEST_F(WireTest, SendingToOneThatDoesNotReadFailsInTheEnd) {
  bool sent = true;
  for (int i = 0; i < 100000 && sent; ++i) sent = connection_.Send(example_);
  EXPECT_FALSE(sent);
}

TEST_F(WireTest, SendingAClosedDescriptorFails) {
  Message out = Message::Make(kSetVringKick, uint64_t{0});
  out.Add(Fd());
  EXPECT_FALSE(connection_.Send(out));
}

}  // namespace
}  // namespace vuf::keeper
