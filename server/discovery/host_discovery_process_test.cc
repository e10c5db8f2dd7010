// What is seen of the process that serves a device: its state, kind, options and share.
#include <unistd.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/discovery/host_discovery_world.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;

TEST_F(HostDiscoveryTest, SeesAStoppedBackEnd) {
  SetStat(kBackEnd, 1, "T");
  EXPECT_EQ(Observe().process_state.value, ProcessState::kStopped);
}

class ForkedBackEndTest : public HostDiscoveryTest {
 protected:
  static constexpr int kParent = 199;
  ForkedBackEndTest() {
    AddProcess(kParent, 1, {"virtiofsd", "--shared-dir", dir_ + "/share"}, dir_ + "/virtiofsd", {});
    SetStat(kParent, 1, "S", 400);
    SetStat(kBackEnd, kParent, "S", 420);
  }
};

TEST_F(ForkedBackEndTest, BeganWithItsParent) {
  const BackEndFacts& seen = Observe();
  EXPECT_EQ(seen.first_start_ticks.value, uint64_t{400});
  EXPECT_EQ(seen.process.value->start_ticks, 420u);
}

TEST_F(ForkedBackEndTest, BeganItselfWhenItsParentIsAnotherProgram) {
  Write("199/cmdline", "supervisor");
  EXPECT_EQ(Observe().first_start_ticks.value, uint64_t{420});
}

TEST_F(ForkedBackEndTest, IsNotKnownToHaveBegunWhenItsParentCannotBeSeen) {
  fs::remove(dir_ + "/proc/199/exe");
  const BackEndFacts& seen = Observe();
  EXPECT_FALSE(seen.first_start_ticks.known());
  EXPECT_TRUE(seen.process.known());
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
  EXPECT_TRUE(seen.submounts.value->empty());
  ASSERT_TRUE(seen.share.known()) << seen.share.detail;
  EXPECT_EQ(seen.share.value->file_system, "xfs");
  EXPECT_FALSE(seen.share.value->mount_read_only);
}

TEST_F(HostDiscoveryTest, SeesAFrozenBackEnd) {
  SetFrozen("back-end", true);
  EXPECT_EQ(Observe().process_state.value, ProcessState::kFrozen);
}

TEST_F(HostDiscoveryTest, AControlGroupThatCannotBeSeenMayBeFrozen) {
  Write("200/cgroup", "0::/elsewhere\n");
  const BackEndFacts& seen = Observe();
  EXPECT_FALSE(seen.process_state.known());
  EXPECT_THAT(seen.process_state.detail, HasSubstr("whether it is frozen"));
  EXPECT_TRUE(seen.process.known());
}

TEST_F(HostDiscoveryTest, SeesIdsAndDescriptors) {
  const BackEndFacts& seen = Observe();
  ASSERT_TRUE(seen.ids.known()) << seen.ids.detail;
  EXPECT_EQ(*seen.ids.value, (ProcessIds{{"uid", "0"},
                                         {"gid", "0"},
                                         {"uid_map", "0 0 4294967295"},
                                         {"gid_map", "0 0 4294967295"}}));
  EXPECT_EQ(seen.descriptors.value, (DescriptorFacts{1, 1024}));
  EXPECT_EQ(seen.security_label.value, "");
}

TEST_F(HostDiscoveryTest, WithoutMapsOrLimitsTheIdsAndDescriptorsAreUnknown) {
  fs::remove(dir_ + "/proc/200/gid_map");
  fs::remove(dir_ + "/proc/200/limits");
  const BackEndFacts& seen = Observe();
  EXPECT_THAT(seen.ids.detail, HasSubstr("gid_map"));
  EXPECT_FALSE(seen.ids.known());
  EXPECT_THAT(seen.descriptors.detail, HasSubstr("limits"));
  EXPECT_FALSE(seen.descriptors.known());
}

TEST_F(HostDiscoveryTest, SeesMountsBelowTheShare) {
  const uint64_t mount = LookAt(dir_ + "/share")->mount_id.value();
  Write("200/mountinfo", absl::StrCat(mount, " 1 8:1 / / rw - ext4 /dev/vda1 rw\n",
                                      "900 1 8:17 /sub /data/a\\040b ro - xfs /dev/vdb1 rw\n",
                                      "901 1 0:55 / /tmp rw - tmpfs tmpfs rw\n"));
  EXPECT_THAT(*Observe().submounts.value,
              ::testing::ElementsAre("data/a b: xfs, device 8:17 /sub, read-only",
                                     "tmp: tmpfs, device 0:55"));
}

TEST_F(HostDiscoveryTest, WithoutASandboxOnlyMountsBelowTheShareCount) {
  SetRoot(kBackEnd, "/");
  Write("200/cmdline",
        absl::StrJoin({"virtiofsd", "--shared-dir=share", "--sandbox=none"}, std::string(1, '\0')));
  const uint64_t mount = LookAt(dir_ + "/share")->mount_id.value();
  Write("200/mountinfo", absl::StrCat(mount, " 1 8:1 / / rw - ext4 /dev/vda1 rw\n", "900 1 0:55 / ",
                                      dir_, "/share/tmp rw - tmpfs tmpfs rw\n", "901 1 0:56 / ",
                                      dir_, "/share2 rw - tmpfs tmpfs rw\n"));
  EXPECT_THAT(*Observe().submounts.value, ::testing::ElementsAre("tmp: tmpfs, device 0:55"));
}

}  // namespace
}  // namespace vuf
