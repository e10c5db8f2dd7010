// What is seen of a keeper, and of who serves behind it; and of the guest's memory in files.
#include <sys/sysmacros.h>
#include <unistd.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/discovery/host_discovery_world.h"
#include "server/keeper/fake_keeper.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kKeeper = 300;
// The keeper's end of its connection to the back-end, and the other one: a pair without names.
constexpr uint64_t kDown = 3000;
constexpr uint64_t kKept = 3001;
constexpr char kControl[] = "/run/fs0.control";

// The back-end of the world serves behind a keeper, which has the socket.
class KeeperDiscoveryTest : public HostDiscoveryTest {
 protected:
  KeeperDiscoveryTest() {
    fs::remove(dir_ + "/proc/200/fd/2000");
    EXPECT_EQ(symlink(absl::StrCat("socket:[", kKept, "]").c_str(),
                      absl::StrCat(dir_, "/proc/200/fd/", kKept).c_str()),
              0);
    AddProcess(kKeeper, 1, {"vuf-keeper", "--control-socket", kControl}, "/usr/bin/vuf-keeper",
               {kServer, kDown});
    Rows().push_back(Row(kDown, kKept));
    Rows().push_back(Row(kKept, kDown));
    SetMountNamespace("self", "mnt:[1]");
    SetMountNamespace("300", "mnt:[1]");
    AddKeeper(kControl);
    keepers_ = &fake_;
  }
  void AddKeeper(const std::string& control_socket) {
    fake_.Add({control_socket, {kKeeper, 500}, "k1"});
    fake_.Change(control_socket, [](KeeperFacts& facts) {
      facts.version = "0.6.1";
      facts.back_end_socket_inode = kDown;
      facts.front_ends = {{kServer, KeeperFacts::Role::kDriver, false}};
    });
  }
  void SetMountNamespace(const std::string& pid, const std::string& target) {
    fs::create_directories(absl::StrCat(dir_, "/proc/", pid, "/ns"));
    const std::string link = absl::StrCat(dir_, "/proc/", pid, "/ns/mnt");
    unlink(link.c_str());
    ASSERT_EQ(symlink(target.c_str(), link.c_str()), 0);
  }
  void SetArguments(const std::vector<std::string>& arguments) {
    Write("300/cmdline", absl::StrJoin(arguments, std::string(1, '\0')));
  }

  FakeKeeper fake_;
};

TEST_F(KeeperDiscoveryTest, SeesTheKeeperAndWhatIsBehindIt) {
  const BackEndFacts& seen = Observe();
  EXPECT_EQ(seen.process.value, (ProcessId{kKeeper, 500}));
  EXPECT_EQ(seen.executable.value, "/usr/bin/vuf-keeper");
  EXPECT_EQ(seen.kind.value, BackEndKind::kKeeper);
  EXPECT_EQ(seen.version.value, (Version{0, 6, 1}));
  ASSERT_TRUE(seen.keeper.known()) << seen.keeper.detail;
  EXPECT_EQ(*seen.keeper.value, fake_.Facts(kControl));
  EXPECT_EQ(seen.keeper.observed_at, clock_.Now());
  ASSERT_TRUE(seen.kept.known()) << seen.kept.detail;
  EXPECT_EQ(*seen.kept.value,
            (KeptBackEnd{{kBackEnd, 500}, ProcessState::kRunning, dir_ + "/virtiofsd"}));
  EXPECT_EQ(seen.front_ends.value, 1);
  EXPECT_EQ(seen.socket.value->peer_inode, kServer);
  EXPECT_EQ(seen.share.value->root, LookAt(dir_ + "/share")->file);
  EXPECT_EQ(seen.options.value->at("shared-dir"), dir_ + "/share");
  EXPECT_FALSE(seen.features.known());
  EXPECT_THAT(fake_.Actions(), ElementsAre());
}

TEST_F(KeeperDiscoveryTest, SeesHowTheBackEndBehindItRuns) {
  const BackEndFacts& seen = Observe();
  EXPECT_EQ(seen.descriptors.value, (DescriptorFacts{1, 1024})) << "the keeper has two";
  EXPECT_TRUE(seen.ids.known()) << seen.ids.detail;
  EXPECT_TRUE(seen.submounts.known()) << seen.submounts.detail;
  EXPECT_TRUE(seen.file_handles.known()) << seen.file_handles.detail;
  EXPECT_TRUE(seen.open_files.known()) << seen.open_files.detail;
  EXPECT_TRUE(seen.security_label.known()) << seen.security_label.detail;
}

TEST_F(KeeperDiscoveryTest, SeesThatTheBackEndBehindItIsFrozen) {
  SetFrozen("back-end", true);
  const BackEndFacts& seen = Observe();
  EXPECT_EQ(seen.process_state.value, ProcessState::kRunning);
  EXPECT_EQ(seen.kept.value->state, ProcessState::kFrozen);
}

TEST_F(KeeperDiscoveryTest, ABackEndBehindItOfUnknownStateIsUnknownWithTheReason) {
  Write("200/cgroup", "0::/elsewhere\n");
  const BackEndFacts& seen = Observe();
  EXPECT_FALSE(seen.kept.known());
  EXPECT_THAT(seen.kept.detail, HasSubstr("whether it is frozen"));
  EXPECT_TRUE(seen.share.known());
}

TEST_F(KeeperDiscoveryTest, TheKeeperServesAndNotTheChildThatInheritedItsSocket) {
  AddProcess(201, kKeeper, {"virtiofsd"}, dir_ + "/virtiofsd", {kServer});
  EXPECT_EQ(Observe().process.value, (ProcessId{kKeeper, 500}));
}

TEST_F(KeeperDiscoveryTest, TheBackEndIsNotTheKeeperThatHoldsBothEnds) {
  ASSERT_EQ(symlink("socket:[3001]", (dir_ + "/proc/300/fd/3001").c_str()), 0);
  EXPECT_EQ(Observe().kept.value->process, (ProcessId{kBackEnd, 500}));
}

TEST_F(KeeperDiscoveryTest, AKeeperThatDoesNotAnswerIsUnknown) {
  fake_.Die(kControl);
  const BackEndFacts& seen = Observe();
  EXPECT_EQ(seen.process.value, (ProcessId{kKeeper, 500}));
  EXPECT_FALSE(seen.keeper.known());
  EXPECT_THAT(seen.keeper.detail, HasSubstr("nobody listens"));
  EXPECT_FALSE(seen.kept.known());
  EXPECT_FALSE(seen.kind.known());
  EXPECT_FALSE(seen.share.known());
  EXPECT_FALSE(seen.options.known());
}

TEST_F(KeeperDiscoveryTest, WithoutAPortNoKeeperIsKnown) {
  keepers_ = nullptr;
  EXPECT_THAT(Observe().keeper.detail, HasSubstr("no means"));
}

TEST_F(KeeperDiscoveryTest, AnotherProcessAtTheControlSocketIsNotBelieved) {
  SetStat(kKeeper, 1, "S", 501);
  EXPECT_THAT(Observe().keeper.detail, HasSubstr("another process"));
}

TEST_F(KeeperDiscoveryTest, AKeeperWithoutControlSocketIsUnknown) {
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"vuf-keeper"},
                                             {"vuf-keeper", "--control-socket"},
                                             {"vuf-keeper", "--control-sockets=x"}}) {
    EXPECT_FALSE(ControlSocketOption(arguments).ok());
  }
  SetArguments({"vuf-keeper"});
  EXPECT_THAT(Observe().keeper.detail, HasSubstr("--control-socket PATH"));
}

TEST_F(KeeperDiscoveryTest, TheOptionMayBeOneArgument) {
  SetArguments({"vuf-keeper", absl::StrCat("--control-socket=", kControl)});
  EXPECT_TRUE(Observe().keeper.known());
}

TEST_F(KeeperDiscoveryTest, ReachesAKeeperInAnotherMountNamespaceThroughItsRoot) {
  SetMountNamespace("300", "mnt:[2]");
  AddKeeper(absl::StrCat(dir_, "/proc/300/root", kControl));
  const BackEndFacts& seen = Observe();
  ASSERT_TRUE(seen.keeper.known()) << seen.keeper.detail;
  EXPECT_EQ(seen.keeper.value->control_socket, absl::StrCat(dir_, "/proc/300/root", kControl));
}

TEST_F(KeeperDiscoveryTest, ReachesAKeeperWithAnotherRootThroughIt) {
  SetRoot(kKeeper, dir_);
  fake_.Die(kControl);
  AddKeeper(absl::StrCat(dir_, "/proc/300/root", kControl));
  EXPECT_TRUE(Observe().keeper.known());
}

TEST_F(KeeperDiscoveryTest, ASocketThatIsNotTheKeepersTellsNothing) {
  fake_.Change(kControl, [](KeeperFacts& facts) { facts.back_end_socket_inode = kClient; });
  const BackEndFacts& seen = Observe();
  EXPECT_TRUE(seen.keeper.known());
  EXPECT_THAT(seen.kept.detail, HasSubstr("has no such socket"));
  EXPECT_FALSE(seen.share.known());
}

TEST_F(KeeperDiscoveryTest, ABackEndThatIsGoneIsUnknown) {
  fs::remove(absl::StrCat(dir_, "/proc/200/fd/", kKept));
  EXPECT_THAT(Observe().kept.detail, HasSubstr("no process that vufd can see"));
  table_ = new FakeTable;
  table_->rows = std::vector<UnixSocket>{Row(kClient, kServer),
                                         Row(kServer, kClient, path_, LowBits(socket_file_))};
  EXPECT_THAT(Observe().kept.detail, HasSubstr("no other end"));
}

TEST_F(KeeperDiscoveryTest, SightsAKeepersEndpoint) {
  HostDiscovery discovery = Discovery();
  const EndpointSighting seen = discovery.ObserveEndpoint(path_, absl::InfiniteFuture());
  EXPECT_EQ(seen.state, EndpointSighting::State::kInUse) << seen.error;
  EXPECT_TRUE(seen.back_end.keeper.known()) << seen.back_end.keeper.detail;
  EXPECT_EQ(seen.back_end.kept.value->process, (ProcessId{kBackEnd, 500}));
}

TEST_F(HostDiscoveryTest, SeesTheFilesThatHoldTheMemory) {
  MemoryBackendFacts file, directory, missing, unknown;
  file.path = dir_ + "/virtiofsd";
  directory.path = dir_ + "/share";
  missing.path = dir_ + "/missing";
  vm_.memory_backends = Known(std::vector<MemoryBackendFacts>{file, directory, missing, unknown},
                              Source::kQmp, absl::Now());
  const FileId there = LookAt(*file.path)->file;
  Write(
      absl::StrCat(kQemu, "/maps"),
      absl::StrFormat("7f00-7f10 rw-p 00000000 00:00 0 \n7f10-7f20 rw-s 00000000 %02x:%02x %d %s\n",
                      major(there.device), minor(there.device), there.inode, *file.path));
  Observe();
  const std::vector<MemoryBackendFacts>& seen = *vm_.memory_backends.value;
  EXPECT_EQ(seen[0].file, there);
  EXPECT_EQ(seen[1].file, std::nullopt);
  EXPECT_EQ(seen[2].file, std::nullopt);
  EXPECT_EQ(seen[3].file, std::nullopt);
}

// The file was made anew after QEMU had mapped it: what a second QEMU would map is another one.
TEST_F(HostDiscoveryTest, AFileThatQemuHasNotMappedDoesNotHoldItsMemory) {
  MemoryBackendFacts file;
  file.path = dir_ + "/virtiofsd";
  vm_.memory_backends = Known(std::vector<MemoryBackendFacts>{file}, Source::kQmp, absl::Now());
  Write(absl::StrCat(kQemu, "/maps"), "7f10-7f20 rw-s 00000000 08:01 77 /virtiofsd (deleted)\n");
  Observe();
  EXPECT_EQ(vm_.memory_backends.value->front().file, std::nullopt);
}

TEST_F(HostDiscoveryTest, AQemuThatIsReplacedMeanwhileHasNoKnownMemory) {
  MemoryBackendFacts file;
  file.path = dir_ + "/virtiofsd";
  vm_.memory_backends = Known(std::vector<MemoryBackendFacts>{file}, Source::kQmp, absl::Now());
  table_->on_list = [this] { SetStat(kQemu, 1, "S", 501); };
  Observe();
  EXPECT_EQ(vm_.memory_backends.value->front().file, std::nullopt);
}

}  // namespace
}  // namespace vuf
