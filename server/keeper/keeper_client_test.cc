#include "server/keeper/keeper_client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/mutex.h"
#include "tests/testing/temp_directory.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;

constexpr char kInstance[] = "0123456789abcdef0123456789abcdef";
constexpr char kSession[] = "fedcba9876543210fedcba9876543210";

v1::KeeperResponse Answer() {
  v1::KeeperResponse response;
  response.set_code(v1::KeeperResponse::CODE_OK);
  v1::KeeperSession* const session = response.mutable_session();
  session->set_instance(kInstance);
  session->set_session(kSession);
  session->set_phase(v1::KeeperSession::PHASE_NONE);
  return response;
}

// Answers one connection after the other with what `answer` says; nothing: ends the connection.
class TinyServer {
 public:
  using Handler = std::function<std::optional<std::string>(const v1::KeeperRequest&)>;

  TinyServer(const std::string& path, int type, Handler answer) : answer_(std::move(answer)) {
    fd_ = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    sockaddr_un address = {AF_UNIX, {}};
    strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(fd_, 0), 0);
    if (answer_) thread_ = std::thread([this] { Serve(); });
  }
  ~TinyServer() {
    shutdown(fd_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    close(fd_);
  }
  std::vector<v1::KeeperRequest> requests() const {
    MutexLock lock(&mu_);
    return requests_;
  }

 private:
  void Serve() {
    for (int client; (client = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
      char packet[1 << 16];
      for (ssize_t n; (n = recv(client, packet, sizeof(packet), 0)) > 0;) {
        v1::KeeperRequest request;
        EXPECT_TRUE(request.ParseFromArray(packet, static_cast<int>(n)));
        {
          MutexLock lock(&mu_);
          requests_.push_back(request);
        }
        const std::optional<std::string> answer = answer_(request);
        if (!answer || send(client, answer->data(), answer->size(), MSG_NOSIGNAL) < 0) break;
      }
      close(client);
    }
  }

  int fd_ = -1;
  const Handler answer_;
  mutable Mutex mu_;
  std::vector<v1::KeeperRequest> requests_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

class SeqpacketKeeperTest : public ::testing::Test {
 protected:
  SeqpacketKeeperTest() {
    address_.control_socket = directory_.Path("k");
    address_.process = {getpid(), Procfs().Stat(getpid())->start_ticks};
    address_.instance = kInstance;
    permit_.permit = "m1";
    permit_.mode = Mode::kStateless;
    permit_.ttl = absl::Seconds(90);
    permit_.source_inode = 7;
    permit_.destination_inode = 8;
  }
  void Serve(TinyServer::Handler answer, int type = SOCK_SEQPACKET) {
    server_ = std::make_unique<TinyServer>(address_.control_socket, type, std::move(answer));
  }
  void ServeAlways(const std::string& answer) {
    Serve([answer](const v1::KeeperRequest&) { return answer; });
  }
  absl::StatusOr<KeeperFacts> Look() { return keeper_.Look(address_, Soon()); }
  static absl::Time Soon() { return absl::Now() + absl::Seconds(20); }

  TempDirectory directory_;
  KeeperAddress address_;
  KeeperPermit permit_;
  SeqpacketKeeper keeper_;
  std::unique_ptr<TinyServer> server_;
};

TEST_F(SeqpacketKeeperTest, LooksAndConvertsEverything) {
  v1::KeeperResponse answer = Answer();
  v1::KeeperSession& session = *answer.mutable_session();
  session.set_version("0.2.0");
  session.set_phase(v1::KeeperSession::PHASE_LOADED);
  session.set_permit("m1");
  session.set_handed_over_permit("m0");
  session.set_fenced(true);
  session.set_last_refusal("no");
  session.set_last_drain_us(11);
  session.set_last_replace_us(12);
  session.mutable_back_end()->set_socket_inode(5);
  session.mutable_back_end()->set_features(1);
  session.mutable_back_end()->set_protocol_features(2);
  session.mutable_back_end()->set_unanswered(3);
  v1::KeeperFrontEnd* const front_end = session.add_front_ends();
  front_end->set_socket_inode(7);
  front_end->set_role(v1::KeeperFrontEnd::ROLE_NOMINEE);
  front_end->set_undrained(true);
  ServeAlways(answer.SerializeAsString());
  KeeperFacts expected;
  expected.control_socket = address_.control_socket;
  expected.instance = kInstance;
  expected.session = kSession;
  expected.version = "0.2.0";
  expected.front_ends = {{7, KeeperFacts::Role::kNominee, true}};
  expected.phase = KeeperFacts::Phase::kLoaded;
  expected.permit = "m1";
  expected.handed_over_permit = "m0";
  expected.fenced = true;
  expected.back_end_features = 1;
  expected.back_end_protocol_features = 2;
  expected.back_end_socket_inode = 5;
  expected.unanswered = 3;
  expected.last_refusal = "no";
  expected.last_drain_us = 11;
  expected.last_replace_us = 12;
  const absl::StatusOr<KeeperFacts> facts = Look();
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(*facts, expected);
  EXPECT_EQ(server_->requests().size(), 1u);
}

TEST_F(SeqpacketKeeperTest, AsksWhoItIsAndThenArms) {
  ServeAlways(Answer().SerializeAsString());
  ASSERT_TRUE(keeper_.Arm(address_, permit_, Soon()).ok());
  ASSERT_EQ(server_->requests().size(), 2u);
  EXPECT_TRUE(server_->requests()[0].has_get_session());
  const v1::KeeperArm arm = server_->requests()[1].arm();
  EXPECT_EQ(arm.permit(), "m1");
  EXPECT_EQ(arm.mode(), v1::KEEPER_MODE_STATELESS);
  EXPECT_EQ(arm.direction(), v1::KeeperArm::DIRECTION_OUTGOING);
  EXPECT_EQ(arm.ttl_ms(), 90000u);
  EXPECT_EQ(arm.source_inode(), 7u);
  EXPECT_EQ(arm.destination_inode(), 8u);
}

TEST_F(SeqpacketKeeperTest, SendsWhatItIsAskedTo) {
  ServeAlways(Answer().SerializeAsString());
  ASSERT_TRUE(keeper_.Disarm(address_, "m1", Soon()).ok());
  ASSERT_TRUE(keeper_.Fence(address_, "m2", Soon()).ok());
  ASSERT_TRUE(keeper_.ReplaceBackEnd(address_, "/run/b", Soon()).ok());
  ASSERT_EQ(server_->requests().size(), 6u);
  EXPECT_EQ(server_->requests()[1].disarm().permit(), "m1");
  EXPECT_EQ(server_->requests()[3].fence().permit(), "m2");
  EXPECT_EQ(server_->requests()[5].replace_back_end().socket_path(), "/run/b");
}

TEST_F(SeqpacketKeeperTest, AnotherInstanceIsAskedForNothingElse) {
  ServeAlways(Answer().SerializeAsString());
  address_.instance = kSession;
  const absl::Status status = keeper_.Fence(address_, "m1", Soon()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr(kInstance));
  EXPECT_EQ(server_->requests().size(), 1u);
  EXPECT_TRUE(absl::IsFailedPrecondition(Look().status()));
}

TEST_F(SeqpacketKeeperTest, AnInstanceThatIsNotKnownYetIsNotAskedFor) {
  ServeAlways(Answer().SerializeAsString());
  address_.instance.clear();
  EXPECT_TRUE(keeper_.Fence(address_, "m1", Soon()).ok());
  EXPECT_EQ(server_->requests().size(), 1u);
}

TEST_F(SeqpacketKeeperTest, AnotherProcessIsAskedForNothing) {
  ServeAlways(Answer().SerializeAsString());
  address_.process.pid = 1;
  absl::Status status = Look().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("not the keeper, process 1"));
  address_.process.pid = getpid();
  ++address_.process.start_ticks;
  status = Look().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("started at another time"));
  EXPECT_TRUE(server_->requests().empty());
}

TEST_F(SeqpacketKeeperTest, QuotesARefusal) {
  v1::KeeperResponse answer = Answer();
  answer.set_message("permit m0 is in force");
  for (const auto& [code, expected] :
       {std::pair(v1::KeeperResponse::CODE_FAILED_PRECONDITION,
                  absl::StatusCode::kFailedPrecondition),
        std::pair(v1::KeeperResponse::CODE_INVALID_ARGUMENT, absl::StatusCode::kInvalidArgument),
        std::pair(v1::KeeperResponse::CODE_INTERNAL, absl::StatusCode::kInternal)}) {
    answer.set_code(code);
    server_.reset();
    unlink(address_.control_socket.c_str());
    Serve([answer](const v1::KeeperRequest& request) {
      return (request.has_arm() ? answer : Answer()).SerializeAsString();
    });
    const absl::Status status = keeper_.Arm(address_, permit_, Soon()).status();
    EXPECT_EQ(status.code(), expected);
    EXPECT_THAT(status.message(), HasSubstr("\"permit m0 is in force\""));
  }
}

TEST_F(SeqpacketKeeperTest, GarbageIsAnInternalError) {
  v1::KeeperResponse no_code = Answer();
  no_code.clear_code();
  v1::KeeperResponse no_session = Answer();
  no_session.clear_session();
  for (const std::string& garbage : {std::string("\xff\xff\xff"), std::string(70000, 'x'),
                                     no_code.SerializeAsString(), no_session.SerializeAsString()}) {
    server_.reset();
    unlink(address_.control_socket.c_str());
    ServeAlways(garbage);
    const absl::Status status = Look().status();
    EXPECT_TRUE(absl::IsInternal(status)) << status;
    EXPECT_THAT(status.message(), HasSubstr(address_.control_socket));
  }
}

TEST_F(SeqpacketKeeperTest, NobodyThereIsUnavailable) {
  EXPECT_TRUE(absl::IsUnavailable(Look().status()));
  Serve([](const v1::KeeperRequest&) { return std::nullopt; });
  const absl::Status status = Look().status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  server_.reset();
  EXPECT_TRUE(absl::IsUnavailable(Look().status()));
}

TEST_F(SeqpacketKeeperTest, WaitsNoLongerThanItsDeadline) {
  // Listens and never accepts. The second connection does not even fit into the backlog.
  Serve(nullptr);
  absl::Status status = keeper_.Look(address_, absl::Now() + absl::Milliseconds(50)).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("no answer"));
  status = keeper_.Look(address_, absl::Now() + absl::Milliseconds(50)).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("accepts no connection"));
}

TEST_F(SeqpacketKeeperTest, ASocketOfAnotherKindIsNotTouched) {
  Serve(nullptr, SOCK_STREAM);
  const absl::Status status = Look().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

TEST_F(SeqpacketKeeperTest, ReachesAPathThatNoAddressHolds) {
  ServeAlways(Answer().SerializeAsString());
  const std::string deep = directory_.Path(std::string(120, 'd'));
  std::filesystem::create_directory(deep);
  std::filesystem::rename(address_.control_socket, deep + "/k");
  address_.control_socket = deep + "/k";
  const absl::StatusOr<KeeperFacts> facts = Look();
  EXPECT_TRUE(facts.ok()) << facts.status();
}

TEST_F(SeqpacketKeeperTest, APermitWithoutModeOrBoundIsNotSent) {
  ServeAlways(Answer().SerializeAsString());
  const auto refused = [this](const KeeperPermit& permit) {
    return absl::IsInvalidArgument(keeper_.Arm(address_, permit, Soon()).status());
  };
  KeeperPermit permit = permit_;
  permit.mode = Mode::kNone;
  EXPECT_TRUE(refused(permit));
  permit = permit_;
  permit.ttl = absl::ZeroDuration();
  EXPECT_TRUE(refused(permit));
  permit.ttl = absl::InfiniteDuration();
  EXPECT_TRUE(refused(permit));
  EXPECT_TRUE(server_->requests().empty());
}

}  // namespace
}  // namespace vuf
