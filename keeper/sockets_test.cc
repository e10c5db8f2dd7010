#include "keeper/sockets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstdlib>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf::keeper {
namespace {

using testing::HasSubstr;

class SocketsTest : public testing::Test {
 protected:
  SocketsTest() {
    if (mkdtemp(directory_.data()) == nullptr) abort();
    path = directory_ + "/s";
  }
  ~SocketsTest() override {
    for (const std::string& name : {path, path + ".lock"}) unlink(name.c_str());
    rmdir(directory_.c_str());
  }
  bool Exists(const std::string& name) const { return access(name.c_str(), F_OK) == 0; }
  std::string Open(Listener& listener, mode_t mode = 0600) {
    return listener.Open(path, SOCK_STREAM, {mode, std::nullopt});
  }
  // Somebody's socket that knows nothing of locks.
  Fd Bound() {
    Fd out(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (bind(out.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) abort();
    return out;
  }

  std::string path;

 private:
  std::string directory_ = "/tmp/vufXXXXXX";
};

TEST_F(SocketsTest, ListensAndIsGoneWithTheObject) {
  {
    Listener listener;
    ASSERT_EQ(Open(listener, 0620), "");
    struct stat about;
    ASSERT_EQ(stat(path.c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777, mode_t{0620});
    std::string problem;
    const Fd client = Connect(path, SOCK_STREAM, problem);
    ASSERT_TRUE(client.valid()) << problem;
    const Listener::Peer peer = listener.Accept();
    ASSERT_TRUE(peer.socket.valid());
    EXPECT_EQ(peer.pid, getpid());
    EXPECT_EQ(peer.uid, getuid());
    EXPECT_FALSE(listener.Accept().socket.valid());
  }
  EXPECT_FALSE(Exists(path));
  EXPECT_FALSE(Exists(path + ".lock"));
}

TEST_F(SocketsTest, TheSecondIsRefusedAndTheFirstGoesOn) {
  Listener first;
  ASSERT_EQ(Open(first), "");
  {
    Listener second;
    EXPECT_THAT(Open(second), HasSubstr("another vuf-keeper has " + path));
  }
  EXPECT_TRUE(Exists(path));
  EXPECT_TRUE(Exists(path + ".lock"));
  std::string problem;
  EXPECT_TRUE(Connect(path, SOCK_STREAM, problem).valid()) << problem;
}

TEST_F(SocketsTest, WhatAKilledOneHasLeftIsReplaced) {
  Bound();
  ASSERT_TRUE(Exists(path));
  Listener listener;
  EXPECT_EQ(Open(listener), "");
}

TEST_F(SocketsTest, ASocketThatSomebodyListensOnIsLeftAloneAndNotConnectedTo) {
  const Fd other = Bound();
  ASSERT_EQ(listen(other.get(), 1), 0);
  {
    Listener listener;
    EXPECT_THAT(Open(listener), HasSubstr("somebody listens at " + path));
  }
  EXPECT_TRUE(Exists(path));
  EXPECT_FALSE(Exists(path + ".lock"));
  ASSERT_EQ(fcntl(other.get(), F_SETFL, O_NONBLOCK), 0);
  EXPECT_LT(accept(other.get(), nullptr, nullptr), 0) << "it was connected to";
}

TEST_F(SocketsTest, AFileIsNotReplaced) {
  const Fd file(open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  {
    Listener listener;
    EXPECT_THAT(Open(listener), HasSubstr("exists and is no socket"));
  }
  EXPECT_TRUE(Exists(path));
}

TEST_F(SocketsTest, ANameIsNeverCutOff) {
  const std::string longer = path + std::string(kMaxSocketPath + 1 - path.size(), 'x');
  std::string problem;
  Listener listener;
  EXPECT_THAT(listener.Open(longer, SOCK_STREAM, SocketAccess()), HasSubstr("107"));
  EXPECT_FALSE(Connect(longer, SOCK_STREAM, problem).valid());
  EXPECT_THAT(problem, HasSubstr("107"));
  EXPECT_FALSE(Exists(longer.substr(0, kMaxSocketPath)));
}

TEST_F(SocketsTest, AGroupThatMayNotBeGivenIsAnError) {
  if (getuid() == 0) GTEST_SKIP() << "root may give any";
  Listener listener;
  EXPECT_THAT(listener.Open(path, SOCK_STREAM, {0660, gid_t{0}}), HasSubstr("group"));
}

TEST_F(SocketsTest, ConnectsWhenSomebodyListens) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const Fd quiet(ends[0]);
  const Fd loud(ends[1]);
  std::string problem;
  EXPECT_FALSE(ConnectWhenThere(path, std::chrono::milliseconds(20), quiet.get(), problem).valid());
  EXPECT_THAT(problem, HasSubstr("cannot connect to " + path));
  const Fd bound = Bound();
  ASSERT_EQ(write(loud.get(), "x", 1), 1);
  EXPECT_FALSE(ConnectWhenThere(path, std::chrono::minutes(10), quiet.get(), problem).valid());
  EXPECT_THAT(problem, HasSubstr("a signal ended the wait"));
  ASSERT_EQ(listen(bound.get(), 1), 0);
  EXPECT_TRUE(ConnectWhenThere(path, std::chrono::minutes(10), quiet.get(), problem).valid());
}

}  // namespace
}  // namespace vuf::keeper
