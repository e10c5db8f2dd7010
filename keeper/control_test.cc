// The control service over real sockets, of a session with a fake back-end and fake QEMUs.
#include "keeper/control.h"

#include <sys/socket.h>

#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "keeper/testing/hand_over_world.h"

namespace vuf::keeper {
namespace {

using testing::HasSubstr;
using Response = v1::KeeperResponse;
using Session_ = v1::KeeperSession;

class ControlTest : public testing::Test, protected HandOverWorld {
 protected:
  // A client; it does not wait.
  struct Client {
    Fd socket;

    void Send(const std::string& packet) {
      ASSERT_EQ(send(socket.get(), packet.data(), packet.size(), MSG_NOSIGNAL),
                static_cast<ssize_t>(packet.size()));
    }
    void Send(const v1::KeeperRequest& request) { Send(request.SerializeAsString()); }
    std::optional<Response> Read() {
      std::string packet(65536, '\0');
      const ssize_t n = recv(socket.get(), packet.data(), packet.size(), MSG_DONTWAIT);
      if (n <= 0) return std::nullopt;
      Response out;
      if (!out.ParseFromString(packet.substr(0, static_cast<size_t>(n)))) abort();
      return out;
    }
    bool closed() const {
      char byte;
      return recv(socket.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
    }
  };

  ControlTest() {
    if (mkdtemp(directory_.data()) == nullptr) abort();
    path_ = directory_ + "/ctl";
    if (!listener_.Open(path_, SOCK_SEQPACKET, SocketAccess()).empty()) abort();
  }
  ~ControlTest() override {
    unlink((path_ + ".lock").c_str());
    unlink(path_.c_str());
    rmdir(directory_.c_str());
  }

  Client Connect() {
    std::string problem;
    Client client{vuf::keeper::Connect(path_, SOCK_SEQPACKET, problem)};
    EXPECT_EQ(problem, "");
    control.Dispatch(world.now);
    return client;
  }
  Response Ask(Client& client, const v1::KeeperRequest& request) {
    client.Send(request);
    control.Dispatch(world.now);
    return client.Read().value_or(Response());
  }
  // What a loop that polls would be woken by.
  bool Woken() const {
    std::array<pollfd, Control::kMaxPolled> all;
    const size_t count = control.Watch(all);
    return poll(all.data(), count, 0) > 0;
  }
  const std::string& path() const { return path_; }
  v1::KeeperRequest ArmRequest() const {
    v1::KeeperRequest request;
    v1::KeeperArm& arm = *request.mutable_arm();
    arm.set_permit("p1");
    arm.set_mode(v1::KEEPER_MODE_STATELESS);
    arm.set_direction(v1::KeeperArm::DIRECTION_OUTGOING);
    arm.set_ttl_ms(60000);
    arm.set_source_inode(world.Inode(source));
    arm.set_destination_inode(world.Inode(destination));
    return request;
  }

 private:
  std::string directory_ = "/tmp/vufXXXXXX";
  std::string path_;
  Listener listener_;

 protected:
  Control control{&listener_, world.session.get(), {getuid()}, "1.2.3"};
  // To a service that serves somebody else.
  Control for_others{&listener_, world.session.get(), {getuid() + 1}, "1.2.3"};
};

v1::KeeperRequest GetSession() {
  v1::KeeperRequest request;
  request.mutable_get_session();
  return request;
}

v1::KeeperRequest Disarm(const std::string& permit) {
  v1::KeeperRequest request;
  request.mutable_disarm()->set_permit(permit);
  return request;
}

v1::KeeperRequest Fence(const std::string& permit) {
  v1::KeeperRequest request;
  request.mutable_fence()->set_permit(permit);
  return request;
}

TEST_F(ControlTest, TellsTheSession) {
  Client client = Connect();
  const Response response = Ask(client, GetSession());
  EXPECT_EQ(response.code(), Response::CODE_OK);
  EXPECT_EQ(response.message(), "");
  EXPECT_EQ(response.session().version(), "1.2.3");
  EXPECT_EQ(response.session().instance().size(), 32u);
  EXPECT_EQ(response.session().front_ends_size(), 2);
}

TEST_F(ControlTest, ArmsFencesAndDisarms) {
  Client client = Connect();
  Response response = Ask(client, ArmRequest());
  ASSERT_EQ(response.code(), Response::CODE_OK) << response.message();
  EXPECT_EQ(response.session().phase(), Session_::PHASE_ARMED);
  EXPECT_EQ(response.session().permit(), "p1");
  EXPECT_EQ(response.session().ttl_ms(), 60000u);
  response = Ask(client, Fence("p1"));
  EXPECT_EQ(response.code(), Response::CODE_FAILED_PRECONDITION);
  EXPECT_NE(response.message(), "");
  EXPECT_EQ(response.session().phase(), Session_::PHASE_ARMED) << "the session is always told";
  response = Ask(client, Disarm("p1"));
  EXPECT_EQ(response.code(), Response::CODE_OK);
  EXPECT_EQ(response.session().phase(), Session_::PHASE_NONE);
}

TEST_F(ControlTest, FencesWhatHasLoaded) {
  ASSERT_TRUE(Reach(Session_::PHASE_LOADED));
  Client client = Connect();
  const Response response = Ask(client, Fence(world.Describe().permit()));
  EXPECT_EQ(response.code(), Response::CODE_OK) << response.message();
  EXPECT_TRUE(response.session().fenced());
}

TEST_F(ControlTest, EveryFieldOfAnArmIsChecked) {
  struct Spoiled {
    std::function<void(v1::KeeperArm&)> spoil;
    std::string said;
  };
  const std::vector<Spoiled> all = {
      {[](auto& arm) { arm.clear_permit(); }, "permit: \"\" is not 1 to 39"},
      {[](auto& arm) { arm.set_permit(std::string(40, 'x')); }, "permit: \"xxxx"},
      {[](auto& arm) { arm.set_permit("a b"); }, "permit: \"a b\" is not"},
      {[](auto& arm) { arm.set_permit("\x7f"); }, "permit: "},
      {[](auto& arm) { arm.clear_mode(); }, "mode: "},
      {[](auto& arm) { arm.set_mode(static_cast<v1::KeeperMode>(3)); }, "mode: "},
      {[](auto& arm) { arm.clear_direction(); }, "direction: "},
      {[](auto& arm) { arm.set_direction(v1::KeeperArm::DIRECTION_INCOMING); }, "direction: "},
      {[](auto& arm) { arm.clear_ttl_ms(); }, "ttl_ms: 0 is not from 1 to 86400000"},
      {[](auto& arm) { arm.set_ttl_ms(86400001); }, "ttl_ms: 86400001 is not"},
      {[](auto& arm) { arm.clear_source_inode(); }, "source_inode: "},
  };
  Client client = Connect();
  for (const Spoiled& one : all) {
    v1::KeeperRequest request = ArmRequest();
    one.spoil(*request.mutable_arm());
    const Response response = Ask(client, request);
    EXPECT_EQ(response.code(), Response::CODE_INVALID_ARGUMENT) << one.said;
    EXPECT_THAT(response.message(), HasSubstr(one.said));
  }
  EXPECT_EQ(world.Phase(), Session_::PHASE_NONE);
  EXPECT_EQ(Ask(client, ArmRequest()).code(), Response::CODE_OK);
}

TEST_F(ControlTest, WhatIsNoRequestIsSaidSoAndTheConnectionGoesOn) {
  Client client = Connect();
  v1::KeeperRequest long_permit = ArmRequest();
  long_permit.mutable_arm()->set_permit(std::string(Control::kMaxRequest, 'x'));
  for (const std::string& packet :
       {std::string("\xff\xff"), std::string(Control::kMaxRequest + 1, '\0'),
        std::string("\x32\x01"), long_permit.SerializeAsString()}) {
    client.Send(packet);
    control.Dispatch(world.now);
    const Response response = client.Read().value_or(Response());
    EXPECT_EQ(response.code(), Response::CODE_INVALID_ARGUMENT);
    EXPECT_NE(response.message(), "");
  }
  EXPECT_EQ(Ask(client, GetSession()).code(), Response::CODE_OK);
}

TEST_F(ControlTest, AnswersComeInOrder) {
  Client client = Connect();
  client.Send(ArmRequest());
  client.Send(Disarm("p1"));
  client.Send(GetSession());
  for (int i = 0; i < 3; ++i) control.Dispatch(world.now);
  EXPECT_EQ(client.Read()->session().phase(), Session_::PHASE_ARMED);
  EXPECT_EQ(client.Read()->session().phase(), Session_::PHASE_NONE);
  EXPECT_EQ(client.Read()->code(), Response::CODE_OK);
  EXPECT_FALSE(client.Read().has_value());
}

TEST_F(ControlTest, AWatcherIsToldOfEveryChange) {
  Client watcher = Connect();
  v1::KeeperRequest watch;
  watch.mutable_watch();
  EXPECT_EQ(Ask(watcher, watch).session().phase(), Session_::PHASE_NONE);
  control.Dispatch(world.now);
  EXPECT_FALSE(watcher.Read().has_value()) << "nothing has changed";
  Client other = Connect();
  Ask(other, ArmRequest());
  control.Dispatch(world.now);
  EXPECT_EQ(watcher.Read()->session().phase(), Session_::PHASE_ARMED);
  EXPECT_FALSE(other.Read().has_value()) << "who does not watch is only answered";
}

TEST_F(ControlTest, AWatcherThatWasSlowIsToldTheLatest) {
  Client watcher = Connect();
  v1::KeeperRequest watch;
  watch.mutable_watch();
  Ask(watcher, watch);
  Client other = Connect();
  // Far more than fits into the watcher's socket.
  for (int i = 0; i < 1000; ++i) {
    Ask(other, i % 2 == 0 ? ArmRequest() : Disarm("p1"));
    control.Dispatch(world.now);
  }
  ASSERT_FALSE(watcher.closed());
  EXPECT_FALSE(Woken()) << "a watcher that does not read is not waited for in a busy loop";
  int read = 0;
  uint64_t revision = 0;
  while (std::optional<Response> response = watcher.Read()) {
    ++read;
    revision = response->session().revision();
  }
  EXPECT_LT(read, 1000);
  ASSERT_LT(revision, world.session->revision());
  ASSERT_TRUE(Woken());
  control.Dispatch(world.now);
  EXPECT_EQ(watcher.Read()->session().revision(), world.session->revision());
  EXPECT_FALSE(Woken());
}

TEST_F(ControlTest, WhoDoesNotReadAnswersIsCutOff) {
  Client client = Connect();
  for (int i = 0; i < 1000; ++i) {
    const std::string packet = GetSession().SerializeAsString();
    if (send(client.socket.get(), packet.data(), packet.size(), MSG_NOSIGNAL) < 0) break;
    control.Dispatch(world.now);
  }
  while (client.Read().has_value()) {
  }
  EXPECT_TRUE(client.closed());
  EXPECT_FALSE(Woken());
}

TEST_F(ControlTest, OtherUsersAreTurnedAway) {
  std::string problem;
  Client client = Connect();
  EXPECT_FALSE(client.closed());
  Client stranger{vuf::keeper::Connect(path(), SOCK_SEQPACKET, problem)};
  for_others.Dispatch(world.now);
  EXPECT_TRUE(stranger.closed());
}

TEST_F(ControlTest, ThereIsRoomForEight) {
  std::vector<Client> clients;
  for (size_t i = 0; i < Control::kMaxClients; ++i) clients.push_back(Connect());
  EXPECT_TRUE(Connect().closed());
  clients.pop_back();
  control.Dispatch(world.now);
  Client next = Connect();
  EXPECT_EQ(Ask(next, GetSession()).code(), Response::CODE_OK);
}

TEST_F(ControlTest, AReplacementNeedsABackEndThatListens) {
  Client client = Connect();
  v1::KeeperRequest request;
  for (const std::string& path :
       {std::string(), std::string("relative"), "/" + std::string(107, 'x')}) {
    request.mutable_replace_back_end()->set_socket_path(path);
    const Response response = Ask(client, request);
    EXPECT_EQ(response.code(), Response::CODE_INVALID_ARGUMENT);
    EXPECT_THAT(response.message(), HasSubstr("socket_path: "));
  }
  request.mutable_replace_back_end()->set_socket_path("/nonexistent/socket");
  EXPECT_EQ(Ask(client, request).code(), Response::CODE_FAILED_PRECONDITION);
  EXPECT_TRUE(Works(source));
}

}  // namespace
}  // namespace vuf::keeper
