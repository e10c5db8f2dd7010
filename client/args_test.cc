#include "client/args.h"

#include "client/cli.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<ParsedArgs> ParseWords(const std::vector<std::string>& words) {
  return Parse(Commands(), words);
}

TEST(ParseTest, AGroupAloneListsAndFlagsStandAnywhere) {
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"vms"}, {"vms", "list"}, {"--output=json", "vms"}, {"vms", "--output", "json"}}) {
    const absl::StatusOr<ParsedArgs> args = ParseWords(words);
    ASSERT_TRUE(args.ok()) << args.status();
    EXPECT_STREQ(args->command->name, "vms list");
    EXPECT_TRUE(args->positional.empty());
  }
}

TEST(ParseTest, ReadsValuesInBothForms) {
  const absl::StatusOr<ParsedArgs> args =
      ParseWords({"migrate", "--to", "/a=b", "web", "--watch", "--mode=stateful"});
  ASSERT_TRUE(args.ok()) << args.status();
  EXPECT_THAT(args->positional, ElementsAre("web"));
  EXPECT_EQ(args->Get("to"), "/a=b");
  EXPECT_EQ(args->Get("mode"), "stateful");
  EXPECT_TRUE(args->Has("watch"));
}

TEST(ParseTest, HelpWinsOverWhateverElseIsThere) {
  const absl::StatusOr<ParsedArgs> args = ParseWords({"vms", "get", "-h", "--to=x"});
  ASSERT_TRUE(args.ok()) << args.status();
  EXPECT_STREQ(args->command->name, "help");
  EXPECT_THAT(args->positional, ElementsAre("vms", "get"));
}

TEST(ParseTest, AfterTwoDashesNothingIsAFlag) {
  const absl::StatusOr<ParsedArgs> args = ParseWords({"vms", "get", "--", "--watch"});
  ASSERT_TRUE(args.ok()) << args.status();
  EXPECT_THAT(args->positional, ElementsAre("--watch"));
}

struct BadLine {
  std::vector<std::string> words;
  std::string message;
};

TEST(ParseTest, EveryErrorNamesTheWordAndTheNearestRightOne) {
  const BadLine lines[] = {
      {{"vsm"}, "unknown command \"vsm\"; did you mean \"vms\"?"},
      {{"vms", "lst"}, "unknown command \"vms lst\"; did you mean \"vms list\"?"},
      {{"xylophone"}, "unknown command \"xylophone\""},
      {{"evaluate", "web", "--too=x"}, "unknown flag --too; did you mean \"--to\"?"},
      {{"evaluate", "web", "--watch"}, "unknown flag --watch"},
      {{"-x"}, "unknown flag -x"},
      {{"evaluate"}, "\"evaluate\" needs VM"},
      {{"evaluate", "a", "b"}, "unexpected argument \"b\""},
      {{"vms", "list", "--output"}, "flag --output needs a value: --output=FORMAT"},
      {{"migrate", "web", "--watch=yes"}, "flag --watch takes no value"},
      {{"evaluate", "a", "--to=b", "--to=c"}, "flag --to is given more than once"},
  };
  for (const BadLine& line : lines) {
    const absl::StatusOr<ParsedArgs> args = ParseWords(line.words);
    ASSERT_FALSE(args.ok()) << line.message;
    EXPECT_TRUE(IsUsageError(args.status()));
    EXPECT_EQ(args.status().message(), line.message);
  }
}

TEST(ParseTest, WhatStandsAfterTheDashesIsCounted) {
  const absl::StatusOr<ParsedArgs> args = ParseWords({"upgrade", "web", "--", "qemu", "-S"});
  ASSERT_TRUE(args.ok()) << args.status();
  EXPECT_THAT(args->positional, ElementsAre("web", "qemu", "-S"));
  EXPECT_EQ(args->after_dashes, 2u);
  EXPECT_EQ(ParseWords({"upgrade", "web"})->after_dashes, 0u);
}

// The parser must know whether a flag takes a value before it knows the command.
TEST(CommandsTest, AFlagTakesAValueInAllCommandsOrInNone) {
  std::map<std::string, bool> takes_value;
  for (const FlagSpec& flag : GlobalFlags()) takes_value[flag.name] = flag.value != nullptr;
  for (const Command& command : Commands()) {
    for (const FlagSpec& flag : command.flags) {
      const bool value = flag.value != nullptr;
      EXPECT_EQ(takes_value.emplace(flag.name, value).first->second, value) << flag.name;
    }
  }
}

TEST(FlagValuesTest, SizesAndTimes) {
  ParsedArgs args;
  args.flags = {{"a", {"100M"}}, {"b", {"1g"}}, {"c", {"17"}}, {"d", {"1.5s"}}};
  EXPECT_EQ(*SizeFlag(args, "a"), 100u << 20);
  EXPECT_EQ(*SizeFlag(args, "b"), 1u << 30);
  EXPECT_EQ(*SizeFlag(args, "c"), 17u);
  EXPECT_EQ(*SizeFlag(args, "absent"), 0u);
  EXPECT_EQ(*DurationFlag(args, "d", absl::Seconds(1)), absl::Milliseconds(1500));
  EXPECT_EQ(*DurationFlag(args, "absent", absl::Seconds(1)), absl::Seconds(1));
}

TEST(FlagValuesTest, BadValuesAreNamed) {
  for (const char* value : {"", "0", "-1", "M", "1.5G", "99999999999999999999", "17179869184G"}) {
    ParsedArgs args;
    args.flags["max-bandwidth"] = {value};
    const absl::Status status = SizeFlag(args, "max-bandwidth").status();
    EXPECT_TRUE(IsUsageError(status)) << value;
    EXPECT_THAT(std::string(status.message()), HasSubstr("--max-bandwidth="));
  }
  for (const char* value : {"", "5", "0s", "-1s", "25h", "soon"}) {
    ParsedArgs args;
    args.flags["timeout"] = {value};
    EXPECT_TRUE(IsUsageError(DurationFlag(args, "timeout", absl::Seconds(1)).status())) << value;
  }
  ParsedArgs args;
  args.flags["label"] = {"a=1", "a=2"};
  EXPECT_TRUE(IsUsageError(LabelFlags(args, "label").status()));
  args.flags["label"] = {"novalue"};
  EXPECT_TRUE(IsUsageError(LabelFlags(args, "label").status()));
}

}  // namespace
}  // namespace vuf::cli
