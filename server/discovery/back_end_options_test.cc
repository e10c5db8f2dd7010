#include "server/discovery/back_end_options.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf {
namespace {

using ::testing::IsSupersetOf;
using ::testing::Pair;
using Options = std::vector<std::pair<const std::string, std::string>>;

BackEndOptions Rust(std::vector<std::string> words, Version version = {1, 14, 0}) {
  words.insert(words.begin(), "virtiofsd");
  return NormalizeOptions(BackEndKind::kVirtiofsd, version, words);
}

BackEndOptions C(std::vector<std::string> words) {
  words.insert(words.begin(), "virtiofsd");
  return NormalizeOptions(BackEndKind::kVirtiofsdC, {7, 2, 22}, words);
}

TEST(BackEndOptionsTest, FillsInTheDefaultsOfTheRustDaemon) {
  EXPECT_THAT(Rust({"--shared-dir=/a", "--socket-path", "/s"}),
              IsSupersetOf(Options{{"shared-dir", "/a"},
                                   {"socket-path", "/s"},
                                   {"thread-pool-size", "0"},
                                   {"cache", "auto"},
                                   {"sandbox", "namespace"},
                                   {"migration-mode", "find-paths"},
                                   {"migration-on-error", "abort"},
                                   {"migration-verify-handles", "false"},
                                   {"posix-acl", "never"},
                                   {"xattr", "false"},
                                   {"readonly", "false"},
                                   {"announce-submounts", "true"}}));
}

TEST(BackEndOptionsTest, InodeFileHandlesDependsOnTheVersion) {
  EXPECT_EQ(Rust({}, {1, 13, 2}).at("inode-file-handles"), "never");
  EXPECT_EQ(Rust({}, {1, 13, 3}).at("inode-file-handles"), "prefer");
  EXPECT_EQ(Rust({}, {1, 14, 0}).at("inode-file-handles"), "prefer");
  EXPECT_EQ(Rust({"--inode-file-handles=mandatory"}, {1, 13, 2}).at("inode-file-handles"),
            "mandatory");
  EXPECT_EQ(Rust({"--inode-file-handles=fallback"}).at("inode-file-handles"), "prefer");
}

struct Spelling {
  std::vector<std::string> words;
  std::string name;
  std::string value;
};

class RustSpellings : public ::testing::TestWithParam<Spelling> {};

TEST_P(RustSpellings, MeanTheSame) {
  EXPECT_THAT(Rust(GetParam().words), ::testing::Contains(Pair(GetParam().name, GetParam().value)));
}

INSTANTIATE_TEST_SUITE_P(
    Table, RustSpellings,
    ::testing::Values(Spelling{{"--thread-pool-size=8"}, "thread-pool-size", "8"},
                      Spelling{{"--thread-pool-size", "8"}, "thread-pool-size", "8"},
                      Spelling{{"--readonly", "--cache", "never"}, "readonly", "true"},
                      Spelling{{"--posix-acl"}, "posix-acl", "always"},
                      Spelling{{"--posix-acl=auto"}, "posix-acl", "auto"},
                      Spelling{{"--posix-acl", "--readonly"}, "readonly", "true"},
                      Spelling{{"--posix-acl"}, "xattr", "true"},
                      Spelling{{"--security-label=auto"}, "xattr", "true"},
                      Spelling{{"--xattrmap=:map::user.virtiofs.:"}, "xattr", "true"},
                      Spelling{{"-o", "posix_acl"}, "posix-acl", "always"},
                      Spelling{{"-o", "posix_acl,no_posix_acl"}, "posix-acl", "never"},
                      Spelling{{"-osource=/a,cache=none"}, "cache", "never"},
                      Spelling{{"-o=source=/a"}, "shared-dir", "/a"},
                      // Wherever it stands, -o wins.
                      Spelling{{"-o", "cache=always", "--cache=never"}, "cache", "always"},
                      Spelling{{"--cache=never", "--cache=auto"}, "cache", "auto"},
                      Spelling{{"-o", "writeback,no_writeback,xattr"}, "writeback", "false"},
                      Spelling{{"-o", "no_readdirplus"}, "no-readdirplus", "true"},
                      Spelling{{"-o", "modcaps=+sys_admin:-chown"}, "modcaps", "+sys_admin:-chown"},
                      Spelling{{"--no-announce-submounts"}, "announce-submounts", "false"},
                      Spelling{{"--no-killpriv-v2"}, "killpriv-v2", "false"},
                      Spelling{{"--socket=/s"}, "socket-path", "/s"},
                      Spelling{{"-d"}, "log-level", "debug"}, Spelling{{"-fd"}, "f", "true"},
                      Spelling{{"--translate-uid", "map:0:1:2", "--translate-uid=map:3:4:5"},
                               "translate-uid",
                               "map:0:1:2 map:3:4:5"},
                      Spelling{
                          {"--migration-mode", "file-handles"}, "migration-mode", "file-handles"},
                      // What nobody knows stays visible.
                      Spelling{{"--new-flag", "--readonly"}, "new-flag", "true"},
                      Spelling{{"--new-option", "5"}, "new-option", "5"},
                      Spelling{{"--new-option=a=b"}, "new-option", "a=b"},
                      Spelling{{"-o", "new_thing=5"}, "new-thing", "5"},
                      Spelling{{"-x"}, "x", "true"}, Spelling{{"--readonly", "stray"}, "", "stray"},
                      Spelling{{"--", "--readonly"}, "", "--readonly"},
                      Spelling{{"--shared-dir"}, "shared-dir", "true"}));

TEST(BackEndOptionsTest, TranslatesTheCDaemon) {
  EXPECT_THAT(C({"--socket-path=/s", "-o", "source=/a,cache=none,no_flock,xattr", "-f",
                 "--thread-pool-size=4", "-o", "no_readdirplus"}),
              IsSupersetOf(Options{{"socket-path", "/s"},
                                   {"shared-dir", "/a"},
                                   {"cache", "never"},
                                   {"flock", "false"},
                                   {"xattr", "true"},
                                   {"f", "true"},
                                   {"thread-pool-size", "4"},
                                   {"no-readdirplus", "true"},
                                   {"sandbox", "namespace"},
                                   {"announce-submounts", "false"}}));
  EXPECT_EQ(C({"-o", "source=/a\\,b"}).at("shared-dir"), "/a,b");
  EXPECT_EQ(C({}).count("inode-file-handles"), 0u);
}

TEST(BackEndOptionsTest, OfAnotherProgramNothingIsAssumed) {
  EXPECT_EQ(NormalizeOptions(BackEndKind::kUnknown, {}, {"other", "--a=1", "-o", "x,y", "--b"}),
            (BackEndOptions{{"a", "1"}, {"o", "x,y"}, {"b", "true"}}));
  EXPECT_EQ(NormalizeOptions(BackEndKind::kUnknown, {}, {}), BackEndOptions{});
}

}  // namespace
}  // namespace vuf
