// Which process serves a device, and when that cannot be said; what is seen of endpoints.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/discovery/host_discovery_world.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

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
  clock_.n = 6;
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

TEST_F(HostDiscoveryTest, SeesTheSocketsOfManyPathsInOneList) {
  HostDiscovery discovery = Discovery();
  const int lists = table_->lists;
  auto seen = discovery.ObserveSockets({path_, path_ + ".missing", dir_ + "/virtiofsd"},
                                       absl::InfiniteFuture());
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(table_->lists, lists + 1);
  EXPECT_EQ(seen[0]->file, socket_file_);
  EXPECT_EQ(seen[0]->front_ends, 1);
  EXPECT_EQ(seen[0]->served, std::set<uint64_t>{Rows()[1].inode});
  EXPECT_EQ(seen[1], SocketSighting());
  EXPECT_EQ(seen[2], SocketSighting());
  Rows()[1].inode += 1000;
  EXPECT_NE(discovery.ObserveSockets({path_}, absl::InfiniteFuture())[0], seen[0]);
  table_->rows = absl::UnavailableError("busy");
  EXPECT_EQ(discovery.ObserveSockets({path_}, absl::InfiniteFuture())[0], std::nullopt);
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
