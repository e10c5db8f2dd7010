#include "server/discovery/qemu_command_line.h"

#include "gtest/gtest.h"

namespace vuf {
namespace {

using Words = std::vector<std::string>;

TEST(StartedPausedTest, SeesTheOption) {
  for (const Words& words :
       {Words{"qemu", "-S"}, Words{"qemu", "--S"}, Words{"qemu", "-name", "vm", "-S"},
        Words{"qemu", "-nographic", "-S", "-m", "1G"}, Words{"qemu", "disk.img", "-S"},
        Words{"qemu", "-name", "-S", "-S"}}) {
    EXPECT_EQ(StartedPaused(words), true) << ::testing::PrintToString(words);
  }
}

TEST(StartedPausedTest, SeesThatItIsMissing) {
  for (const Words& words : {Words{"qemu"}, Words{"qemu", "-s"}, Words{"qemu", "-name", "S"},
                             Words{"qemu", "-Sx"}, Words{}}) {
    EXPECT_EQ(StartedPaused(words), false) << ::testing::PrintToString(words);
  }
}

TEST(StartedPausedTest, AValueIsNotAnOption) {
  EXPECT_EQ(StartedPaused({"qemu", "-name", "-S"}), std::nullopt);
  EXPECT_EQ(StartedPaused({"qemu", "-some-new-option", "-S", "-m", "1G"}), std::nullopt);
}

TEST(ChardevSocketPathTest, FindsTheOneWithTheLabel) {
  const Words words = {"qemu",
                       "-chardev",
                       "socket,id=char0,path=/run/a,,b.sock",
                       "--chardev",
                       "socket,path=/run/c.sock,id=char1,reconnect=0",
                       "-chardev",
                       "pty,id=char2"};
  EXPECT_EQ(ChardevSocketPath(words, "char0").value(), "/run/a,b.sock");
  EXPECT_EQ(ChardevSocketPath(words, "char1").value(), "/run/c.sock");
}

TEST(ChardevSocketPathTest, RefusesWhatIsNotOnePlainClient) {
  for (const Words& words :
       {Words{"qemu"}, Words{"qemu", "-chardev"}, Words{"qemu", "-chardev", "pty,id=c"},
        Words{"qemu", "-chardev", "id=c,path=/a"}, Words{"qemu", "-chardev", "socket,id=c,fd=5"},
        Words{"qemu", "-chardev", "socket,id=c,path=/a,server=on"},
        Words{"qemu", "-chardev", "socket,id=c,path=/a,server"},
        Words{"qemu", "-chardev", "socket,id=c,path=a,abstract=on"},
        Words{"qemu", "-chardev", "socket,id=c,path=/a", "-chardev", "socket,id=c,path=/b"}}) {
    EXPECT_FALSE(ChardevSocketPath(words, "c").ok()) << ::testing::PrintToString(words);
  }
  EXPECT_TRUE(ChardevSocketPath({"qemu", "-chardev", "socket,id=c,path=/a,server=off"}, "c").ok());
}

}  // namespace
}  // namespace vuf
