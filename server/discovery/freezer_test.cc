#include "server/discovery/freezer.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/testing/temp_directory.h"

namespace vuf {
namespace {

namespace fs = std::filesystem;

// vufd is in /system/vufd of both hierarchies, process 7 where a test puts it.
class FreezerTest : public ::testing::Test {
 protected:
  FreezerTest() {
    Write("proc/self/cgroup", "3:cpu,cpuacct:/\n6:freezer:/system/vufd\n0::/system/vufd\n");
    Write("proc/self/mountinfo",
          absl::StrCat("37 31 0:34 / ", dir_, "/v1 rw - cgroup cgroup rw,freezer\n",
                       "38 31 0:35 / ", dir_, "/v2 rw - cgroup2 cgroup2 rw\n"));
    for (const char* at : {"v2/a", "v2/a/b"}) Write(absl::StrCat(at, "/cgroup.controllers"), "");
    for (const char* at : {"v1/a", "v1/a/b"}) Write(absl::StrCat(at, "/notify_on_release"), "0\n");
    Write("v2/a/cgroup.freeze", "0\n");
    Write("v2/a/b/cgroup.freeze", "0\n");
    Write("v1/a/freezer.state", "THAWED\n");
    Write("v1/a/b/freezer.state", "THAWED\n");
    Write("proc/7/cgroup", "6:freezer:/a/b\n0::/a/b\n");
  }
  void Write(const std::string& file, const std::string& text) {
    const std::string path = absl::StrCat(dir_, "/", file);
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path) << text;
  }
  absl::StatusOr<bool> Frozen() { return IsFrozen(Procfs(dir_ + "/proc"), 7); }

  TempDirectory directory_;
  const std::string& dir_ = directory_.path();
};

TEST_F(FreezerTest, ARunningProcessIsNot) { EXPECT_EQ(Frozen().value(), false); }

TEST_F(FreezerTest, TheGroupOrOneAboveItFreezes) {
  for (const char* file : {"v2/a/cgroup.freeze", "v2/a/b/cgroup.freeze"}) {
    Write(file, "1\n");
    EXPECT_EQ(Frozen().value(), true) << file;
    Write(file, "0\n");
  }
  for (const char* word : {"FROZEN\n", "FREEZING\n"}) {
    for (const char* file : {"v1/a/freezer.state", "v1/a/b/freezer.state"}) {
      Write(file, word);
      EXPECT_EQ(Frozen().value(), true) << file;
      Write(file, "THAWED\n");
    }
  }
}

TEST_F(FreezerTest, WhatFreezesOthersDoesNotMatter) {
  Write("v2/a/c/cgroup.freeze", "1\n");
  Write("v2/cgroup.freeze", "1\n");
  EXPECT_EQ(Frozen().value(), false);
}

TEST_F(FreezerTest, WhereVufdRunsNothingIsFrozenAndNothingNeedsToBeSeen) {
  Write("proc/self/mountinfo", "");
  for (const char* path : {"/", "/system", "/system/vufd"}) {
    Write("proc/7/cgroup", absl::StrCat("6:freezer:", path, "\n0::", path, "\n"));
    EXPECT_EQ(Frozen().value(), false) << path;
  }
  Write("proc/7/cgroup", "0::/sys\n");
  EXPECT_FALSE(Frozen().ok()) << "only called like the one that vufd is in";
}

TEST_F(FreezerTest, OtherControllersDoNotFreeze) {
  Write("proc/7/cgroup", "4:cpu,cpuacct:/unheard/of\n1:name=systemd:/x\n");
  EXPECT_EQ(Frozen().value(), false);
}

TEST_F(FreezerTest, WhatCannotBeSeenIsAnError) {
  for (const char* path : {"/../a", "/gone"}) {
    Write("proc/7/cgroup", absl::StrCat("0::", path, "\n"));
    EXPECT_FALSE(Frozen().ok()) << path;
  }
  fs::remove(dir_ + "/proc/7/cgroup");
  EXPECT_FALSE(Frozen().ok());
}

// As /proc tells it in a container, where the host's hierarchy is mounted besides the container's
// own.
TEST_F(FreezerTest, VufdInACgroupNamespaceOfItsOwn) {
  Write("proc/self/cgroup", "6:freezer:/\n0::/\n");
  Write("proc/self/mountinfo",
        absl::StrCat("36 31 0:35 / ", dir_, "/own rw - cgroup2 cgroup2 rw\n", "37 31 0:34 /../.. ",
                     dir_, "/v1 rw - cgroup cgroup rw,freezer\n", "38 31 0:35 /../.. ", dir_,
                     "/v2 rw - cgroup2 cgroup2 rw\n"));
  Write("own/a/b/cgroup.controllers", "");
  Write("own/a/cgroup.freeze", "1\n");
  Write("proc/7/cgroup", "6:freezer:/../../a/b\n0::/../../a/b\n");
  EXPECT_EQ(Frozen().value(), false);
  for (const char* file : {"v2/a/cgroup.freeze", "v1/a/b/freezer.state"}) {
    Write(file, file[1] == '2' ? "1\n" : "FROZEN\n");
    EXPECT_EQ(Frozen().value(), true) << file;
    Write(file, file[1] == '2' ? "0\n" : "THAWED\n");
  }
  for (const char* path : {"/../..", "/..", "/"}) {
    Write("proc/7/cgroup", absl::StrCat("0::", path, "\n"));
    EXPECT_EQ(Frozen().value(), false) << path << " holds vufd";
  }
  // vufd was moved out of its namespace.
  Write("proc/self/cgroup", "0::/../../vufd\n");
  Write("proc/7/cgroup", "0::/..\n");
  EXPECT_FALSE(Frozen().ok()) << "vufd is further out";
  for (const char* path : {"/../a/b", "/../../../a/b", "/..a/b"}) {
    Write("proc/7/cgroup", absl::StrCat("0::", path, "\n"));
    EXPECT_FALSE(Frozen().ok()) << path << " is not below a mount";
  }
}

TEST_F(FreezerTest, AMountOfAPartOfTheHierarchy) {
  Write("proc/self/mountinfo",
        absl::StrCat("38 31 0:35 /a ", dir_, "/v2/a rw - cgroup2 cgroup2 rw\n"));
  Write("proc/7/cgroup", "0::/a/b\n");
  Write("v2/a/b/cgroup.freeze", "1\n");
  EXPECT_EQ(Frozen().value(), true);
}

}  // namespace
}  // namespace vuf
