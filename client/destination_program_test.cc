// Programs that vufctl starts and leaves to themselves.
#include "client/destination_program.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temp_directory.h"

namespace vuf::cli {
namespace {

using ::testing::HasSubstr;

bool Never() { return false; }

// Ends what a test has started.
void End(const DestinationProgram& program) {
  kill(program.pid(), SIGKILL);
  waitpid(program.pid(), nullptr, 0);
}

TEST(DestinationProgramTest, OnlyWhatCanBeStartedIsFound) {
  TempDirectory directory;
  std::ofstream(directory.Path("text")) << "x";
  EXPECT_TRUE(DestinationProgram({"sh"}, "/q").Find().ok());
  EXPECT_TRUE(DestinationProgram({"/bin/sh"}, "/q").Find().ok());
  for (const std::string& name : {directory.Path("text"), directory.path(), directory.Path("none"),
                                  std::string("no-such-program"), std::string()}) {
    EXPECT_TRUE(absl::IsNotFound(DestinationProgram({name}, "/q").Find())) << name;
  }
}

TEST(DestinationProgramTest, ItHasASessionOfItsOwn) {
  DestinationProgram program({"sleep", "60"}, "/nonexistent/q");
  ASSERT_TRUE(program.Find().ok());
  ASSERT_TRUE(program.Start().ok());
  EXPECT_EQ(getsid(program.pid()), program.pid());
  End(program);
}

TEST(DestinationProgramTest, AFailureIsToldWithItsWords) {
  DestinationProgram program({"sh", "-c", "echo no such drive >&2; exit 3"}, "/nonexistent/q");
  ASSERT_TRUE(program.Find().ok());
  ASSERT_TRUE(program.Start().ok());
  const absl::Status status = program.AwaitMonitor(absl::Seconds(30), Never);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("exit code 3"));
  EXPECT_EQ(program.Said(), "no such drive\n");
}

TEST(DestinationProgramTest, ItCannotFillMemoryWithItsWords) {
  DestinationProgram program({"sh", "-c", "head -c 200000 /dev/zero | tr '\\0' x >&2; exit 1"},
                             "/nonexistent/q");
  ASSERT_TRUE(program.Find().ok());
  ASSERT_TRUE(program.Start().ok());
  EXPECT_FALSE(program.AwaitMonitor(absl::Seconds(30), Never).ok());
  EXPECT_LE(program.Said().size(), 64u << 10);
  EXPECT_GT(program.Said().size(), 0u);
}

// Prints the path of a socket that it binds, and stays.
std::vector<std::string> Monitor(const std::string& path) {
  return {"python3", "-c",
          absl::StrCat("import socket,os,time\np='", path,
                       "'\nif os.path.exists(p): os.unlink(p)\n"
                       "s=socket.socket(socket.AF_UNIX)\ns.bind(p)\ns.listen()\ntime.sleep(60)")};
}

TEST(DestinationProgramTest, AnOldSocketAtThePathIsNotTheMonitor) {
  TempDirectory directory;
  const std::string path = directory.Path("q");
  DestinationProgram old(Monitor(path), path);
  ASSERT_TRUE(old.Find().ok());
  ASSERT_TRUE(old.Start().ok());
  EXPECT_TRUE(old.AwaitMonitor(absl::Seconds(30), Never).ok());
  DestinationProgram deaf({"sleep", "60"}, path);
  ASSERT_TRUE(deaf.Find().ok());
  ASSERT_TRUE(deaf.Start().ok());
  EXPECT_TRUE(absl::IsDeadlineExceeded(deaf.AwaitMonitor(absl::Milliseconds(200), Never)));
  DestinationProgram fresh(Monitor(path), path);
  ASSERT_TRUE(fresh.Find().ok());
  ASSERT_TRUE(fresh.Start().ok());
  EXPECT_TRUE(fresh.AwaitMonitor(absl::Seconds(30), Never).ok());
  for (const DestinationProgram* program : {&old, &deaf, &fresh}) End(*program);
}

TEST(DestinationProgramTest, WaitingCanBeGivenUp) {
  DestinationProgram program({"sleep", "60"}, "/nonexistent/q");
  ASSERT_TRUE(program.Find().ok());
  ASSERT_TRUE(program.Start().ok());
  EXPECT_TRUE(absl::IsCancelled(program.AwaitMonitor(absl::Hours(1), [] { return true; })));
  End(program);
}

}  // namespace
}  // namespace vuf::cli
