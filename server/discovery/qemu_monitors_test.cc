#include "server/discovery/qemu_monitors.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Line = std::vector<std::string>;

MonitorOption One(const Line& line) {
  const std::vector<MonitorOption> monitors = QmpMonitors(line);
  EXPECT_EQ(monitors.size(), 1u);
  return monitors.empty() ? MonitorOption() : monitors.front();
}

TEST(QmpMonitorsTest, ShortForm) {
  for (const std::string name : {"-qmp", "--qmp", "-qmp-pretty"}) {
    for (const std::string how : {"server=on,wait=off", "server,nowait"}) {
      const MonitorOption found = One({"qemu", name, "unix:/run/a,,b.qmp," + how, "-S"});
      EXPECT_EQ(found.path, "/run/a,b.qmp") << name << how;
      EXPECT_EQ(found.why_not, "");
    }
  }
}

TEST(QmpMonitorsTest, LongForm) {
  for (const std::string chardev : {"chardev=m", "m"}) {
    const MonitorOption found =
        One({"qemu", "-chardev", "socket,id=x,path=/run/x", "-mon", chardev + ",mode=control",
             "-chardev", "socket,id=m,path=/run/m.qmp,server=on"});
    EXPECT_EQ(found.path, "/run/m.qmp");
  }
  EXPECT_EQ(One({"qemu", "-chardev", "socket,id=m,path=/m,server=on", "-qmp", "chardev:m"}).path,
            "/m");
}

TEST(QmpMonitorsTest, AsLibvirtStartsIt) {
  const MonitorOption found =
      One({"qemu", "-chardev", "socket,id=charmonitor,fd=25,server=on,wait=off", "-mon",
           "chardev=charmonitor,id=monitor,mode=control"});
  EXPECT_EQ(found.descriptor, 25);
  EXPECT_EQ(found.path, "");
}

TEST(QmpMonitorsTest, WhyNot) {
  EXPECT_THAT(One({"qemu", "-qmp", "tcp:localhost:4444,server=on"}).why_not,
              HasSubstr("\"tcp:localhost:4444\", not on a unix socket"));
  EXPECT_THAT(One({"qemu", "-qmp", "stdio"}).why_not, HasSubstr("\"stdio\""));
  EXPECT_THAT(One({"qemu", "-qmp", "unix:/run/m"}).why_not, HasSubstr("client"));
  EXPECT_THAT(One({"qemu", "-qmp", "chardev:m"}).why_not, HasSubstr("\"m\" is not on the command"));
  EXPECT_THAT(One({"qemu", "-mon", "m,mode=control", "-chardev", "pty,id=m"}).why_not,
              HasSubstr("\"pty\""));
  EXPECT_THAT(One({"qemu", "-mon", "m,mode=control", "-chardev",
                   "socket,id=m,path=x,abstract=on,server=on"})
                  .why_not,
              HasSubstr("abstract"));
  EXPECT_THAT(
      One({"qemu", "-mon", "m,mode=control", "-chardev", "socket,id=m,host=::1,port=1,server=on"})
          .why_not,
      HasSubstr("unix socket"));
}

TEST(QmpMonitorsTest, WhatIsNoQmpMonitor) {
  EXPECT_THAT(QmpMonitors({}), IsEmpty());
  EXPECT_THAT(QmpMonitors({"qemu", "-qmp"}), IsEmpty());
  EXPECT_THAT(QmpMonitors({"qemu", "-qmp", "none"}), IsEmpty());
  EXPECT_THAT(QmpMonitors({"qemu", "-monitor", "unix:/run/hmp,server=on"}), IsEmpty());
  EXPECT_THAT(QmpMonitors({"qemu", "-mon", "m", "-chardev", "socket,id=m,path=/m,server=on"}),
              IsEmpty());
}

TEST(QmpMonitorsTest, AllOfThemInOrder) {
  const std::vector<MonitorOption> found = QmpMonitors(
      {"qemu", "-qmp", "unix:/a,server=on", "-qmp", "stdio", "-qmp", "unix:/b,server=on"});
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].path, "/a");
  EXPECT_EQ(found[2].path, "/b");
}

}  // namespace
}  // namespace vuf
