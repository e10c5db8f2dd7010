#include "server/config/config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

std::string ErrorOf(const std::string& text) {
  const absl::StatusOr<Config> config = ParseConfig(text);
  EXPECT_FALSE(config.ok()) << text;
  EXPECT_TRUE(config.ok() || absl::IsInvalidArgument(config.status()));
  return std::string(config.status().message());
}

TEST(ParseConfigTest, EmptyFileGivesTheDocumentedDefaults) {
  const absl::StatusOr<Config> config = ParseConfig("# nothing\n");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->listen_socket, "/run/vufd/vufd.sock");
  EXPECT_EQ(config->state_directory, "/var/lib/vufd");
  EXPECT_EQ(config->http_address, "");
  EXPECT_EQ(config->discovery_period, absl::Seconds(10));
  EXPECT_EQ(config->qmp_timeout, absl::Seconds(5));
  EXPECT_EQ(config->max_concurrent_migrations, 4u);
  EXPECT_EQ(config->default_migration_timeout, absl::Minutes(5));
  EXPECT_EQ(config->migration_history_limit, 1000u);
  EXPECT_EQ(config->log_level, Config::LogLevel::kInfo);
  EXPECT_FALSE(config->log_json);
}

TEST(ParseConfigTest, EveryFieldArrives) {
  const absl::StatusOr<Config> config = ParseConfig(R"(
    listen_socket: "/run/a.sock"
    state_directory: "/state"
    http_address: "[::1]:9101"
    discovery {
      qmp_socket_globs: "/run/qemu/*.qmp"
      qmp_socket_globs: "/srv/vm[0-9]/qmp"
      period { seconds: 1 }
      qmp_timeout { nanos: 100000000 }
    }
    migrations { max_concurrent: 64 default_timeout { seconds: 86400 } history_limit: 100000 }
    log { level: LEVEL_WARNING format: FORMAT_JSON }
    decisions { history_limit: 100000 history_bytes: 1073741824 }
  )");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->listen_socket, "/run/a.sock");
  EXPECT_EQ(config->state_directory, "/state");
  EXPECT_EQ(config->http_address, "[::1]:9101");
  EXPECT_THAT(config->qmp_socket_globs, ElementsAre("/run/qemu/*.qmp", "/srv/vm[0-9]/qmp"));
  EXPECT_EQ(config->discovery_period, absl::Seconds(1));
  EXPECT_EQ(config->qmp_timeout, absl::Milliseconds(100));
  EXPECT_EQ(config->max_concurrent_migrations, 64u);
  EXPECT_EQ(config->default_migration_timeout, absl::Hours(24));
  EXPECT_EQ(config->migration_history_limit, 100000u);
  EXPECT_EQ(config->log_level, Config::LogLevel::kWarning);
  EXPECT_TRUE(config->log_json);
  EXPECT_EQ(config->decision_history_limit, 100000u);
  EXPECT_EQ(config->decision_history_bytes, 1073741824u);
}

struct Bad {
  std::string text;
  // What the error must name: the place, and the value or what is allowed.
  const char* where;
  const char* what;
};

class BadConfigTest : public testing::TestWithParam<Bad> {};

TEST_P(BadConfigTest, ErrorNamesFieldAndWhatIsAllowed) {
  EXPECT_THAT(ErrorOf(GetParam().text),
              AllOf(HasSubstr(GetParam().where), HasSubstr(GetParam().what)));
}

INSTANTIATE_TEST_SUITE_P(
    Syntax, BadConfigTest,
    testing::Values(Bad{"listen_socket: \"/a\"\nlisten_sockt: \"/b\"", "line 2:", "listen_sockt"},
                    Bad{"discovery {\n  period { secs: 1 }\n}", "line 2:", "secs"},
                    Bad{"listen_socket: 5", "line 1:16", "5"},
                    Bad{"migrations { max_concurrent: -1 }", "line 1:", "-"},
                    Bad{"migrations { max_concurrent: 4294967296 }", "line 1:", "out of range"},
                    Bad{"log { level: LOUD }", "line 1:", "LOUD"},
                    Bad{"log { level: LEVEL_INFO", "line 1:", ""},
                    Bad{"state_directory: \"/a\"\nstate_directory: \"/b\"",
                        "line 2:", "state_directory"},
                    Bad{std::string("\0", 1), "line 1:", ""}, Bad{"{}", "line 1:1", ""}));

INSTANTIATE_TEST_SUITE_P(
    Values, BadConfigTest,
    testing::Values(
        Bad{"listen_socket: \"vufd.sock\"", "listen_socket: \"vufd.sock\"", "absolute"},
        Bad{absl::StrCat("listen_socket: \"/", std::string(107, 'x'), "\""), "listen_socket: \"/x",
            "at most 107 bytes"},
        Bad{"listen_socket: \"/a\\000b\"", "listen_socket", "absolute"},
        Bad{"state_directory: \"var\"", "state_directory: \"var\"", "absolute"},
        Bad{"http_address: \"0.0.0.0:80\"", "http_address: \"0.0.0.0:80\"", "127.0.0.1:PORT"},
        Bad{"http_address: \":80\"", "http_address", "localhost:PORT"},
        Bad{"http_address: \"127.0.0.1\"", "http_address", "PORT"},
        Bad{"http_address: \"localhost:\"", "http_address", "PORT"},
        Bad{"http_address: \"localhost:0\"", "http_address", "1 to 65535"},
        Bad{"http_address: \"localhost:65536\"", "http_address", "1 to 65535"},
        Bad{"http_address: \"localhost:80,0.0.0.0:80\"", "http_address", "1 to 65535"},
        Bad{"http_address: \"127.0.0.1.example.org:80\"", "http_address", "PORT"},
        Bad{"tls { http_address: \"localhost:80\" }", "tls.http_address: \"localhost:80\"",
            "a numeric host"},
        Bad{"tls { http_address: \"::1:80\" }", "tls.http_address: \"::1:80\"", "in brackets"},
        Bad{"tls { http_address: \"[127.0.0.1]:80\" }", "tls.http_address", "in brackets"},
        Bad{"tls { http_address: \"0.0.0.0:0\" }", "tls.http_address", "1 to 65535"},
        Bad{"tls { http_address: \"0.0.0.0\" }", "tls.http_address", "HOST:PORT"},
        Bad{"discovery { period { nanos: 999999999 } }", "discovery.period: 999.999999ms",
            "1s to 1h"},
        Bad{"discovery { period { seconds: 3600 nanos: 1 } }", "discovery.period", "1s to 1h"},
        Bad{"discovery { period {} }", "discovery.period: 0", "1s to 1h"},
        Bad{"discovery { period { seconds: 5 nanos: -1 } }", "discovery.period: seconds: 5", "1s"},
        Bad{"discovery { period { nanos: 2000000000 } }", "discovery.period", "1s to 1h"},
        Bad{"discovery { period { seconds: 9223372036854775807 } }", "discovery.period", "1h"},
        Bad{"discovery { qmp_timeout { nanos: 99999999 } }", "discovery.qmp_timeout", "100ms"},
        Bad{"discovery { qmp_timeout { seconds: 61 } }", "discovery.qmp_timeout: 1m1s", "1m"},
        Bad{"discovery { qmp_socket_globs: \"*.qmp\" }", "discovery.qmp_socket_globs[0]: \"*.qmp\"",
            "absolute"},
        Bad{"discovery { qmp_socket_globs: \"\" }", "discovery.qmp_socket_globs[0]", "absolute"},
        Bad{"migrations { max_concurrent: 65 }", "migrations.max_concurrent: 65", "1 to 64"},
        Bad{"migrations { default_timeout { nanos: 5 } }", "migrations.default_timeout: 5ns",
            "1s to 24h"},
        Bad{"migrations { history_limit: 100001 }", "migrations.history_limit: 100001",
            "1 to 100000"},
        Bad{"decisions { history_limit: 100001 }", "decisions.history_limit: 100001",
            "1 to 100000"},
        Bad{"decisions { history_bytes: 1073741825 }", "decisions.history_bytes: 1073741825",
            "1 to 1073741824"},
        Bad{"log { level: 9 }", "log.level", "9"}, Bad{"log { format: 9 }", "log.format", "9"}));

TEST(ParseConfigTest, AllErrorsAreListed) {
  const std::string error = ErrorOf(R"(
    listen_socket: "a" state_directory: "b" http_address: "c"
    discovery { qmp_socket_globs: "d" period {} qmp_timeout {} }
    migrations { max_concurrent: 65 default_timeout {} history_limit: 100001 }
    log { level: 9 format: 9 })");
  const std::vector<std::string> lines = absl::StrSplit(error, '\n');
  EXPECT_THAT(lines, SizeIs(11)) << error;
}

TEST(ParseConfigTest, SixteenGlobsAndNoMore) {
  std::string globs;
  for (int i = 0; i < 16; ++i) absl::StrAppend(&globs, "qmp_socket_globs: \"/", i, "\" ");
  EXPECT_TRUE(ParseConfig("discovery { " + globs + "}").ok());
  EXPECT_THAT(ErrorOf("discovery { " + globs + "qmp_socket_globs: \"/16\" }"),
              HasSubstr("discovery.qmp_socket_globs: 17 globs; at most 16"));
}

TEST(ParseConfigTest, SocketPathOf107BytesIsAllowed) {
  EXPECT_TRUE(ParseConfig(absl::StrCat("listen_socket: \"/", std::string(106, 'x'), "\"")).ok());
}

class LoadConfigTest : public testing::Test {
 protected:
  LoadConfigTest() : path_(testing::TempDir() + "/load.textproto") {}
  ~LoadConfigTest() override { unlink(path_.c_str()); }
  std::string ErrorOfLoad() const { return std::string(LoadConfig(path_).status().message()); }
  const std::string path_;
};

TEST_F(LoadConfigTest, ReadsAFile) {
  std::ofstream(path_) << "state_directory: \"/state\"";
  const absl::StatusOr<Config> config = LoadConfig(path_);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->state_directory, "/state");
}

TEST_F(LoadConfigTest, ErrorsNameTheFile) {
  std::ofstream(path_) << "nonsense";
  EXPECT_THAT(ErrorOfLoad(), AllOf(HasSubstr(path_), HasSubstr("line 1")));
}

TEST_F(LoadConfigTest, MissingFileIsAnError) {
  EXPECT_TRUE(absl::IsNotFound(LoadConfig(path_).status()));
  EXPECT_THAT(ErrorOfLoad(), HasSubstr(path_));
}

TEST_F(LoadConfigTest, OneMebibyteAndNoMore) {
  std::ofstream(path_) << "#" << std::string((1 << 20) - 1, 'x');
  EXPECT_TRUE(LoadConfig(path_).ok());
  std::ofstream(path_) << "#" << std::string(1 << 20, 'x');
  EXPECT_THAT(ErrorOfLoad(), AllOf(HasSubstr(path_), HasSubstr("larger than 1048576 bytes")));
}

TEST_F(LoadConfigTest, WhatIsNoFileIsRefusedWithoutWaiting) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(ErrorOfLoad(), HasSubstr("not a regular file"));
  unlink(path_.c_str());
  EXPECT_THAT(std::string(LoadConfig(testing::TempDir()).status().message()),
              HasSubstr("not a regular file"));
}

}  // namespace
}  // namespace vuf
