#include "client/doctor.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "client/run_program.h"
#include "client/testing/fake_agent.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf::cli {
namespace {

using ::testing::HasSubstr;

// A root directory with one of everything a ready host has.
class DoctorTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ =
        testing::TempDir() + "/" + testing::UnitTest::GetInstance()->current_test_info()->name();
    Write("/proc/sys/kernel/random/boot_id", "11111111-2222\n");
    Write("/proc/self/mountinfo", "22 1 0:5 / /proc rw - proc proc rw\n");
    Script("/usr/bin/qemu-system-x86_64", "echo 'QEMU emulator version 10.0.2 (Debian)'");
    Script("/usr/libexec/virtiofsd",
           "[ $1 = --version ] && echo virtiofsd 1.13.2 && exit\n"
           "echo '{\"type\":\"fs\",\"features\":[\"migrate-precopy\"]}'");
    Write("/usr/share/qemu/vhost-user/50-virtiofsd.json",
          R"({"type": "fs", "binary": "/usr/libexec/virtiofsd"})");
    Write("/proc/7/status", "Name:\tvufd\nCapEff:\t000001ffffffffff\n");
    for (const char* process : {"7", "self"}) {
      Link(std::string("/proc/") + process + "/ns/pid", "pid:[1]");
      Link(std::string("/proc/") + process + "/ns/net", "net:[1]");
    }
    Link("/proc/7/fd/9", testing::TempDir() + "/vufd.db-wal");
  }

  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  void Script(const std::string& path, const std::string& body) {
    Write(path, "#!/bin/sh\n" + body + "\n");
    chmod((root_ + path).c_str(), 0755);
  }
  void Link(const std::string& path, const std::string& target) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::filesystem::remove(root_ + path);
    std::filesystem::create_symlink(target, root_ + path);
  }
  Check Find(const std::vector<Check>& checks, const std::string& name) {
    for (const Check& check : checks) {
      if (check.name == name) return check;
    }
    ADD_FAILURE() << "no check \"" << name << "\"";
    return {};
  }
  void ExpectWarning(const std::vector<Check>& checks, const std::string& name,
                     const std::string& found) {
    const Check check = Find(checks, name);
    EXPECT_EQ(check.health, Health::kWarn) << check.found;
    EXPECT_THAT(check.found, HasSubstr(found));
    EXPECT_NE(check.remedy, "");
  }

  std::string root_;
};

TEST_F(DoctorTest, AReadyHost) {
  const std::vector<Check> checks = CheckHost(root_);
  for (const char* name : {"boot id", "/proc", "sock_diag", "QEMU", "back-end"}) {
    EXPECT_EQ(Find(checks, name).health, Health::kOk) << Find(checks, name).found;
  }
  EXPECT_THAT(Find(checks, "QEMU").found, HasSubstr("10.0.2"));
  EXPECT_THAT(Find(checks, "back-end").found, HasSubstr("virtiofsd 1.13.2 can carry its state"));
  for (const Check& check : CheckAgentProcess(root_, 7)) {
    EXPECT_EQ(check.health, Health::kOk) << check.name << ": " << check.found;
  }
}

TEST_F(DoctorTest, NoBootIdFails) {
  std::filesystem::remove(root_ + "/proc/sys/kernel/random/boot_id");
  EXPECT_EQ(Find(CheckHost(root_), "boot id").health, Health::kFail);
  EXPECT_FALSE(Ready(CheckHost(root_)));
}

TEST_F(DoctorTest, HidepidIsSeen) {
  Write("/proc/self/mountinfo", "22 1 0:5 / /proc rw - proc proc rw,hidepid=invisible\n");
  ExpectWarning(CheckHost(root_), "/proc", "hidepid");
}

TEST_F(DoctorTest, AnOldQemuIsNamed) {
  Script("/usr/bin/qemu-system-x86_64", "echo 'QEMU emulator version 8.1.5'");
  ExpectWarning(CheckHost(root_), "QEMU", "8.1.5");
}

TEST_F(DoctorTest, ABackEndWithoutStateIsNamed) {
  Script("/usr/libexec/virtiofsd", "echo '{\"type\":\"fs\"}'");
  ExpectWarning(CheckHost(root_), "back-end", "cannot carry its state");
}

TEST_F(DoctorTest, AnEmptyManifestInEtcHidesTheShippedOne) {
  Write("/etc/qemu/vhost-user/50-virtiofsd.json", "");
  ExpectWarning(CheckHost(root_), "back-end", "no manifest");
}

TEST_F(DoctorTest, AnAgentThatCannotSeeOthersProcesses) {
  Write("/proc/7/status", "Name:\tvufd\nCapEff:\t0000000000000000\n");
  ExpectWarning(CheckAgentProcess(root_, 7), "agent privileges", "no CAP_SYS_PTRACE");
}

TEST_F(DoctorTest, AnAgentInAnotherNamespace) {
  Link("/proc/7/ns/net", "net:[2]");
  ExpectWarning(CheckAgentProcess(root_, 7), "agent namespaces", "net namespace");
}

TEST_F(DoctorTest, AnAgentThatIsNotVisible) {
  ExpectWarning(CheckAgentProcess(root_, 8), "agent process", "cannot be seen");
}

TEST_F(DoctorTest, AProgramThatHangsIsKilled) {
  Script("/hang", "exec sleep 1000");
  const absl::Time start = absl::Now();
  EXPECT_TRUE(
      absl::IsDeadlineExceeded(RunProgram({root_ + "/hang"}, absl::Milliseconds(100)).status()));
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
}

TEST_F(DoctorTest, AskingTheAgent) {
  FakeWorld world;
  world.vms.emplace_back().set_name("vms/a");
  world.vms.back().set_observe_error("monitor busy");
  FakeAgent agent(world);
  ClientOptions options;
  options.server = agent.address();
  auto client = VufClient::Create(options);
  const std::vector<Check> checks = CheckAgent(**client, options.server);
  EXPECT_EQ(Find(checks, "agent").health, Health::kOk);
  ExpectWarning(checks, "registered VMs", "vms/a: monitor busy");
  EXPECT_EQ(Find(checks, "endpoints").health, Health::kOk);
}

TEST_F(DoctorTest, NoAgentFails) {
  ClientOptions options;
  options.server = "unix:/nonexistent/vufd.sock";
  auto client = VufClient::Create(options);
  const std::vector<Check> checks = CheckAgent(**client, options.server);
  EXPECT_EQ(Find(checks, "agent").health, Health::kFail);
  EXPECT_THAT(ChecksText(checks, 80, false), HasSubstr("Not ready: 1 failed, 0 to look at"));
}

}  // namespace
}  // namespace vuf::cli
