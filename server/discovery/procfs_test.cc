#include "server/discovery/procfs.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string StatLine(const std::string& name, const std::string& state = "S") {
  return absl::StrCat("4711 (", name, ") ", state,
                      " 17 4711 4711 0 -1 4194560 1 0 0 0 3 4 0 0 20 0 2 0 98765 12345 1 2\n");
}

TEST(ParseStatTest, ReadsStateParentAndStart) {
  const auto stat = ParseStat(StatLine("virtiofsd"));
  ASSERT_TRUE(stat.ok()) << stat.status();
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->parent, 17);
  EXPECT_EQ(stat->start_ticks, 98765u);
}

TEST(ParseStatTest, ANameMayLookLikeTheRest) {
  const auto stat = ParseStat(StatLine("a) (b) R 1 2 3", "T"));
  ASSERT_TRUE(stat.ok()) << stat.status();
  EXPECT_EQ(stat->state, 'T');
  EXPECT_EQ(stat->start_ticks, 98765u);
}

TEST(ParseStatTest, RefusesWhatIsCutShort) {
  EXPECT_FALSE(ParseStat("").ok());
  EXPECT_FALSE(ParseStat("4711 (virtiofsd").ok());
  EXPECT_FALSE(ParseStat("4711 (virtiofsd) S 17 4711").ok());
  EXPECT_FALSE(ParseStat("4711 (virtiofsd) SS 17 1 1 0 -1 1 1 0 0 0 3 4 0 0 20 0 2 0 9 1").ok());
  EXPECT_FALSE(ParseStat("4711 (virtiofsd) S x 1 1 0 -1 1 1 0 0 0 3 4 0 0 20 0 2 0 9 1").ok());
}

TEST(ParseCmdlineTest, SplitsAtNul) {
  EXPECT_THAT(ParseCmdline(""), IsEmpty());
  EXPECT_THAT(ParseCmdline(std::string("a\0b c\0\0", 7)), ElementsAre("a", "b c", ""));
  EXPECT_THAT(ParseCmdline(std::string("a\0b", 3)), ElementsAre("a", "b"));
}

TEST(ParseStatusTest, ReadsCapabilitiesAndPids) {
  const auto status = ParseStatus(
      "Name:\tvirtiofsd\nNSpid:\t4711\t1\nCapPrm:\t0000000000000001\nCapEff:\t00000000880000df\n");
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->effective_capabilities, 0x880000dfu);
  EXPECT_THAT(status->namespace_pids, ElementsAre(4711, 1));
  EXPECT_FALSE(ParseStatus("Name:\tvirtiofsd\n").ok());
  EXPECT_FALSE(ParseStatus("CapEff:\txyz\n").ok());
}

TEST(ParseStatusTest, ReadsEffectiveIds) {
  const auto status =
      ParseStatus("Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nCapEff:\t0000000000000000\n");
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->uid, "2");
  EXPECT_EQ(status->gid, "6");
  EXPECT_EQ(ParseStatus("Uid:\t1\nCapEff:\t0\n")->uid, "");
}

TEST(ParseCgroupsTest, ReadsBothVersions) {
  const auto cgroups = ParseCgroups("6:freezer:/a:b\n1:name=systemd:/x y\n0::/\n");
  ASSERT_TRUE(cgroups.ok()) << cgroups.status();
  ASSERT_EQ(cgroups->size(), 3u);
  EXPECT_EQ((*cgroups)[0].controllers, "freezer");
  EXPECT_EQ((*cgroups)[0].path, "/a:b");
  EXPECT_EQ((*cgroups)[1].path, "/x y");
  EXPECT_EQ((*cgroups)[2].controllers, "");
  for (const char* const bad : {"0:/", "6:freezer:", "6:freezer:a", "nonsense"}) {
    EXPECT_FALSE(ParseCgroups(bad).ok()) << bad;
  }
}

TEST(ParseLimitsTest, ReadsTheSoftLimitOnOpenFiles) {
  EXPECT_EQ(ParseOpenFilesLimit("Limit  Soft  Hard  Units\n"
                                "Max processes             1     2     processes\n"
                                "Max open files            1024                 524288     files\n")
                .value(),
            1024u);
  EXPECT_EQ(ParseOpenFilesLimit("Max open files  unlimited unlimited files\n").value(), UINT64_MAX);
  for (const char* const bad : {"", "Max open files  \n", "Max open files  many 1 files\n"}) {
    EXPECT_FALSE(ParseOpenFilesLimit(bad).ok()) << bad;
  }
}

TEST(ParseIdMapTest, SpacesDoNotMatter) {
  EXPECT_EQ(
      ParseIdMap("         0       1000          1\n         1     100000      65536\n").value(),
      "0 1000 1; 1 100000 65536");
  EXPECT_FALSE(ParseIdMap("").ok());
  EXPECT_FALSE(ParseIdMap("\n").ok());
}

TEST(ParseMountInfoTest, ReadsMountsWithAndWithoutOptionalFields) {
  const auto mounts = ParseMountInfo(
      "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:2 - ext4 /dev/root rw,errors=x\n"
      "37 35 0:55 / /ro ro,relatime - nfs4 server:/export rw\n"
      "38 35 0:56 / /super rw - squashfs /dev/loop0 ro,x\n");
  ASSERT_TRUE(mounts.ok()) << mounts.status();
  ASSERT_EQ(mounts->size(), 3u);
  EXPECT_EQ((*mounts)[0].id, 36u);
  EXPECT_EQ((*mounts)[0].device, makedev(98, 0));
  EXPECT_EQ((*mounts)[0].root, "/mnt1");
  EXPECT_EQ((*mounts)[0].mount_point, "/mnt 2");
  EXPECT_EQ((*mounts)[0].options, "rw,errors=x");
  EXPECT_EQ((*mounts)[0].file_system, "ext4");
  EXPECT_FALSE((*mounts)[0].read_only);
  EXPECT_EQ((*mounts)[1].source, "server:/export");
  EXPECT_TRUE((*mounts)[1].read_only);
  EXPECT_TRUE((*mounts)[2].read_only);
}

TEST(ParseMountInfoTest, RefusesALineItCannotRead) {
  EXPECT_FALSE(ParseMountInfo("36 35 98:0 /mnt1 /mnt2 rw ext4 /dev/root rw\n").ok());
  EXPECT_FALSE(ParseMountInfo("36 35 98 / / rw - ext4 /dev/root rw\n").ok());
  EXPECT_FALSE(ParseMountInfo("36 35 98:0 / / rw - ext4\n").ok());
}

TEST(ParseLinksTest, ReadsExeAndSockets) {
  EXPECT_EQ(ParseExeLink("/usr/libexec/virtiofsd").path, "/usr/libexec/virtiofsd");
  EXPECT_FALSE(ParseExeLink("/usr/libexec/virtiofsd").deleted);
  EXPECT_EQ(ParseExeLink("/usr/libexec/virtiofsd (deleted)").path, "/usr/libexec/virtiofsd");
  EXPECT_TRUE(ParseExeLink("/usr/libexec/virtiofsd (deleted)").deleted);
  EXPECT_EQ(ParseSocketLink("socket:[510646]"), 510646u);
  for (const char* const other : {"", "socket:[", "socket:[]", "socket:[-1]", "socket:[1",
                                  "pipe:[1]", "/tmp/socket:[1]", "socket:[99999999999999999999]"}) {
    EXPECT_EQ(ParseSocketLink(other), std::nullopt) << other;
  }
}

TEST(ParseBootIdTest, WantsAUuid) {
  EXPECT_EQ(ParseBootId("a0779e4f-a352-4d91-8aa8-5c8c9cfb9257\n").value(),
            "a0779e4f-a352-4d91-8aa8-5c8c9cfb9257");
  EXPECT_FALSE(ParseBootId("").ok());
  EXPECT_FALSE(ParseBootId("a0779e4f-a352-4d91-8aa8-5c8c9cfb925").ok());
  EXPECT_FALSE(ParseBootId("z0779e4f-a352-4d91-8aa8-5c8c9cfb9257").ok());
}

TEST(ProcfsTest, ReadsThisProcess) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  struct stat end = {};
  ASSERT_EQ(fstat(ends[0], &end), 0);
  const Procfs procfs;
  const int self = getpid();
  EXPECT_TRUE(procfs.BootId().ok());
  EXPECT_THAT(procfs.Pids().value(), Contains(self));
  EXPECT_EQ(procfs.Stat(self)->parent, getppid());
  EXPECT_TRUE(procfs.Status(self).ok());
  EXPECT_FALSE(procfs.Cmdline(self)->empty());
  EXPECT_FALSE(procfs.Exe(self)->deleted);
  EXPECT_THAT(procfs.Sockets(self).value(), Contains(end.st_ino));
  EXPECT_FALSE(procfs.Mounts(self)->empty());
  close(ends[0]);
  close(ends[1]);
}

TEST(ProcfsTest, LooksAtFilesAsTheProcessResolvesThem) {
  const std::string dir = absl::StrCat(getenv("TEST_TMPDIR"), "/look");
  ASSERT_EQ(mkdir(dir.c_str(), 0700), 0);
  ASSERT_EQ(mkdir((dir + "/4711").c_str(), 0700), 0);
  ASSERT_EQ(mkdir((dir + "/jail").c_str(), 0700), 0);
  std::ofstream(dir + "/jail/file") << "x";
  ASSERT_EQ(symlink((dir + "/jail").c_str(), (dir + "/4711/root").c_str()), 0);
  ASSERT_EQ(symlink((dir + "/jail").c_str(), (dir + "/4711/cwd").c_str()), 0);
  // An absolute link inside the jail means the jail's file, not the host's.
  ASSERT_EQ(symlink("/file", (dir + "/jail/link").c_str()), 0);
  const Procfs procfs(dir);
  const auto file = LookAt(dir + "/jail/file");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(procfs.Look(4711, "/file")->file, file->file);
  EXPECT_EQ(procfs.Look(4711, "/link")->file, file->file);
  EXPECT_EQ(procfs.Look(4711, "file")->file, file->file);
  EXPECT_TRUE(absl::IsNotFound(procfs.Look(4711, "/nothing").status()));
}

TEST(ProcfsTest, AProcessThatIsNotThereIsNotFound) {
  const Procfs procfs(getenv("TEST_TMPDIR"));
  EXPECT_TRUE(absl::IsNotFound(procfs.Stat(1).status()));
  EXPECT_TRUE(absl::IsNotFound(procfs.Sockets(1).status()));
  EXPECT_TRUE(absl::IsNotFound(procfs.Exe(1).status()));
}

}  // namespace
}  // namespace vuf
