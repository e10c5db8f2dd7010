#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/clock.h"
#include "server/qmp/qmp_hypervisor.h"
#include "server/qmp/testing/fake_qmp_server.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;

absl::Time Soon() { return absl::Now() + absl::Seconds(20); }
std::string Message(const absl::Status& status) { return std::string(status.message()); }

// A regular file without a name.
class File {
 public:
  File() : file_(std::tmpfile()) {}
  ~File() { std::fclose(file_); }
  int fd() const { return fileno(file_); }

 private:
  std::FILE* const file_;
};

class MigrateTest : public ::testing::Test {
 protected:
  MigrateTest() {
    server_.Return("query-migrate-capabilities",
                   Json::parse(R"([{"capability":"events","state":false},
                                   {"capability":"return-path","state":true},
                                   {"capability":"xbzrle","state":true}])"));
    server_.Return("query-migrate-parameters",
                   {{"mode", "cpr-reboot"}, {"downtime-limit", 300}, {"max-bandwidth", 1000}});
    vm_ = *QmpConnector(&clock_).Connect(server_.path(), Soon());
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream_), 0);
  }
  ~MigrateTest() override {
    close(stream_[0]);
    close(stream_[1]);
  }
  Json ArgumentsOf(const std::string& command) {
    for (const Json& request : server_.Requests()) {
      if (request["execute"] == command) return request.value("arguments", Json::object());
    }
    return nullptr;
  }

  SystemClock clock_;
  FakeQmpServer server_;
  std::unique_ptr<Hypervisor> vm_;
  int stream_[2] = {-1, -1};
};

TEST_F(MigrateTest, ConfigureTellsWhatWas) {
  MigrationSettings wanted;
  wanted.capabilities = {{"events", true}, {"return-path", true}};
  wanted.mode = "normal";
  wanted.downtime_limit = absl::Milliseconds(50);
  const auto before = vm_->Configure(wanted, Soon());
  ASSERT_TRUE(before.ok()) << before.status();
  EXPECT_EQ(before->capabilities,
            (std::map<std::string, bool>{{"events", false}, {"return-path", true}}));
  EXPECT_EQ(before->mode, "cpr-reboot");
  EXPECT_EQ(before->downtime_limit, absl::Milliseconds(300));
  EXPECT_FALSE(before->max_bandwidth.has_value());
  EXPECT_EQ(ArgumentsOf("migrate-set-capabilities"),
            Json::parse(R"({"capabilities":[{"capability":"events","state":true},
                                            {"capability":"return-path","state":true}]})"));
  EXPECT_EQ(ArgumentsOf("migrate-set-parameters"),
            Json::parse(R"({"mode":"normal","downtime-limit":50})"));
}

TEST_F(MigrateTest, ConfigureRefusesWhatQemuDoesNotHave) {
  MigrationSettings wanted;
  wanted.capabilities = {{"events", true}, {"vhost-user-fs", true}};
  const absl::Status status = vm_->Configure(wanted, Soon()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(Message(status), HasSubstr("\"vhost-user-fs\""));
  EXPECT_EQ(ArgumentsOf("migrate-set-capabilities"), nullptr) << "nothing was changed";
}

// It refuses every change while a migration is under way, and what changes nothing too.
TEST_F(MigrateTest, WhatIsSetAlreadyCannotFail) {
  server_.Refuse("migrate-set-capabilities", "There's a migration process in progress");
  MigrationSettings wanted;
  wanted.capabilities = {{"events", false}, {"return-path", true}};
  wanted.downtime_limit = absl::Milliseconds(50);
  EXPECT_TRUE(vm_->Configure(wanted, Soon()).ok());
  wanted.capabilities["events"] = true;
  EXPECT_THAT(Message(vm_->Configure(wanted, Soon()).status()), HasSubstr("in progress"));
}

TEST_F(MigrateTest, WhatWasAskedOrSetJustNowIsNotAskedAgain) {
  MigrationSettings wanted;
  wanted.capabilities = {{"events", true}};
  wanted.max_bandwidth = 5;
  const auto before = vm_->QuerySettings(Soon());
  ASSERT_TRUE(vm_->Configure(wanted, Soon()).ok());
  const auto after = vm_->QuerySettings(Soon());
  EXPECT_FALSE(before->capabilities.at("events"));
  EXPECT_TRUE(after->capabilities.at("events"));
  EXPECT_EQ(after->max_bandwidth, 5u);
  EXPECT_EQ(after->downtime_limit, absl::Milliseconds(300));
  EXPECT_THAT(server_.Commands(),
              ElementsAre("query-migrate-capabilities", "query-migrate-parameters",
                          "migrate-set-capabilities", "migrate-set-parameters"));
}

TEST_F(MigrateTest, AQemuWithoutModesIsNormal) {
  server_.Return("query-migrate-parameters", {{"downtime-limit", 300}});
  MigrationSettings wanted;
  wanted.mode = "normal";
  const auto before = vm_->Configure(wanted, Soon());
  ASSERT_TRUE(before.ok()) << before.status();
  EXPECT_FALSE(before->mode.has_value());
  EXPECT_EQ(ArgumentsOf("migrate-set-parameters"), nullptr);
  wanted.mode = "cpr-transfer";
  EXPECT_TRUE(absl::IsFailedPrecondition(vm_->Configure(wanted, Soon()).status()));
}

TEST_F(MigrateTest, AFailedConfigureLeavesNothingBehind) {
  server_.Refuse("migrate-set-parameters", "out of range");
  MigrationSettings wanted;
  wanted.capabilities = {{"events", true}, {"xbzrle", true}};
  wanted.downtime_limit = absl::Hours(10);
  const absl::Status status = vm_->Configure(wanted, Soon()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(Message(status), HasSubstr("out of range"));
  EXPECT_EQ(server_.Requests().back()["arguments"],
            Json::parse(R"({"capabilities":[{"capability":"events","state":false}]})"));
}

TEST_F(MigrateTest, PrepareIncomingHandsTheStreamOver) {
  ASSERT_TRUE(vm_->PrepareIncoming(stream_[0], Soon()).ok());
  EXPECT_THAT(server_.Commands(), ElementsAre("getfd", "migrate-incoming"));
  EXPECT_EQ(ArgumentsOf("migrate-incoming"),
            Json::parse(R"({"uri":"fd:vufd-migration","exit-on-error":false})"));
  ASSERT_EQ(server_.Descriptors().count("vufd-migration"), 1u);
}

TEST_F(MigrateTest, StartOutgoingHandsTheStreamOver) {
  ASSERT_TRUE(vm_->StartOutgoing(stream_[0], Soon()).ok());
  EXPECT_EQ(ArgumentsOf("migrate"), Json::parse(R"({"uri":"fd:vufd-migration"})"));
  ASSERT_EQ(server_.Descriptors().count("vufd-migration"), 1u);
}

// "fd:" takes no file since QEMU 11.
TEST_F(MigrateTest, AFileGoesOverAsADescriptorSet) {
  const File file;
  server_.Return("add-fd", Json::parse(R"({"fdset-id":7,"fd":33})"));
  ASSERT_TRUE(vm_->StartOutgoing(file.fd(), Soon()).ok());
  EXPECT_THAT(server_.Commands(), ElementsAre("add-fd", "migrate", "remove-fd"));
  EXPECT_EQ(ArgumentsOf("migrate"), Json::parse(R"({"uri":"file:/dev/fdset/7"})"));
  EXPECT_EQ(ArgumentsOf("remove-fd"), Json::parse(R"({"fdset-id":7})"));
  EXPECT_EQ(server_.Descriptors().count("add-fd"), 1u);
}

TEST_F(MigrateTest, AFileIsLoadedFromADescriptorSet) {
  const File file;
  server_.Return("add-fd", Json::parse(R"({"fdset-id":0,"fd":33})"));
  ASSERT_TRUE(vm_->PrepareIncoming(file.fd(), Soon()).ok());
  EXPECT_EQ(ArgumentsOf("migrate-incoming"),
            Json::parse(R"({"uri":"file:/dev/fdset/0","exit-on-error":false})"));
}

TEST_F(MigrateTest, AnAnswerWithoutASetIsRefused) {
  const File file;
  server_.Return("add-fd", Json::parse(R"({"fd":33})"));
  EXPECT_TRUE(absl::IsFailedPrecondition(vm_->StartOutgoing(file.fd(), Soon())));
  EXPECT_THAT(server_.Commands(), ElementsAre("add-fd"));
}

TEST_F(MigrateTest, ARefusedMigrationGivesTheStreamBack) {
  server_.Refuse("migrate", "State blocked by non-migratable device");
  const absl::Status status = vm_->StartOutgoing(stream_[0], Soon());
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(Message(status), HasSubstr("State blocked by non-migratable device"));
  EXPECT_THAT(server_.Commands(), ElementsAre("getfd", "migrate", "closefd"));
}

TEST_F(MigrateTest, NoStreamNoMigration) {
  server_.Refuse("getfd", "No file descriptor supplied via SCM_RIGHTS");
  EXPECT_TRUE(absl::IsFailedPrecondition(vm_->StartOutgoing(stream_[0], Soon())));
  EXPECT_THAT(server_.Commands(), ElementsAre("getfd"));
}

TEST_F(MigrateTest, AStreamThatIsClosedIsTheCallersMistake) {
  EXPECT_TRUE(absl::IsInvalidArgument(vm_->StartOutgoing(-1, Soon())));
  EXPECT_TRUE(vm_->QueryRunState(Soon()).ok() ||
              absl::IsFailedPrecondition(vm_->QueryRunState(Soon()).status()))
      << "the monitor still works";
}

TEST_F(MigrateTest, ActsAreQemusCommands) {
  using Act = Hypervisor::Act;
  for (const Act act : {Act::kMigrateContinue, Act::kMigrateCancel, Act::kCont, Act::kQuit}) {
    EXPECT_TRUE(vm_->Do(act, Soon()).ok());
  }
  EXPECT_THAT(server_.Commands(),
              ElementsAre("migrate-continue", "migrate_cancel", "cont", "quit"));
  EXPECT_EQ(ArgumentsOf("migrate-continue"), Json::parse(R"({"state":"pre-switchover"})"));
}

TEST_F(MigrateTest, AwaitReducesEvents) {
  server_.Emit("MIGRATION", {{"status", "pre-switchover"}});
  server_.Emit("STOP");
  auto event = vm_->Await(Soon());
  EXPECT_EQ(event->name, "MIGRATION");
  EXPECT_EQ(event->status, "pre-switchover");
  EXPECT_EQ(vm_->Await(Soon())->name, "STOP");
  EXPECT_EQ(vm_->Await(absl::Now())->name, "");
  server_.CloseClient();
  EXPECT_TRUE(absl::IsUnavailable(vm_->Await(Soon()).status()));
}

}  // namespace
}  // namespace vuf
