// A /proc made of files, sockets made of rows: one world in which everything can be seen, and in
// each test one thing that spoils it.
#ifndef VUFD_SERVER_DISCOVERY_HOST_DISCOVERY_WORLD_H_
#define VUFD_SERVER_DISCOVERY_HOST_DISCOVERY_WORLD_H_

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "server/discovery/host_discovery.h"

namespace vuf {

namespace fs = std::filesystem;

inline constexpr int kQemu = 100;
inline constexpr int kBackEnd = 200;
// Sockets: QEMU's end, the back-end's end.
inline constexpr uint64_t kClient = 1000;
inline constexpr uint64_t kServer = 2000;

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

inline UnixSocket Row(uint64_t inode, uint64_t peer, const std::string& name = "",
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
    Write("self/cgroup", "0::/vufd\n");
    Write("self/mountinfo", absl::StrCat("1 0 0:1 / ", dir_, "/cgroup rw - cgroup2 cgroup2 rw\n"));
    SetFrozen("back-end", false);
    Write("200/cgroup", "0::/back-end\n");
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
  void SetFrozen(const std::string& cgroup, bool frozen) {
    const std::string at = absl::StrCat(dir_, "/cgroup/", cgroup);
    fs::create_directories(at);
    std::ofstream(at + "/cgroup.controllers") << "";
    std::ofstream(at + "/cgroup.freeze") << (frozen ? "1\n" : "0\n");
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
    Write(absl::StrCat(pid, "/status"),
          "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nCapEff:\t00000000000000df\n");
    Write(absl::StrCat(pid, "/cgroup"), "0::/vufd\n");
    Write(absl::StrCat(pid, "/limits"), "Max open files            1024       4096       files\n");
    for (const char* map : {"/uid_map", "/gid_map"}) {
      Write(absl::StrCat(pid, map), "         0          0 4294967295\n");
    }
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
    return HostDiscovery(options, std::move(table), &clock_, keepers_);
  }
  // What is seen of the one device's back-end.
  const BackEndFacts& Observe(absl::Time deadline = absl::Now() + absl::Seconds(30)) {
    HostDiscovery discovery = Discovery();
    discovery.ObserveBackEnds(vm_, Look::kEverything, deadline);
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
  KeeperPort* keepers_ = nullptr;
};

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_HOST_DISCOVERY_WORLD_H_
