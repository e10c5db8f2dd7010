// A /proc made of files, sockets made of rows: one world in which everything can be seen, and in
// each test one thing that spoils it.
#include "server/discovery/host_discovery.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr int kQemu = 100;
constexpr int kBackEnd = 200;
// Sockets: QEMU's end, the back-end's end.
constexpr uint64_t kClient = 1000;
constexpr uint64_t kServer = 2000;

class FakeTable : public SocketTable {
 public:
  absl::StatusOr<std::vector<UnixSocket>> List(absl::Time) override {
    ++lists;
    if (on_list) on_list();
    return rows;
  }
  absl::StatusOr<std::vector<UnixSocket>> rows;
  std::function<void()> on_list;
  int lists = 0;
};

UnixSocket Row(uint64_t inode, uint64_t peer, const std::string& name = "",
               std::optional<FileId> file = std::nullopt) {
  UnixSocket row;
  row.inode = inode;
  row.stream = row.established = true;
  row.peer = peer;
  row.name = name;
  row.file = file;
  return row;
}

class HostDiscoveryTest : public ::testing::Test {
 protected:
  HostDiscoveryTest() {
    dir_ = absl::StrCat(getenv("TEST_TMPDIR"), "/",
                        ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(dir_ + "/share");
    fs::create_directories(dir_ + "/proc/self");
    fs::create_directories(dir_ + "/proc/sys/kernel/random");
    fs::copy_file("server/discovery/stub_virtiofsd", dir_ + "/virtiofsd");
    chmod((dir_ + "/virtiofsd").c_str(), 0755);
    BindSocket(path_ = dir_ + "/s");
    socket_file_ = LookAt(path_)->file;
    Write("sys/kernel/random/boot_id", "a0779e4f-a352-4d91-8aa8-5c8c9cfb9257\n");
    AddProcess(kQemu, 1, {"qemu-system-x86_64", "-S", "-nodefaults"}, "/usr/bin/qemu", {kClient});
    AddProcess(kBackEnd, 1, {"virtiofsd", "--shared-dir", dir_ + "/share"}, dir_ + "/virtiofsd",
               {kServer});
    SetRoot(kBackEnd, dir_ + "/share");
    const uint64_t mount = LookAt(dir_ + "/share")->mount_id.value();
    Write("200/mountinfo", absl::StrCat(mount, " 1 8:1 / / ro - ext4 /dev/vda1 rw\n"));
    table_->rows = std::vector<UnixSocket>{Row(kClient, kServer),
                                           Row(kServer, kClient, path_, LowBits(socket_file_))};
    FsDeviceFacts device;
    device.id = "fs0";
    device.chardev_label = Known<std::string>("char0", Source::kQmp, absl::Now());
    device.chardev = Known(ChardevFacts{"unix:" + path_, path_, true}, Source::kQmp, absl::Now());
    vm_.process = Known(ProcessId{kQemu, 500}, Source::kQmp, absl::Now());
    vm_.devices = Known(std::vector<FsDeviceFacts>{device}, Source::kQmp, absl::Now());
  }
  ~HostDiscoveryTest() override { fs::remove_all(dir_); }

  static FileId LowBits(FileId file) { return {file.device, file.inode & 0xffffffff}; }

  // Relative to the directory of `path`: the whole path may be too long for an address.
  static void BindSocket(const std::string& path) {
    const std::string before = fs::current_path();
    fs::current_path(fs::path(path).parent_path());
    sockaddr_un address = {AF_UNIX, {}};
    strncpy(address.sun_path, fs::path(path).filename().c_str(), sizeof(address.sun_path) - 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    close(fd);
    fs::current_path(before);
  }
  void Write(const std::string& file, const std::string& text) {
    std::ofstream(dir_ + "/proc/" + file) << text;
  }
  void SetStat(int pid, int parent, const std::string& state = "S", uint64_t start = 500) {
    Write(absl::StrCat(pid, "/stat"), absl::StrCat(pid, " (x) ", state, " ", parent,
                                                   " 1 1 0 -1 1 1 0 0 0 3 4 0 0 20 0 2 0 ", start));
  }
  void SetRoot(int pid, const std::string& root) {
    const std::string link = absl::StrCat(dir_, "/proc/", pid, "/root");
    unlink(link.c_str());
    ASSERT_EQ(symlink(root.c_str(), link.c_str()), 0);
  }
  void AddProcess(int pid, int parent, const std::vector<std::string>& arguments,
                  const std::string& exe, const std::vector<uint64_t>& sockets) {
    const std::string proc = absl::StrCat(dir_, "/proc/", pid);
    fs::create_directories(proc + "/fd");
    SetStat(pid, parent);
    SetRoot(pid, "/");
    Write(absl::StrCat(pid, "/cmdline"), absl::StrJoin(arguments, std::string(1, '\0')));
    Write(absl::StrCat(pid, "/status"), "CapEff:\t00000000000000df\n");
    ASSERT_EQ(symlink(exe.c_str(), (proc + "/exe").c_str()), 0);
    ASSERT_EQ(symlink(dir_.c_str(), (proc + "/cwd").c_str()), 0);
    for (const uint64_t inode : sockets) {
      const std::string link = absl::StrCat(proc, "/fd/", inode);
      ASSERT_EQ(symlink(absl::StrCat("socket:[", inode, "]").c_str(), link.c_str()), 0);
    }
  }

  // Runs something when the time is asked for the `n`th time.
  class MeddlingClock : public Clock {
   public:
    absl::Time Now() const override {
      if (++calls_ == n) meddle();
      return absl::UnixEpoch() + absl::Hours(1);
    }
    int n = 0;
    std::function<void()> meddle;

   private:
    mutable int calls_ = 0;
  };

  HostDiscovery Discovery() {
    HostDiscoveryOptions options;
    options.proc_root = dir_ + "/proc";
    auto table = std::unique_ptr<FakeTable>(table_);
    return HostDiscovery(options, std::move(table), &clock_);
  }
  // What is seen of the one device's back-end.
  const BackEndFacts& Observe(absl::Time deadline = absl::Now() + absl::Seconds(30)) {
    HostDiscovery discovery = Discovery();
    discovery.ObserveBackEnds(vm_, deadline);
    return vm_.devices.value->front().back_end;
  }
  ChardevFacts& Chardev() { return *vm_.devices.value->front().chardev.value; }
  std::vector<UnixSocket>& Rows() { return *table_->rows; }

  std::string dir_;
  std::string path_;
  FileId socket_file_;
  // Owned by the discovery that a test makes.
  FakeTable* table_ = new FakeTable;
  MeddlingClock clock_;
  VmFacts vm_;
};

void ExpectNothingOfTheProcess(const BackEndFacts& seen) {
  EXPECT_FALSE(seen.process.known());
  EXPECT_FALSE(seen.process_state.known());
  EXPECT_FALSE(seen.executable.known());
  EXPECT_FALSE(seen.kind.known());
  EXPECT_FALSE(seen.version.known());
  EXPECT_FALSE(seen.options.known());
  EXPECT_FALSE(seen.features.known());
  EXPECT_FALSE(seen.effective_capabilities.known());
  EXPECT_FALSE(seen.share.known());
}

TEST_F(HostDiscoveryTest, SeesEverything) {
  const BackEndFacts& seen = Observe();
  EXPECT_EQ(seen.socket.value, (SocketFacts{path_, socket_file_, socket_file_, kServer}));
  EXPECT_EQ(seen.process.value, (ProcessId{kBackEnd, 500}));
  EXPECT_EQ(seen.process_state.value, ProcessState::kRunning);
  EXPECT_EQ(seen.executable.value, dir_ + "/virtiofsd");
  EXPECT_EQ(seen.executable_deleted.value, false);
  EXPECT_EQ(seen.version_line.value, "virtiofsd 1.14.0");
  EXPECT_EQ(seen.version.value, (Version{1, 14, 0}));
  EXPECT_EQ(seen.kind.value, BackEndKind::kVirtiofsd);
  EXPECT_EQ(seen.options.value->at("shared-dir"), dir_ + "/share");
  EXPECT_THAT(*seen.features.value, ElementsAre("migrate-precopy"));
  EXPECT_EQ(seen.effective_capabilities.value, 0xdfu);
  EXPECT_EQ(seen.share.value, (ShareId{LookAt(dir_ + "/share")->file, "ext4", "/dev/vda1", true}));
  EXPECT_EQ(seen.front_ends.value, 1);
  EXPECT_EQ(seen.process.observed_at, clock_.Now());
  EXPECT_EQ(vm_.started_paused.value, true);
  EXPECT_EQ(vm_.process.value, (ProcessId{kQemu, 500}));
}

TEST_F(HostDiscoveryTest, TellsTheBootId) {
  HostDiscovery discovery = Discovery();
  EXPECT_EQ(discovery.BootId().value, "a0779e4f-a352-4d91-8aa8-5c8c9cfb9257");
  Write("sys/kernel/random/boot_id", "nonsense");
  EXPECT_FALSE(discovery.BootId().known());
}

TEST_F(HostDiscoveryTest, AnotherProcessWithQemusPidIsNotQemu) {
  SetStat(kQemu, 1, "S", 501);
  const BackEndFacts& seen = Observe();
  EXPECT_FALSE(vm_.process.known());
  EXPECT_FALSE(vm_.started_paused.known());
  EXPECT_THAT(seen.socket.detail, HasSubstr("started at another time"));
  ExpectNothingOfTheProcess(seen);
}

TEST_F(HostDiscoveryTest, AQemuOfUnknownStartIsPinned) {
  vm_.process.value->start_ticks = 0;
  EXPECT_TRUE(Observe().process.known());
  EXPECT_EQ(vm_.process.value, (ProcessId{kQemu, 500}));
}

TEST_F(HostDiscoveryTest, AQemuThatIsReplacedMeanwhileSpoilsEverything) {
  table_->on_list = [this] { SetStat(kQemu, 1, "S", 501); };
  const BackEndFacts& seen = Observe();
  EXPECT_FALSE(vm_.process.known());
  EXPECT_FALSE(vm_.started_paused.known());
  EXPECT_FALSE(seen.socket.known());
  EXPECT_FALSE(seen.front_ends.known());
  ExpectNothingOfTheProcess(seen);
}

TEST_F(HostDiscoveryTest, ABackEndThatIsReplacedMeanwhileIsUnknown) {
  // Before its executable is looked at, after its start was read.
  clock_.n = 4;
  clock_.meddle = [this] { SetStat(kBackEnd, 1, "S", 501); };
  const BackEndFacts& seen = Observe();
  EXPECT_TRUE(seen.socket.known());
  EXPECT_THAT(seen.process.detail, HasSubstr("changed while it was looked at"));
  ExpectNothingOfTheProcess(seen);
}

TEST_F(HostDiscoveryTest, SeesThatThePathWasBoundAgain) {
  fs::remove(path_);
  fs::create_directories(dir_ + "/keeps-the-inode-busy");
  BindSocket(path_);
  Rows()[1].file = FileId{socket_file_.device, 12345678};
  const BackEndFacts& seen = Observe();
  ASSERT_TRUE(seen.socket.known()) << seen.socket.detail;
  EXPECT_EQ(seen.socket.value->bound_file.inode, 12345678u);
  EXPECT_EQ(seen.socket.value->file_at_path, LookAt(path_)->file);
}

TEST_F(HostDiscoveryTest, SeesThatTheSocketFileIsGone) {
  fs::remove(path_);
  const BackEndFacts& seen = Observe();
  ASSERT_TRUE(seen.socket.known()) << seen.socket.detail;
  EXPECT_EQ(seen.socket.value->file_at_path, FileId{});
  EXPECT_EQ(seen.socket.value->bound_file, LowBits(socket_file_));
}

TEST_F(HostDiscoveryTest, RecognisesTheFileUnderAnotherName) {
  Rows()[1].name = "s";
  EXPECT_EQ(Observe().process.value, (ProcessId{kBackEnd, 500}));
}

TEST_F(HostDiscoveryTest, ResolvesARelativePathAsQemuDoes) {
  Chardev().socket_path = "s";
  const BackEndFacts& seen = Observe();
  ASSERT_TRUE(seen.socket.known()) << seen.socket.detail;
  EXPECT_EQ(seen.socket.value->bound_file, socket_file_);
  EXPECT_EQ(seen.socket.value->file_at_path, socket_file_);
}

TEST_F(HostDiscoveryTest, TwoConnectionsToOnePathAreAmbiguous) {
  Rows().push_back(Row(1001, 2001));
  Rows().push_back(Row(2001, 1001, path_, LowBits(socket_file_)));
  ASSERT_EQ(symlink("socket:[1001]", (dir_ + "/proc/100/fd/1001").c_str()), 0);
  const BackEndFacts& seen = Observe();
  EXPECT_THAT(seen.socket.detail, HasSubstr("2 connections"));
  ExpectNothingOfTheProcess(seen);
}

TEST_F(HostDiscoveryTest, CountsEveryFrontEnd) {
  Rows().push_back(Row(1001, 2001));
  Rows().push_back(Row(2001, 1001, path_, LowBits(socket_file_)));
  EXPECT_EQ(Observe().front_ends.value, 2);
}

TEST_F(HostDiscoveryTest, NoConnectionIsUnknown) {
  Rows().clear();
  EXPECT_THAT(Observe().socket.detail, HasSubstr("0 connections"));
}

TEST_F(HostDiscoveryTest, ADisconnectedDeviceIsUnknown) {
  Chardev().connected = false;
  EXPECT_THAT(Observe().socket.detail, HasSubstr("not connected"));
}

TEST_F(HostDiscoveryTest, FindsThePathOnQemusCommandLine) {
  Chardev().socket_path = "";
  const std::string chardev = absl::StrCat("socket,id=char0,path=", path_);
  Write("100/cmdline", absl::StrJoin({std::string("qemu"), std::string("-chardev"), chardev},
                                     std::string(1, '\0')));
  EXPECT_EQ(Observe().socket.value, (SocketFacts{path_, socket_file_, socket_file_, kServer}));
  EXPECT_EQ(vm_.started_paused.value, false);
}

TEST_F(HostDiscoveryTest, APathThatIsNowhereIsUnknown) {
  Chardev().socket_path = "";
  EXPECT_THAT(Observe().socket.detail, HasSubstr("\"char0\""));
}

TEST_F(HostDiscoveryTest, SocketsThatCannotBeListedAreUnknown) {
  table_->rows = absl::UnavailableError("the unix sockets kept changing");
  const BackEndFacts& seen = Observe();
  EXPECT_THAT(seen.socket.detail, HasSubstr("kept changing"));
  ExpectNothingOfTheProcess(seen);
  EXPECT_TRUE(vm_.process.known());
}

TEST_F(HostDiscoveryTest, ASocketNobodyHoldsHasNoProcess) {
  fs::remove(dir_ + "/proc/200/fd/2000");
  const BackEndFacts& seen = Observe();
  EXPECT_TRUE(seen.socket.known());
  EXPECT_THAT(seen.process.detail, HasSubstr("no process that vufd can see"));
  ExpectNothingOfTheProcess(seen);
}

TEST_F(HostDiscoveryTest, OfParentAndChildTheChildServes) {
  AddProcess(201, kBackEnd, {"virtiofsd"}, dir_ + "/virtiofsd", {kServer});
  EXPECT_EQ(Observe().process.value, (ProcessId{201, 500}));
}

TEST_F(HostDiscoveryTest, ABackEndServesAndNotItsSupervisor) {
  AddProcess(150, 1, {"supervisor"}, "/usr/bin/supervisor", {kServer});
  EXPECT_EQ(Observe().process.value, (ProcessId{kBackEnd, 500}));
}

TEST_F(HostDiscoveryTest, TwoStrangersWithOneSocketAreAmbiguous) {
  AddProcess(201, 1, {"virtiofsd"}, dir_ + "/virtiofsd", {kServer});
  const BackEndFacts& seen = Observe();
  EXPECT_THAT(seen.process.detail, HasSubstr("several processes"));
  ExpectNothingOfTheProcess(seen);
}

TEST_F(HostDiscoveryTest, SeesAStoppedBackEnd) {
  SetStat(kBackEnd, 1, "T");
  EXPECT_EQ(Observe().process_state.value, ProcessState::kStopped);
}

TEST_F(HostDiscoveryTest, AProgramThatNoProfileNamesIsOfUnknownKind) {
  fs::rename(dir_ + "/virtiofsd", dir_ + "/strange");
  fs::remove(dir_ + "/proc/200/exe");
  ASSERT_EQ(symlink((dir_ + "/strange").c_str(), (dir_ + "/proc/200/exe").c_str()), 0);
  const BackEndFacts& seen = Observe();
  EXPECT_TRUE(seen.process.known());
  EXPECT_FALSE(seen.kind.known());
  EXPECT_FALSE(seen.version.known());
  EXPECT_FALSE(seen.share.known());
  EXPECT_THAT(seen.version.detail, HasSubstr("not one that a profile names"));
  EXPECT_EQ(seen.options.value->count("sandbox"), 0u);
}

TEST_F(HostDiscoveryTest, WithoutASandboxTheShareIsTheDirectoryItNames) {
  SetRoot(kBackEnd, "/");
  Write("200/cmdline",
        absl::StrJoin({"virtiofsd", "--shared-dir=share", "--sandbox=none"}, std::string(1, '\0')));
  EXPECT_EQ(Observe().share.value->root, LookAt(dir_ + "/share")->file);
}

TEST_F(HostDiscoveryTest, ABackEndOutsideItsSandboxHasNoKnownShare) {
  SetRoot(kBackEnd, "/");
  EXPECT_THAT(Observe().share.detail, HasSubstr("not in its sandbox"));
}

TEST_F(HostDiscoveryTest, AShareWhoseMountNobodySeesIsUnknown) {
  Write("200/mountinfo", "");
  EXPECT_FALSE(Observe().share.known());
}

TEST_F(HostDiscoveryTest, AfterAChrootVufdsOwnMountsTell) {
  Write("200/mountinfo", "");
  const uint64_t mount = LookAt(dir_ + "/share")->mount_id.value();
  Write("self/mountinfo", absl::StrCat(mount, " 1 8:1 / / rw - xfs /dev/vdb rw\n"));
  const BackEndFacts& seen = Observe();
  ASSERT_TRUE(seen.share.known()) << seen.share.detail;
  EXPECT_EQ(seen.share.value->file_system, "xfs");
  EXPECT_FALSE(seen.share.value->mount_read_only);
}

TEST_F(HostDiscoveryTest, NothingIsKnownAfterTheDeadline) {
  const BackEndFacts& seen = Observe(absl::Now() - absl::Seconds(1));
  EXPECT_THAT(seen.process.detail, HasSubstr("no time left"));
  ExpectNothingOfTheProcess(seen);
}

TEST_F(HostDiscoveryTest, ListsTheSocketsOnceForAllDevices) {
  vm_.devices.value->push_back(vm_.devices.value->front());
  table_->on_list = [this] { ASSERT_EQ(table_->lists, 1); };
  Observe();
  EXPECT_TRUE(vm_.devices.value->back().back_end.process.known());
}

TEST_F(HostDiscoveryTest, SightsAnEndpointInUse) {
  HostDiscovery discovery = Discovery();
  const EndpointSighting seen = discovery.ObserveEndpoint(path_, absl::InfiniteFuture());
  EXPECT_EQ(seen.state, EndpointSighting::State::kInUse) << seen.error;
  EXPECT_EQ(seen.socket_file, socket_file_);
  EXPECT_EQ(seen.back_end.process.value, (ProcessId{kBackEnd, 500}));
  EXPECT_EQ(seen.back_end.front_ends.value, 1);
}

TEST_F(HostDiscoveryTest, SightsAListeningEndpoint) {
  Rows()[1].listening = true;
  Rows()[1].established = false;
  Rows()[1].peer = 0;
  HostDiscovery discovery = Discovery();
  const EndpointSighting seen = discovery.ObserveEndpoint(path_, absl::InfiniteFuture());
  EXPECT_EQ(seen.state, EndpointSighting::State::kListening) << seen.error;
  EXPECT_EQ(seen.back_end.process.value, (ProcessId{kBackEnd, 500}));
  EXPECT_EQ(seen.back_end.front_ends.value, 0);
}

TEST_F(HostDiscoveryTest, SightsAnAbsentEndpoint) {
  Rows().clear();
  HostDiscovery discovery = Discovery();
  EndpointSighting seen = discovery.ObserveEndpoint(path_, absl::InfiniteFuture());
  EXPECT_EQ(seen.state, EndpointSighting::State::kAbsent);
  EXPECT_EQ(seen.socket_file, socket_file_);
  EXPECT_THAT(seen.error, HasSubstr("nobody serves"));
  seen = discovery.ObserveEndpoint(path_ + ".missing", absl::InfiniteFuture());
  EXPECT_EQ(seen.state, EndpointSighting::State::kAbsent);
  EXPECT_EQ(seen.socket_file, std::nullopt);
  seen = discovery.ObserveEndpoint(dir_ + "/virtiofsd", absl::InfiniteFuture());
  EXPECT_THAT(seen.error, HasSubstr("is no socket"));
}

TEST_F(HostDiscoveryTest, AnEndpointThatCannotBeLookedAtIsUnknown) {
  table_->rows = absl::UnavailableError("busy");
  HostDiscovery discovery = Discovery();
  EXPECT_EQ(discovery.ObserveEndpoint(path_, absl::InfiniteFuture()).state,
            EndpointSighting::State::kUnknown);
  const EndpointSighting seen = discovery.ObserveEndpoint("s", absl::InfiniteFuture());
  EXPECT_EQ(seen.state, EndpointSighting::State::kUnknown);
  EXPECT_THAT(seen.error, HasSubstr("not absolute"));
}

}  // namespace
}  // namespace vuf
