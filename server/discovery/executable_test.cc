#include "server/discovery/executable.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/discovery/run_program.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ExecutableTest : public ::testing::Test {
 protected:
  // A copy of the stub under the name that makes it behave as wanted.
  std::string Stub(const std::string& name) {
    const std::string path = absl::StrCat(getenv("TEST_TMPDIR"), "/", name);
    unlink(path.c_str());
    std::ofstream(path, std::ios::binary)
        << std::ifstream("server/discovery/stub_virtiofsd", std::ios::binary).rdbuf();
    chmod(path.c_str(), 0755);
    return path;
  }
  absl::StatusOr<ExecutableFacts> Inspect(const std::string& name) {
    const std::string path = Stub(name);
    return inspector_.Inspect(path, path, "/", absl::Now() + absl::Seconds(30));
  }

  ExecutableInspector inspector_{{"virtiofsd", "virtiofsd-c", "virtiofsd-other", "virtiofsd-hang",
                                  "virtiofsd-flood", "virtiofsd-fail"},
                                 absl::Seconds(10)};
};

TEST(ParseVersionOutputTest, TellsTheDaemonsApart) {
  struct Case {
    const char* output;
    BackEndKind kind;
    std::optional<Version> version;
  };
  for (const Case& c : {
           Case{"virtiofsd 1.13.2\n", BackEndKind::kVirtiofsd, Version{1, 13, 2}},
           Case{"virtiofsd backend 1.5.1\n", BackEndKind::kVirtiofsd, Version{1, 5, 1}},
           Case{"virtiofsd version 7.2.22 (Debian 1:7.2)\nCopyright\n", BackEndKind::kVirtiofsdC,
                Version{7, 2, 22}},
           Case{"virtiofsd\n", BackEndKind::kUnknown, std::nullopt},
           Case{"virtiofsd banana\n", BackEndKind::kUnknown, std::nullopt},
           Case{"my virtiofsd 1.13.2\n", BackEndKind::kUnknown, std::nullopt},
           Case{"", BackEndKind::kUnknown, std::nullopt},
       }) {
    ExecutableFacts facts;
    ParseVersionOutput(c.output, facts);
    EXPECT_EQ(facts.kind, c.kind) << c.output;
    EXPECT_EQ(facts.version, c.version) << c.output;
  }
}

TEST(ParseCapabilitiesTest, ReadsFeatures) {
  EXPECT_THAT(ParseCapabilities(R"({"type":"fs","features":["a","b"]})").value(),
              ElementsAre("a", "b"));
  EXPECT_THAT(ParseCapabilities(R"({"type":"fs"})").value(), IsEmpty());
  for (const char* const bad :
       {"", "[]", "{}", R"({"type":"gpu"})", R"({"type":"fs","features":{}})",
        R"({"type":"fs","features":[1]})", R"({"type":"fs","features":["a"])"}) {
    EXPECT_FALSE(ParseCapabilities(bad).ok()) << bad;
  }
}

TEST_F(ExecutableTest, AsksTheRustDaemon) {
  const auto facts = Inspect("virtiofsd");
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->version_line, "virtiofsd 1.14.0");
  EXPECT_EQ(facts->kind, BackEndKind::kVirtiofsd);
  EXPECT_THAT(facts->features.value(), ElementsAre("migrate-precopy"));
}

TEST_F(ExecutableTest, AsksTheCDaemon) {
  const auto facts = Inspect("virtiofsd-c");
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->kind, BackEndKind::kVirtiofsdC);
  EXPECT_THAT(facts->features.value(), IsEmpty());
}

TEST_F(ExecutableTest, NeverRunsAProgramThatNoProfileNames) {
  const auto facts = Inspect("rm");
  EXPECT_TRUE(absl::IsPermissionDenied(facts.status()));
  EXPECT_THAT(std::string(facts.status().message()), HasSubstr("not one that a profile names"));
}

TEST_F(ExecutableTest, NeverRunsAProgramThatOthersCanChange) {
  const std::string path = Stub("virtiofsd");
  ASSERT_EQ(chmod(path.c_str(), 0775), 0);
  EXPECT_TRUE(absl::IsPermissionDenied(
      inspector_.Inspect(path, path, "/", absl::InfiniteFuture()).status()));
}

TEST_F(ExecutableTest, RunsTheFileEvenWhenItsNameIsGone) {
  const std::string path = Stub("virtiofsd");
  const int fd = open(path.c_str(), O_PATH | O_CLOEXEC);
  ASSERT_EQ(unlink(path.c_str()), 0);
  const auto facts = inspector_.Inspect(absl::StrCat("/proc/self/fd/", fd), path, "/",
                                        absl::Now() + absl::Seconds(30));
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->kind, BackEndKind::kVirtiofsd);
  close(fd);
}

TEST_F(ExecutableTest, RemembersAFileUntilItChanges) {
  const std::string path = Stub("virtiofsd");
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  ASSERT_TRUE(inspector_.Inspect(path, path, "/", deadline).ok());
  // In no time at all: only what is remembered can be told.
  EXPECT_TRUE(inspector_.Inspect(path, path, "/", absl::InfinitePast()).ok());
  std::ofstream(path, std::ios::app) << "x";
  EXPECT_FALSE(inspector_.Inspect(path, path, "/", absl::InfinitePast()).ok());
}

TEST_F(ExecutableTest, GivesUpOnAProgramThatHangs) {
  const std::string path = Stub("virtiofsd-hang");
  const absl::Time start = absl::Now();
  const auto facts = inspector_.Inspect(path, path, "/", start + absl::Milliseconds(300));
  EXPECT_TRUE(absl::IsDeadlineExceeded(facts.status())) << facts.status();
  EXPECT_LT(absl::Now() - start, absl::Seconds(8));
}

TEST_F(ExecutableTest, GivesUpOnAProgramThatTalksTooMuch) {
  EXPECT_TRUE(absl::IsResourceExhausted(Inspect("virtiofsd-flood").status()));
}

TEST_F(ExecutableTest, AFailureIsNoVersion) {
  const auto facts = Inspect("virtiofsd-fail");
  EXPECT_THAT(std::string(facts.status().message()), HasSubstr("exited with status 3"));
}

TEST_F(ExecutableTest, AnotherProgramOfThatNameIsOfUnknownKind) {
  const auto facts = Inspect("virtiofsd-other");
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->kind, BackEndKind::kUnknown);
  EXPECT_EQ(facts->version_line, "something else 1.0");
}

TEST_F(ExecutableTest, WhatCannotBeExecutedIsNoVersion) {
  const std::string path = absl::StrCat(getenv("TEST_TMPDIR"), "/virtiofsd");
  unlink(path.c_str());
  std::ofstream(path) << "no program";
  const auto facts = inspector_.Inspect(path, path, "/", absl::Now() + absl::Seconds(30));
  EXPECT_THAT(std::string(facts.status().message()), HasSubstr("could not be started"));
}

TEST_F(ExecutableTest, TheProgramGetsNothingOfOurs) {
  const std::string path = Stub("virtiofsd-env");
  const int leak = open("/dev/null", O_RDONLY);
  const int fd = open(path.c_str(), O_PATH | O_CLOEXEC);
  const auto output =
      RunForOutput(fd, -1, {"virtiofsd-env", "--version"}, absl::Now() + absl::Seconds(30));
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_EQ(*output, "environment: PATH=/usr/bin:/bin LC_ALL=C descriptors: 0 1 2\n");
  close(fd);
  close(leak);
}

}  // namespace
}  // namespace vuf
