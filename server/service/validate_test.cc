#include "server/service/validate.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "vuf/v1/vm.pb.h"

namespace vuf {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string Words(const absl::Status& status) { return std::string(status.message()); }

TEST(ValidateTest, ErrorsNameFieldValueAndWhatIsAllowed) {
  const absl::Status status = CheckId("vm_id", "Bad\n");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Words(status),
              AllOf(HasSubstr("vm_id"), HasSubstr("\"Bad\\n\""), HasSubstr("[a-z]")));
}

TEST(ValidateTest, LongValuesAreShortened) {
  EXPECT_LT(Quoted(std::string(1 << 20, '\x01')).size(), 500u);
}

TEST(ValidateTest, Ids) {
  for (const char* const good : {"a", "a1", "web-server-1"}) EXPECT_TRUE(CheckId("f", good).ok());
  EXPECT_TRUE(CheckId("f", std::string(63, 'a')).ok());
  for (const char* const bad : {"", "1a", "-a", "a-", "A", "a_b", "a/b", "\xC3\xA9"}) {
    EXPECT_FALSE(CheckId("f", bad).ok()) << bad;
  }
  EXPECT_FALSE(CheckId("f", std::string(64, 'a')).ok());
}

TEST(ValidateTest, Names) {
  EXPECT_TRUE(CheckName("name", "vms", "vms/a").ok());
  for (const char* const bad : {"", "a", "vms", "vms/", "vms/a/b", "endpoints/a", "vmsa"}) {
    EXPECT_FALSE(CheckName("name", "vms", bad).ok()) << bad;
  }
}

TEST(ValidateTest, MadeIdsAreIds) {
  EXPECT_EQ(IdFrom("Web Server_1"), "web-server-1");
  EXPECT_EQ(IdFrom("7of9"), "vm-7of9");
  EXPECT_EQ(IdFrom("--"), "");
  EXPECT_EQ(IdFrom("a!!!"), "a");
  for (const std::string& text : {std::string(200, 'x'), std::string(62, 'x') + "-y"}) {
    EXPECT_TRUE(CheckId("f", IdFrom(text)).ok()) << IdFrom(text);
  }
}

TEST(ValidateTest, Labels) {
  v1::Vm vm;
  (*vm.mutable_labels())["team/owner"] = "a b";
  EXPECT_TRUE(CheckLabels("labels", vm.labels()).ok());
  (*vm.mutable_labels())["k"] = std::string(64, 'v');
  EXPECT_THAT(Words(CheckLabels("labels", vm.labels())), HasSubstr("labels[\"k\"]"));
  vm.clear_labels();
  for (int i = 0; i < 33; ++i) (*vm.mutable_labels())["k" + std::to_string(i)] = "";
  EXPECT_THAT(Words(CheckLabels("labels", vm.labels())), HasSubstr("33"));
}

TEST(ValidateTest, SocketPaths) {
  EXPECT_TRUE(CheckSocketPath("p", "/" + std::string(106, 'a')).ok());
  EXPECT_FALSE(CheckSocketPath("p", "/" + std::string(107, 'a')).ok());
  EXPECT_FALSE(CheckSocketPath("p", "run/a.sock").ok());
  EXPECT_FALSE(CheckSocketPath("p", "").ok());
  EXPECT_FALSE(CheckSocketPath("p", absl::string_view("/a\0b", 4)).ok());
}

TEST(ValidateTest, RequestIds) {
  EXPECT_TRUE(CheckRequestId("").ok());
  EXPECT_FALSE(CheckRequestId("", true).ok());
  EXPECT_TRUE(CheckRequestId(std::string(64, '~'), true).ok());
  EXPECT_FALSE(CheckRequestId(std::string(65, '~')).ok());
  EXPECT_FALSE(CheckRequestId("\xC3\xA9").ok());
}

TEST(ValidateTest, Durations) {
  google::protobuf::Duration duration;
  const auto check = [&](int64_t seconds, int32_t nanos) {
    duration.set_seconds(seconds);
    duration.set_nanos(nanos);
    return CheckDuration("d", duration, absl::Milliseconds(1), absl::Hours(1)).ok();
  };
  EXPECT_TRUE(check(0, 1000000));
  EXPECT_TRUE(check(3600, 0));
  EXPECT_FALSE(check(0, 999999));
  EXPECT_FALSE(check(3600, 1));
  EXPECT_FALSE(check(2, -1));
  EXPECT_FALSE(check(1, 1000000000));
  EXPECT_FALSE(check(INT64_MAX, 0));
  EXPECT_FALSE(check(INT64_MIN, 0));
}

TEST(ValidateTest, OnlyFields) {
  v1::Vm vm;
  vm.set_qmp_socket("/a");
  EXPECT_TRUE(CheckOnlyFields("vm", vm, {"qmp_socket"}).ok());
  vm.set_etag("x");
  EXPECT_THAT(Words(CheckOnlyFields("vm", vm, {"qmp_socket"})), HasSubstr("vm.etag"));
}

TEST(ValidateTest, ParseFailuresAreExplained) {
  const auto& descriptor = *v1::RegisterVmRequest::descriptor();
  EXPECT_THAT(Words(ExplainParseFailure("\x12\x02g\xff", descriptor)),
              HasSubstr("vm_id: \"g\\xff\" is not valid UTF-8"));
  EXPECT_THAT(Words(ExplainParseFailure("\xff", descriptor)), HasSubstr("RegisterVmRequest"));
  // A label's value, in a map entry in a message.
  EXPECT_THAT(Words(ExplainParseFailure("\x0a\x08\x1a\x06\x0a\x01k\x12\x01\xff", descriptor)),
              HasSubstr("vm.labels.value"));
}

}  // namespace
}  // namespace vuf
