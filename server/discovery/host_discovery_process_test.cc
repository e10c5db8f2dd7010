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

}  // namespace
}  // namespace vuf
