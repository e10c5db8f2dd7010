#include "server/service/listen_socket.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temp_directory.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;

class ListenSocketTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return directory_.Path(name); }
  int Bind(const std::string& path) {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }

  TempDirectory directory_;
};

TEST_F(ListenSocketTest, MakesOneDirectoryNotTwo) {
  EXPECT_TRUE(PrepareListenSocket(Path("run/a.sock")).ok());
  struct stat info = {};
  ASSERT_EQ(stat(Path("run").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0027, 0u);
  EXPECT_EQ(PrepareListenSocket(Path("x/y/a.sock")).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ListenSocketTest, RemovesASocketThatNobodyAnswers) {
  close(Bind(Path("a.sock")));
  EXPECT_TRUE(PrepareListenSocket(Path("a.sock")).ok());
  EXPECT_FALSE(std::filesystem::exists(Path("a.sock")));
}

TEST_F(ListenSocketTest, LeavesOneThatIsServed) {
  const int fd = Bind(Path("a.sock"));
  ASSERT_EQ(listen(fd, 1), 0);
  const absl::Status status = PrepareListenSocket(Path("a.sock"));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("another process serves it"));
  EXPECT_TRUE(std::filesystem::exists(Path("a.sock")));
  close(fd);
}

TEST_F(ListenSocketTest, LeavesWhatIsNoSocket) {
  std::ofstream(Path("a.sock")) << "precious";
  EXPECT_EQ(PrepareListenSocket(Path("a.sock")).code(), absl::StatusCode::kFailedPrecondition);
  std::filesystem::create_symlink(Path("none"), Path("b.sock"));
  EXPECT_EQ(PrepareListenSocket(Path("b.sock")).code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace vuf
