// Against the real kernel: this process plays QEMU, a child of it plays the back-end.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/discovery/host_discovery.h"
#include "tests/testing/temp_directory.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

// Listens on a socket in the test's directory and hands one accepted connection to a child that
// becomes the stub virtiofsd.
class LiveTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(dir_ + "/share");
    fs::copy_file("server/discovery/stub_virtiofsd", dir_ + "/virtiofsd");
    ASSERT_EQ(chmod((dir_ + "/virtiofsd").c_str(), 0755), 0);
    path_ = dir_ + "/s";
    sockaddr_un address = {AF_UNIX, {}};
    ASSERT_LT(path_.size(), sizeof(address.sun_path));
    memcpy(address.sun_path, path_.c_str(), path_.size());
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto* const name = reinterpret_cast<const sockaddr*>(&address);
    ASSERT_EQ(bind(listener_, name, sizeof(address)), 0);
    ASSERT_EQ(listen(listener_, 1), 0);
    client_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(connect(client_, name, sizeof(address)), 0);
    StartBackEnd();
  }

  void StartBackEnd() {
    const std::string program = dir_ + "/virtiofsd";
    const std::string share = absl::StrCat("--shared-dir=", dir_, "/share");
    const int accepted = accept4(listener_, nullptr, nullptr, 0);
    ASSERT_GE(accepted, 0);
    // Its end tells when the child has become the program.
    int started[2];
    ASSERT_EQ(pipe2(started, O_CLOEXEC), 0);
    back_end_ = fork();
    if (back_end_ == 0) {
      execl(program.c_str(), "virtiofsd", share.c_str(), "--sandbox", "none", nullptr);
      _exit(1);
    }
    close(started[1]);
    char byte;
    EXPECT_EQ(read(started[0], &byte, 1), 0);
    close(started[0]);
    close(accepted);
  }

  void TearDown() override {
    if (back_end_ > 0) {
      kill(back_end_, SIGKILL);
      waitpid(back_end_, nullptr, 0);
    }
    close(listener_);
    close(client_);
  }

  VmFacts Vm() const {
    VmFacts vm;
    vm.process =
        Known(ProcessId{getpid(), Procfs().Stat(getpid())->start_ticks}, Source::kQmp, absl::Now());
    FsDeviceFacts device;
    device.chardev = Known(ChardevFacts{"unix:" + path_, path_, true}, Source::kQmp, absl::Now());
    vm.devices = Known(std::vector<FsDeviceFacts>{device}, Source::kQmp, absl::Now());
    return vm;
  }

  TempDirectory directory_;
  const std::string& dir_ = directory_.path();
  std::string path_;
  int listener_ = -1;
  int client_ = -1;
  pid_t back_end_ = -1;
  SystemClock clock_;
  HostDiscovery discovery_{HostDiscoveryOptions{}, std::make_unique<NetlinkSocketTable>(), &clock_};
};

TEST_F(LiveTest, SeesTheBackEndBehindTheConnection) {
  VmFacts vm = Vm();
  discovery_.ObserveBackEnds(vm, Look::kEverything, absl::Now() + absl::Seconds(60));
  const BackEndFacts& seen = vm.devices.value->front().back_end;
  const FileId file = LookAt(path_)->file;
  ASSERT_TRUE(seen.socket.known()) << seen.socket.detail;
  EXPECT_EQ(seen.socket.value->bound_file, file);
  EXPECT_EQ(seen.socket.value->file_at_path, file);
  EXPECT_EQ(seen.front_ends.value, 1);
  ASSERT_TRUE(seen.process.known()) << seen.process.detail;
  EXPECT_EQ(seen.process.value->pid, back_end_);
  EXPECT_EQ(seen.process_state.value, ProcessState::kRunning);
  ASSERT_TRUE(seen.kind.known()) << seen.kind.detail;
  EXPECT_EQ(seen.kind.value, BackEndKind::kVirtiofsd);
  EXPECT_THAT(*seen.features.value, ElementsAre("migrate-precopy"));
  EXPECT_TRUE(seen.effective_capabilities.known());
  ASSERT_TRUE(seen.share.known()) << seen.share.detail;
  EXPECT_EQ(seen.share.value->root, LookAt(dir_ + "/share")->file);
  EXPECT_FALSE(seen.share.value->file_system.empty());
  EXPECT_EQ(vm.started_paused.value, false);
}

// A guest may be stopped meanwhile: no walk over all that the back-end has open.
TEST_F(LiveTest, SeesOnlyWhoIsWhoWhenAskedForNoMore) {
  VmFacts vm = Vm();
  discovery_.ObserveBackEnds(vm, Look::kWhoIsWho, absl::Now() + absl::Seconds(60));
  const BackEndFacts& seen = vm.devices.value->front().back_end;
  EXPECT_TRUE(seen.socket.known()) << seen.socket.detail;
  EXPECT_TRUE(seen.process.known()) << seen.process.detail;
  EXPECT_TRUE(seen.process_state.known()) << seen.process_state.detail;
  EXPECT_TRUE(seen.share.known()) << seen.share.detail;
  for (const std::string& why : {seen.descriptors.detail, seen.open_files.detail}) {
    EXPECT_THAT(why, HasSubstr("not looked at"));
  }
  EXPECT_FALSE(seen.descriptors.known());
  EXPECT_FALSE(seen.open_files.known());
}

// What is only of interest when the rest fits.
TEST_F(LiveTest, SeesHowTheBackEndRuns) {
  VmFacts vm = Vm();
  discovery_.ObserveBackEnds(vm, Look::kEverything, absl::Now() + absl::Seconds(60));
  const BackEndFacts& seen = vm.devices.value->front().back_end;
  EXPECT_TRUE(seen.file_handles.known()) << seen.file_handles.detail;
  ASSERT_TRUE(seen.submounts.known()) << seen.submounts.detail;
  EXPECT_TRUE(seen.submounts.value->empty());
  ASSERT_TRUE(seen.ids.known()) << seen.ids.detail;
  EXPECT_EQ(seen.ids.value->at("uid"), absl::StrCat(geteuid()));
  EXPECT_FALSE(seen.ids.value->at("gid_map").empty());
  EXPECT_TRUE(seen.security_label.known()) << seen.security_label.detail;
  ASSERT_TRUE(seen.descriptors.known()) << seen.descriptors.detail;
  EXPECT_GE(seen.descriptors.value->open, 1u);
  EXPECT_GE(seen.descriptors.value->limit, seen.descriptors.value->open);
  ASSERT_TRUE(seen.open_files.known()) << seen.open_files.detail;
  EXPECT_EQ(seen.open_files.value->deleted, 0u);
}

TEST_F(LiveTest, SeesAFileThatIsDeletedWhileTheBackEndHasItOpen) {
  kill(back_end_, SIGKILL);
  waitpid(back_end_, nullptr, 0);
  close(client_);
  client_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address = {AF_UNIX, {}};
  memcpy(address.sun_path, path_.c_str(), path_.size());
  ASSERT_EQ(connect(client_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  // Inherited by the back-end.
  const std::string file = dir_ + "/share/scratch";
  const int fd = open(file.c_str(), O_CREAT | O_RDWR, 0600);
  ASSERT_GE(fd, 0);
  StartBackEnd();
  close(fd);
  ASSERT_EQ(unlink(file.c_str()), 0);
  VmFacts vm = Vm();
  discovery_.ObserveBackEnds(vm, Look::kEverything, absl::Now() + absl::Seconds(60));
  const BackEndFacts& seen = vm.devices.value->front().back_end;
  ASSERT_TRUE(seen.open_files.known()) << seen.open_files.detail;
  EXPECT_EQ(seen.open_files.value->deleted, 1u);
  EXPECT_EQ(seen.open_files.value->deleted_example, "scratch");
}

TEST_F(LiveTest, SeesThatTheExecutableWasReplaced) {
  fs::remove(dir_ + "/virtiofsd");
  VmFacts vm = Vm();
  discovery_.ObserveBackEnds(vm, Look::kEverything, absl::Now() + absl::Seconds(60));
  const BackEndFacts& seen = vm.devices.value->front().back_end;
  EXPECT_EQ(seen.executable.value, dir_ + "/virtiofsd");
  EXPECT_EQ(seen.executable_deleted.value, true);
  EXPECT_EQ(seen.version.value, (Version{1, 14, 0}));
}

TEST_F(LiveTest, ADeadBackEndIsNotSeenAsServing) {
  ASSERT_EQ(kill(back_end_, SIGKILL), 0);
  ASSERT_EQ(waitpid(back_end_, nullptr, 0), back_end_);
  back_end_ = -1;
  VmFacts vm = Vm();
  discovery_.ObserveBackEnds(vm, Look::kEverything, absl::Now() + absl::Seconds(60));
  EXPECT_FALSE(vm.devices.value->front().back_end.process.known());
}

TEST_F(LiveTest, SightsTheEndpoint) {
  const EndpointSighting seen = discovery_.ObserveEndpoint(path_, absl::Now() + absl::Seconds(60));
  EXPECT_EQ(seen.state, EndpointSighting::State::kInUse) << seen.error;
  EXPECT_EQ(seen.back_end.process.value->pid, back_end_) << seen.back_end.process.detail;
}

}  // namespace
}  // namespace vuf
