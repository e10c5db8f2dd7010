#include "keeper/options.h"

#include <unistd.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf::keeper {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<std::string> kGood = {"--socket-path", "/run/a", "--control-socket=/run/b",
                                        "--back-end-socket", "/run/c"};

std::string Parse(const std::vector<std::string>& more, Options& out) {
  std::vector<std::string> all = kGood;
  all.insert(all.end(), more.begin(), more.end());
  return ParseOptions(all, out);
}

TEST(Options, WhatIsLeftOutHasADefault) {
  Options options;
  ASSERT_EQ(ParseOptions(kGood, options), "");
  EXPECT_EQ(options.socket_path, "/run/a");
  EXPECT_EQ(options.control_socket, "/run/b");
  EXPECT_EQ(options.back_end_socket, "/run/c");
  EXPECT_EQ(options.back_end_timeout.count(), 5000);
  EXPECT_EQ(options.drain_limit.count(), 500);
  EXPECT_EQ(options.socket_access.mode, mode_t{0660});
  EXPECT_FALSE(options.socket_access.group.has_value());
  EXPECT_EQ(options.control_uids, (std::set<uid_t>{0, getuid()}));
  EXPECT_EQ(options.log_level, Level::kInfo);
  EXPECT_TRUE(options.sandbox);
}

TEST(Options, EverythingCanBeSaid) {
  Options options;
  ASSERT_EQ(Parse({"--drain-limit-ms=60000", "--back-end-timeout-ms", "1", "--socket-mode=0606",
                   "--socket-group", "7", "--allow-control-uid=3000000001",
                   "--allow-control-uid=3000000002", "--log-level=debug", "--no-sandbox"},
                  options),
            "");
  EXPECT_EQ(options.drain_limit.count(), 60000);
  EXPECT_EQ(options.back_end_timeout.count(), 1);
  EXPECT_EQ(options.socket_access.mode, mode_t{0606});
  EXPECT_EQ(options.socket_access.group, gid_t{7});
  EXPECT_EQ(options.control_uids, (std::set<uid_t>{0, getuid(), 3000000001, 3000000002}));
  EXPECT_EQ(options.log_level, Level::kDebug);
  EXPECT_FALSE(options.sandbox);
}

TEST(Options, ABackEndToStartTakesTheRest) {
  Options options;
  ASSERT_EQ(ParseOptions({"--socket-path=/run/a", "--control-socket=/run/b", "--", "virtiofsd",
                          "--fd={fd}", "--log-level=off"},
                         options),
            "");
  EXPECT_THAT(options.command, ElementsAre("virtiofsd", "--fd={fd}", "--log-level=off"));
  EXPECT_EQ(options.log_level, Level::kInfo);
}

TEST(Options, AGroupHasAName) {
  Options options;
  ASSERT_EQ(Parse({"--socket-group=root"}, options), "");
  EXPECT_EQ(options.socket_access.group, gid_t{0});
}

struct Bad {
  std::vector<std::string> more;
  std::string said;
};

class BadOptions : public testing::TestWithParam<Bad> {};

TEST_P(BadOptions, NameOptionValueAndWhatIsAllowed) {
  Options options;
  EXPECT_THAT(Parse(GetParam().more, options), HasSubstr(GetParam().said));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadOptions,
    testing::Values(
        Bad{{"--drain-limit-ms=0"}, "--drain-limit-ms: \"0\" is not a number from 1 to 60000"},
        Bad{{"--drain-limit-ms", "60001"}, "\"60001\" is not a number from 1 to 60000"},
        Bad{{"--drain-limit-ms", "-1"}, "\"-1\" is not"},
        Bad{{"--drain-limit-ms", "1s"}, "\"1s\" is not"},
        Bad{{"--drain-limit-ms", "99999999999999999999"}, "is not a number"},
        Bad{{"--drain-limit-ms"}, "--drain-limit-ms needs a value"},
        Bad{{"--back-end-timeout-ms=600001"}, "from 1 to 600000"},
        Bad{{"--log-level=loud"}, "\"loud\" is not error, warning, info or debug"},
        Bad{{"--socket-mode=0999"}, "is not an octal number"},
        Bad{{"--socket-mode=1777"}, "is not an octal number"},
        Bad{{"--socket-group=no-such-group"}, "\"no-such-group\" is not a group of this host"},
        Bad{{"--allow-control-uid=root"}, "\"root\" is not a user id"},
        Bad{{"--allow-control-uid=4294967295"}, "is not a user id"},
        Bad{{"--socket-path=relative"}, "is not an absolute path of at most 107 bytes"},
        Bad{{"--socket-path=/" + std::string(107, 'x')}, "is not an absolute path"},
        Bad{{"--socket-path=/run/b"}, "must differ"},
        Bad{{"--back-end-socket=/run/a"}, "must differ"},
        Bad{{"--sockets"}, "unknown option \"--sockets\""},
        Bad{{"stray"}, "unknown option \"stray\""},
        Bad{{"--", "virtiofsd", "--fd={fd}"}, "either --back-end-socket or"}));

TEST(Options, WhatIsMissingIsNamed) {
  Options options;
  EXPECT_THAT(ParseOptions({}, options), HasSubstr("--socket-path is missing"));
  EXPECT_THAT(ParseOptions({"--socket-path=/a"}, options),
              HasSubstr("--control-socket is missing"));
  EXPECT_THAT(ParseOptions({"--socket-path=/a", "--control-socket=/b"}, options),
              HasSubstr("either --back-end-socket or"));
  EXPECT_THAT(ParseOptions({"--socket-path=/a", "--control-socket=/b", "--", "prog"}, options),
              HasSubstr("{fd}"));
}

TEST(Options, HelpAndVersionNeedNothingElse) {
  Options options;
  EXPECT_EQ(ParseOptions({"--help"}, options), "");
  EXPECT_EQ(ParseOptions({"--version"}, options), "");
  EXPECT_TRUE(options.help && options.version);
}

}  // namespace
}  // namespace vuf::keeper
