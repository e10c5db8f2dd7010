#include "server/migration/state_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;

class StateFileTest : public ::testing::Test {
 protected:
  StateFileTest() {
    std::string name = ::testing::TempDir() + "/stateXXXXXX";
    directory_ = mkdtemp(name.data());
    path_ = directory_ + "/guest";
  }

  std::string directory_, path_;
};

TEST_F(StateFileTest, WhatWasWrittenIsFoundAgain) {
  const absl::StatusOr<StateFile> made = StateFile::Create(path_);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(fcntl(made->fd(), F_GETFL) & O_ACCMODE, O_WRONLY);
  ASSERT_EQ(write(made->fd(), "guest", 5), 5);
  EXPECT_EQ(*made->Sync(), 5u);
  struct stat info;
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  const absl::StatusOr<StateFile> again = StateFile::Open(path_, made->id(), 5);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(fcntl(again->fd(), F_GETFL) & O_ACCMODE, O_RDONLY);
}

TEST_F(StateFileTest, AnotherFileIsNotTakenForIt) {
  const absl::StatusOr<StateFile> made = StateFile::Create(path_);
  ASSERT_EQ(write(made->fd(), "guest", 5), 5);
  EXPECT_EQ(StateFile::Open(path_, made->id(), 6).status().code(), absl::StatusCode::kDataLoss);
  ASSERT_EQ(rename(path_.c_str(), (path_ + ".old").c_str()), 0);
  std::ofstream(path_) << "other";
  const absl::Status other = StateFile::Open(path_, made->id(), 5).status();
  EXPECT_EQ(other.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(other.message()), HasSubstr(path_));
}

TEST_F(StateFileTest, AnExistingNameIsRefused) {
  std::ofstream(path_) << "precious";
  EXPECT_EQ(StateFile::Create(path_).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(StateFile::CheckNew(path_).code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_EQ(unlink(path_.c_str()), 0);
  ASSERT_EQ(symlink("/nowhere", path_.c_str()), 0);
  EXPECT_EQ(StateFile::Create(path_).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(StateFileTest, ADirectoryThatOthersMayWriteIsRefused) {
  for (const mode_t mode : {0770, 0707, 01777}) {
    ASSERT_EQ(chmod(directory_.c_str(), mode), 0);
    const absl::Status status = StateFile::CheckNew(path_);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(directory_));
  }
  ASSERT_EQ(chmod(directory_.c_str(), 0755), 0);
  EXPECT_TRUE(StateFile::CheckNew(path_).ok());
}

TEST_F(StateFileTest, ADirectoryThatIsNotThereIsNamed) {
  const absl::Status status = StateFile::CheckNew(directory_ + "/none/guest");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("none/guest"));
}

TEST_F(StateFileTest, ItIsRemovedOnce) {
  ASSERT_TRUE(StateFile::Create(path_).ok());
  EXPECT_TRUE(StateFile::Remove(path_).ok());
  EXPECT_NE(access(path_.c_str(), F_OK), 0);
  EXPECT_TRUE(StateFile::Remove(path_).ok());
}

}  // namespace
}  // namespace vuf
