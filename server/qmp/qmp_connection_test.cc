#include "server/qmp/qmp_connection.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/qmp/testing/fake_qmp_server.h"
#include "tests/testing/temp_directory.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;

absl::Time In(absl::Duration d) { return absl::Now() + d; }
absl::Time Soon() { return In(absl::Seconds(20)); }
// For what is expected not to come.
absl::Time Shortly() { return In(absl::Milliseconds(100)); }
std::string Message(const absl::Status& status) { return std::string(status.message()); }

class QmpConnectionTest : public ::testing::Test {
 protected:
  std::unique_ptr<QmpConnection> Open(QmpConnection::Limits limits = {}) {
    auto connection = QmpConnection::Open(server_.path(), Soon(), limits);
    EXPECT_TRUE(connection.ok()) << connection.status();
    return connection.ok() ? *std::move(connection) : nullptr;
  }
  absl::Status OpenStatus(absl::Time deadline = Soon()) {
    return QmpConnection::Open(server_.path(), deadline).status();
  }

  FakeQmpServer server_;
};

TEST_F(QmpConnectionTest, GreetsAndKnowsItsPeer) {
  const auto connection = Open();
  EXPECT_EQ(connection->greeting()["version"]["qemu"]["major"], 10);
  ASSERT_TRUE(connection->peer().known());
  EXPECT_EQ(connection->peer().value->pid, getpid());
  EXPECT_GT(connection->peer().value->start_ticks, 0u);
}

TEST_F(QmpConnectionTest, MatchesPipelinedRepliesById) {
  server_.Return("query-status", {{"status", "running"}});
  server_.Return("query-name", {{"name", "web"}});
  server_.Refuse("query-uuid", "no such thing");
  server_.Hold("query-status");
  const auto connection = Open();
  std::thread late([this] {
    server_.AwaitCommand("query-uuid");
    server_.Release("query-status");
  });
  const auto replies =
      connection->RunAll({{"query-status"}, {"query-name"}, {"query-uuid"}}, Soon());
  late.join();
  ASSERT_TRUE(replies.ok()) << replies.status();
  EXPECT_EQ((*(*replies)[0].value)["status"], "running");
  EXPECT_EQ((*(*replies)[1].value)["name"], "web");
  EXPECT_FALSE((*replies)[2].ok());
  EXPECT_EQ((*replies)[2].ToStatus("query-uuid"),
            absl::FailedPreconditionError("query-uuid: QEMU says: no such thing"));
}

TEST_F(QmpConnectionTest, ABatchLargerThanEverySocketBufferGoesThrough) {
  server_.Return("qom-get", std::string(1000, 'x'));
  const auto connection = Open();
  const std::vector<QmpCommand> commands(
      3000, {"qom-get", Json::object({{"path", std::string(500, 'p')}})});
  const auto replies = connection->RunAll(commands, Soon());
  ASSERT_TRUE(replies.ok()) << replies.status();
  EXPECT_EQ(replies->size(), 3000u);
}

TEST_F(QmpConnectionTest, KeepsEventsInOrderWhileItWaitsForReplies) {
  const auto connection = Open();
  server_.Emit("STOP");
  server_.Emit("MIGRATION", {{"status", "active"}});
  ASSERT_TRUE(connection->Run({"query-status"}, Soon()).ok());
  server_.Emit("RESUME");
  EXPECT_EQ((**connection->AwaitEvent(Soon())).name, "STOP");
  EXPECT_EQ((**connection->AwaitEvent(Soon())).data["status"], "active");
  EXPECT_EQ((**connection->AwaitEvent(Soon())).name, "RESUME");
  const auto none = connection->AwaitEvent(Shortly());
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(none->has_value());
  EXPECT_TRUE(connection->Run({"query-status"}, Soon()).ok()) << "no event is no failure";
}

TEST_F(QmpConnectionTest, TooManyEventsAreAnErrorAndNoGap) {
  QmpConnection::Limits limits;
  limits.events = 3;
  const auto connection = Open(limits);
  for (int i = 0; i < 4; ++i) server_.Emit("BALLOON_CHANGE");
  const absl::Status status = connection->Run({"query-status"}, Soon()).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr("more events"));
  EXPECT_EQ(connection->AwaitEvent(Soon()).status(), status);
}

TEST_F(QmpConnectionTest, AFrozenMonitorCostsOneDeadlineAndStaysFailed) {
  const auto connection = Open();
  server_.Freeze();
  const absl::Status status =
      connection->RunAll({{"query-status"}, {"query-name"}}, Shortly()).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr("query-status"));
  EXPECT_EQ(connection->Run({"query-name"}, Soon()).status(), status);
  EXPECT_EQ(connection->AwaitEvent(Soon()).status(), status);
}

TEST_F(QmpConnectionTest, OneMissingReplyIsNamed) {
  server_.Hold("query-name");
  const auto connection = Open();
  const absl::Status status =
      connection->RunAll({{"query-status"}, {"query-name"}}, Shortly()).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status));
  EXPECT_THAT(Message(status), HasSubstr("query-name"));
}

TEST_F(QmpConnectionTest, RepliesToNobodyAreIgnored) {
  const auto connection = Open();
  server_.Send("{\"return\":{\"status\":\"wrong\"},\"id\":999}\n{\"return\":{}}\n{\"id\":\"x\"}\n");
  server_.Return("query-status", {{"status", "paused"}});
  const auto reply = connection->Run({"query-status"}, Soon());
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ((*reply->value)["status"], "paused");
}

TEST_F(QmpConnectionTest, LosesItsPeer) {
  const auto connection = Open();
  server_.Emit("SHUTDOWN");
  server_.CloseClient();
  EXPECT_EQ((**connection->AwaitEvent(Soon())).name, "SHUTDOWN") << "it came before the end";
  EXPECT_TRUE(absl::IsUnavailable(connection->AwaitEvent(Soon()).status()));
  EXPECT_TRUE(absl::IsUnavailable(connection->Run({"query-status"}, Soon()).status()));
}

TEST_F(QmpConnectionTest, AnAnswerBeforeTheEndOfFileCounts) {
  server_.AnswerWith("quit", {"{\"return\":{},\"id\":$ID}\r\n", true});
  const auto connection = Open();
  const auto reply = connection->Run({"quit"}, Soon());
  EXPECT_TRUE(reply.ok()) << reply.status();
  EXPECT_TRUE(absl::IsUnavailable(connection->Run({"query-status"}, Soon()).status()));
}

TEST_F(QmpConnectionTest, HalfALineIsNoAnswer) {
  server_.AnswerWith("query-status", {"{\"return\":{\"status\":\"running\"},\"id\":$ID}", true});
  const auto connection = Open();
  const absl::Status status = connection->Run({"query-status"}, Soon()).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr("in the middle of a message"));
}

TEST_F(QmpConnectionTest, GarbageEndsTheConnection) {
  for (const std::string garbage : {"\xff\xfe\n", "[]\n", "{\"return\":\n"}) {
    FakeQmpServer server;
    server.AnswerWith("query-status", {garbage});
    const auto connection = *QmpConnection::Open(server.path(), Soon());
    const absl::Status status = connection->Run({"query-status"}, Soon()).status();
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(Message(status), HasSubstr("not QMP"));
  }
}

TEST_F(QmpConnectionTest, AnEndlessLineIsCutOff) {
  QmpConnection::Limits limits;
  limits.line_bytes = 1000;
  server_.AnswerWith("query-status", {std::string(5000, ' ')});
  const auto connection = Open(limits);
  EXPECT_TRUE(absl::IsResourceExhausted(connection->Run({"query-status"}, Soon()).status()));
}

TEST_F(QmpConnectionTest, TheLongestAnswerOfQemuFits) {
  server_.Return("query-qmp-schema", std::string(300000, 's'));
  const auto connection = Open();
  const auto reply = connection->Run({"query-qmp-schema"}, Soon());
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->value->get<std::string>().size(), 300000u);
}

TEST_F(QmpConnectionTest, HandsOverADescriptor) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  const auto connection = Open();
  const auto reply =
      connection->RunWithFd({"getfd", Json::object({{"fdname", "s"}})}, pair[0], Soon());
  ASSERT_TRUE(reply.ok()) << reply.status();
  ASSERT_EQ(server_.Descriptors().count("s"), 1u);
  ASSERT_EQ(write(server_.Descriptors().at("s"), "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(read(pair[1], &byte, 1), 1);
  EXPECT_EQ(byte, 'x') << "the server has the same socket";
  close(pair[0]);
  close(pair[1]);
}

TEST_F(QmpConnectionTest, AMonitorHeldByAnotherClientTimesOut) {
  const auto first = Open();
  const absl::Status status = OpenStatus(Shortly());
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr("another client may hold the monitor"));
}

TEST_F(QmpConnectionTest, AFullBacklogTimesOut) {
  const auto first = Open();
  std::vector<FileDescriptor> waiting;
  for (int i = 0; i < 10; ++i) {
    auto socket = ConnectMonitor(server_.path(), Shortly());
    if (!socket.ok()) {
      EXPECT_TRUE(absl::IsDeadlineExceeded(socket.status())) << socket.status();
      return;
    }
    waiting.push_back(*std::move(socket));
  }
  FAIL() << "the backlog never filled";
}

TEST_F(QmpConnectionTest, SaysWhatAnswersInsteadOfAMonitor) {
  struct Case {
    const char* words;
    const char* quoted;
  };
  for (const Case& c : {Case{"QEMU 10.0.2 monitor - type 'help' for more information\r\n(qemu) ",
                             "QEMU 10.0.2 monitor"},
                        Case{"{\"event\":\"X\"}\n", "event"}, Case{"{\"QMP\":[]}\n", "QMP"},
                        Case{"{\n    \"QMP\": {", "one message per line"}}) {
    FakeQmpServer server;
    server.SetGreeting(c.words);
    const absl::Status status = QmpConnection::Open(server.path(), Soon()).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_THAT(Message(status), HasSubstr("no QMP monitor"));
    EXPECT_THAT(Message(status), HasSubstr(c.quoted));
  }
}

TEST_F(QmpConnectionTest, ARefusedNegotiationIsQuoted) {
  server_.Refuse("qmp_capabilities", "not today");
  const absl::Status status = OpenStatus();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(Message(status), HasSubstr("not today"));
}

TEST(ConnectMonitor, SaysWhyThereIsNoConnection) {
  const auto code = [](const std::string& path) {
    return ConnectMonitor(path, Soon()).status().code();
  };
  EXPECT_EQ(code("monitor"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(""), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code("/" + std::string(108, 'x')), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code("/nonexistent/monitor"), absl::StatusCode::kNotFound);
  const TempDirectory directory;
  const std::string file = directory.Path("file");
  std::ofstream(file) << "x";
  EXPECT_EQ(code(file), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(ConnectMonitor(file, Soon()).status()), HasSubstr("not a socket"));
}

TEST(ConnectMonitor, NobodyListens) {
  const TempDirectory directory;
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string path = directory.Path("s");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  {
    FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_EQ(bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  const absl::Status status = ConnectMonitor(path, Soon()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(Message(status), HasSubstr("nobody listens"));
}

}  // namespace
}  // namespace vuf
