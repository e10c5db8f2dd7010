// Whose connection it is, as the kernel says: through real sockets and a real gRPC server.
#include "server/security/unix_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpcpp/create_channel_posix.h"
#include "grpcpp/generic/async_generic_service.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/server.h"
#include "gtest/gtest.h"
#include "tests/testing/temp_directory.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;

// Answers every call with the identity of its caller.
class WhoAmI : public grpc::CallbackGenericService {
  class Reactor : public grpc::ServerGenericBidiReactor {
   public:
    void OnDone() override { delete this; }
  };
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    auto* const reactor = new Reactor;
    std::string names;
    for (const std::string& name : IdentityOf(*context).names) absl::StrAppend(&names, name, " ");
    reactor->Finish(grpc::Status(grpc::StatusCode::ABORTED, names));
    return reactor;
  }
};

class UnixListenerTest : public ::testing::Test {
 protected:
  UnixListenerTest() : path_(directory_.Path("s")) {
    chmod(directory_.path().c_str(), 0755);
    grpc::ServerBuilder builder;
    builder.RegisterCallbackGenericService(&service_);
    auto listener = UnixListener::Listen(path_, &gate_, builder);
    EXPECT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    server_ = builder.BuildAndStart();
    listener_->Start();
  }
  ~UnixListenerTest() override {
    listener_->Stop();
    server_->Shutdown();
  }

  // Connects as this user and group with no others: Linux has them per thread.
  int ConnectAs(uid_t uid, gid_t gid) {
    int fd = -1;
    std::thread([&] {
      if (uid != getuid()) {
        ASSERT_EQ(syscall(SYS_setgroups, 0, nullptr), 0) << strerror(errno);
        ASSERT_EQ(syscall(SYS_setresgid, gid, gid, gid), 0) << strerror(errno);
        ASSERT_EQ(syscall(SYS_setresuid, uid, uid, uid), 0) << strerror(errno);
      }
      fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_un address = {};
      address.sun_family = AF_UNIX;
      memcpy(address.sun_path, path_.data(), path_.size());
      EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0)
          << strerror(errno);
    }).join();
    return fd;
  }
  grpc::Status Ask(int fd, const std::string& method = "vuf.v1.VmService/ListVms") {
    grpc::GenericStub stub(grpc::CreateInsecureChannelFromFd("", fd));
    grpc::CompletionQueue queue;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    const auto call =
        stub.PrepareUnaryCall(&context, absl::StrCat("/", method), grpc::ByteBuffer(), &queue);
    grpc::ByteBuffer response;
    grpc::Status status;
    call->StartCall();
    call->Finish(&response, &status, nullptr);
    void* tag;
    bool ok;
    queue.Next(&tag, &ok);
    return status;
  }

  TempDirectory directory_;
  const std::string path_;
  SystemClock clock_;
  Limiter limiter_{{}, &clock_};
  const std::unique_ptr<RoleStore> roles_ = *RoleStore::Open("", [](const absl::Status&) {});
  Gate gate_{roles_.get(), &limiter_, [](const char*) {}};
  WhoAmI service_;
  std::unique_ptr<UnixListener> listener_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(UnixListenerTest, CallerIsItsUserAndGroups) {
  const std::string names = Ask(ConnectAs(getuid(), getgid())).error_message();
  EXPECT_THAT(names, HasSubstr(absl::StrCat("uid:", getuid(), " ")));
  EXPECT_THAT(names, HasSubstr(absl::StrCat("gid:", getgid(), " ")));
}

TEST_F(UnixListenerTest, DifferentUsersAreToldApartAtTheSameTime) {
  if (getuid() != 0) GTEST_SKIP() << "only root can connect as others";
  chmod(path_.c_str(), 0666);
  const int root = ConnectAs(0, 0);
  const int first = ConnectAs(65534, 1);
  const int second = ConnectAs(65534, 2);
  EXPECT_EQ(Ask(second).error_message(), "uid:65534 gid:2 ");
  EXPECT_THAT(Ask(root).error_message(), HasSubstr("uid:0 "));
  EXPECT_EQ(Ask(first).error_message(), "uid:65534 gid:1 ");
}

TEST_F(UnixListenerTest, OthersAreClosedWhenThereAreTooMany) {
  if (getuid() != 0) GTEST_SKIP() << "only root can connect as others";
  chmod(path_.c_str(), 0666);
  for (gid_t gid = 1; gid <= UnixListener::kMaxIdentities; ++gid) {
    EXPECT_EQ(Ask(ConnectAs(65534, gid)).error_message(), absl::StrCat("uid:65534 gid:", gid, " "));
  }
  EXPECT_EQ(Ask(ConnectAs(65534, 9999)).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Ask(ConnectAs(65534, 1)).error_message(), "uid:65534 gid:1 ");
}

TEST_F(UnixListenerTest, WhatGrpcWouldAnswerIsRefusedAtTheDoor) {
  if (getuid() != 0) GTEST_SKIP() << "only root can connect as others";
  chmod(path_.c_str(), 0666);
  const grpc::Status refused =
      Ask(ConnectAs(65534, 1), "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Ask(ConnectAs(0, 0), "some.Service/Method").error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(UnixListenerTest, SocketIsForOwnerAndGroupAndGoesWithTheListener) {
  struct stat info = {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
  listener_->Stop();
  EXPECT_NE(stat(path_.c_str(), &info), 0);
}

}  // namespace
}  // namespace vuf
