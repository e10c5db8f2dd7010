// A /proc made of files, sockets made of rows, as in host_discovery_world.h.
#include "server/discovery/host_qemu_finder.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/discovery/host_discovery_world.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;

constexpr int kOther = 300;
constexpr uint64_t kListener = 3000;

// The world's QEMU gets a name, and a monitor at `monitor_` on which it listens.
class HostQemuFinderTest : public HostDiscoveryTest {
 protected:
  HostQemuFinderTest() {
    monitor_ = dir_ + "/m";
    BindSocket(monitor_);
    AddQemu(kOther, {"qemu-system-x86_64", "-qmp", "unix:" + monitor_ + ",server=on,wait=off"});
    UnixSocket listener = Row(kListener, 0, monitor_, LowBits(LookAt(monitor_)->file));
    listener.established = false;
    listener.listening = true;
    Rows().push_back(listener);
    fs::remove_all(dir_ + "/proc/100");
  }
  void AddQemu(int pid, const std::vector<std::string>& arguments,
               const std::string& exe = "/usr/bin/qemu-system-x86_64") {
    fs::remove_all(absl::StrCat(dir_, "/proc/", pid));
    AddProcess(pid, 1, arguments, exe, {kListener});
  }
  void AddClient() { Rows().push_back(Row(3001, 3002, monitor_, Rows().back().file)); }

  QemuSighting Find() {
    HostQemuFinder finder(std::unique_ptr<FakeTable>(table_), dir_ + "/proc");
    absl::StatusOr<QemuSighting> found = finder.Find(absl::Now() + absl::Seconds(30));
    EXPECT_TRUE(found.ok()) << found.status();
    return found.value_or(QemuSighting());
  }
  // The one monitor of the one QEMU.
  QemuMonitor FindMonitor() {
    const QemuSighting found = Find();
    EXPECT_EQ(found.qemus.size(), 1u);
    if (found.qemus.size() != 1 || found.qemus[0].monitors.size() != 1) return {};
    return found.qemus[0].monitors[0];
  }

  std::string monitor_;
};

TEST_F(HostQemuFinderTest, AMonitorThatItsQemuServes) {
  const QemuSighting found = Find();
  ASSERT_EQ(found.qemus.size(), 1u);
  EXPECT_EQ(found.qemus[0].process, (ProcessId{kOther, 500}));
  EXPECT_EQ(found.qemus[0].program, "/usr/bin/qemu-system-x86_64");
  ASSERT_EQ(found.qemus[0].monitors.size(), 1u);
  EXPECT_EQ(found.qemus[0].monitors[0].path, monitor_);
  EXPECT_EQ(found.qemus[0].monitors[0].why_not, "");
  EXPECT_EQ(found.closed, 0u);
}

TEST_F(HostQemuFinderTest, ARelativePathIsBelowItsWorkingDirectory) {
  AddQemu(kOther, {"qemu-system-x86_64", "-qmp", "unix:m,server=on"});
  const QemuMonitor monitor = FindMonitor();
  EXPECT_EQ(monitor.path, monitor_);
  EXPECT_EQ(monitor.why_not, "");
}

TEST_F(HostQemuFinderTest, AnInheritedSocketIsFoundByItsDescriptor) {
  AddQemu(kOther, {"qemu-kvm", "-chardev", "socket,id=m,fd=3000,server=on", "-mon",
                   "chardev=m,mode=control"});
  EXPECT_EQ(FindMonitor().path, monitor_);
}

TEST_F(HostQemuFinderTest, InUse) {
  AddClient();
  const QemuMonitor monitor = FindMonitor();
  EXPECT_EQ(monitor.path, monitor_);
  EXPECT_THAT(monitor.why_not, HasSubstr("in use"));
}

TEST_F(HostQemuFinderTest, WithoutAMonitor) {
  AddQemu(kOther, {"qemu-system-x86_64", "-S"});
  const QemuSighting found = Find();
  ASSERT_EQ(found.qemus.size(), 1u);
  EXPECT_TRUE(found.qemus[0].monitors.empty());
}

TEST_F(HostQemuFinderTest, TheSocketOfAnotherProcessIsNotItsMonitor) {
  unlink(absl::StrCat(dir_, "/proc/", kOther, "/fd/", kListener).c_str());
  EXPECT_THAT(FindMonitor().why_not, HasSubstr("another process listens"));
}

TEST_F(HostQemuFinderTest, NobodyListens) {
  Rows().pop_back();
  EXPECT_THAT(FindMonitor().why_not, HasSubstr("nobody listens"));
}

TEST_F(HostQemuFinderTest, TheFileIsGone) {
  unlink(monitor_.c_str());
  EXPECT_THAT(FindMonitor().why_not, HasSubstr("No such file"));
}

TEST_F(HostQemuFinderTest, AnotherMountNamespaceIsSaidWithTheWayThere) {
  // Its root is the test's directory, so its "/m" is not vufd's.
  AddQemu(kOther, {"qemu-system-x86_64", "-qmp", "unix:/m,server=on"});
  SetRoot(kOther, dir_);
  const QemuMonitor monitor = FindMonitor();
  EXPECT_EQ(monitor.path, "/m");
  EXPECT_THAT(monitor.why_not, HasSubstr("another mount namespace"));
  EXPECT_THAT(monitor.why_not, HasSubstr(dir_ + "/proc/300/root/m"));
}

TEST_F(HostQemuFinderTest, AnotherNameIsAQemuWhenItServesAMonitor) {
  AddQemu(kOther, {"vmm", "-qmp", "unix:" + monitor_ + ",server=on"}, "/opt/vmm");
  EXPECT_EQ(FindMonitor().why_not, "");
}

TEST_F(HostQemuFinderTest, WhoStartedAQemuIsNone) {
  AddProcess(400, 1, {"sudo", "qemu", "-qmp", "unix:" + monitor_ + ",server=on"}, "/usr/bin/sudo",
             {});
  EXPECT_EQ(Find().qemus.size(), 1u);
}

TEST_F(HostQemuFinderTest, NoQemuNoLookAtTheSockets) {
  fs::remove_all(absl::StrCat(dir_, "/proc/", kOther));
  FakeTable* const table = table_;
  HostQemuFinder finder(std::unique_ptr<FakeTable>(table_), dir_ + "/proc");
  EXPECT_TRUE(finder.Find(absl::Now() + absl::Seconds(30))->qemus.empty());
  EXPECT_EQ(table->lists, 0);
}

TEST_F(HostQemuFinderTest, AFailureIsNoEmptyHost) {
  table_->rows = absl::PermissionDeniedError("no netlink here");
  HostQemuFinder finder(std::unique_ptr<FakeTable>(table_), dir_ + "/proc");
  EXPECT_TRUE(absl::IsPermissionDenied(finder.Find(absl::Now() + absl::Seconds(30)).status()));
}

TEST_F(HostQemuFinderTest, NoTimeLeft) {
  HostQemuFinder finder(std::unique_ptr<FakeTable>(table_), dir_ + "/proc");
  EXPECT_TRUE(absl::IsDeadlineExceeded(finder.Find(absl::InfinitePast()).status()));
}

}  // namespace
}  // namespace vuf
