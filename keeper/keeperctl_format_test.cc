#include "keeper/keeperctl_format.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace vuf::keeper {
namespace {

using nlohmann::json;
using testing::HasSubstr;

v1::KeeperSession Session() {
  v1::KeeperSession out;
  out.set_instance("0123456789abcdef0123456789abcdef");
  out.set_session("00000000000000000000000000000001");
  out.set_version("1.2.3");
  out.set_phase(v1::KeeperSession::PHASE_LOADED);
  out.set_permit("p1");
  out.set_fenced(true);
  out.set_ttl_ms(4000000000);
  out.set_hand_overs(7);
  out.mutable_back_end()->set_features(1ull << 40);
  v1::KeeperFrontEnd& front_end = *out.add_front_ends();
  front_end.set_socket_inode(1ull << 32);
  front_end.set_role(v1::KeeperFrontEnd::ROLE_DRIVER);
  front_end.set_undrained(true);
  out.add_front_ends()->set_role(v1::KeeperFrontEnd::ROLE_NOMINEE);
  return out;
}

TEST(KeeperctlFormat, JsonHasTheProtosNamesAndValues) {
  const json parsed = json::parse(ToJson(Session()));
  EXPECT_EQ(parsed["instance"], "0123456789abcdef0123456789abcdef");
  EXPECT_EQ(parsed["phase"], "PHASE_LOADED");
  EXPECT_EQ(parsed["fenced"], true);
  EXPECT_EQ(parsed["ttl_ms"], 4000000000u);
  EXPECT_EQ(parsed["hand_overs"], 7);
  EXPECT_EQ(parsed["back_end"]["features"], 1ull << 40);
  ASSERT_EQ(parsed["front_ends"].size(), 2u);
  EXPECT_EQ(parsed["front_ends"][0]["socket_inode"], 1ull << 32);
  EXPECT_EQ(parsed["front_ends"][0]["role"], "ROLE_DRIVER");
  EXPECT_EQ(parsed["front_ends"][0]["undrained"], true);
  EXPECT_EQ(parsed["front_ends"][1]["role"], "ROLE_NOMINEE");
}

TEST(KeeperctlFormat, TextOfOthersIsEscaped) {
  v1::KeeperSession session = Session();
  std::string text = "a\"b\\c\n\t\x01\x1f/\x7f \xc3\xa4";
  session.set_last_refusal(text);
  const std::string out = ToJson(session);
  EXPECT_EQ(json::parse(out)["last_refusal"], text);
  EXPECT_EQ(out.find('\n'), std::string::npos) << "one line each, for those who watch";
}

TEST(KeeperctlFormat, AnEmptySessionIsJsonToo) {
  const json parsed = json::parse(ToJson(v1::KeeperSession()));
  EXPECT_EQ(parsed["phase"], "PHASE_UNSPECIFIED");
  EXPECT_TRUE(parsed["front_ends"].is_array());
  EXPECT_TRUE(parsed["front_ends"].empty());
}

TEST(KeeperctlFormat, TextSaysWhatMatters) {
  const std::string out = ToText(Session());
  EXPECT_THAT(out, HasSubstr("hand-over  loaded, permit p1, 4000000000 ms left, fenced"));
  EXPECT_THAT(out, HasSubstr("driver"));
  EXPECT_THAT(out, HasSubstr("stopped with a request under way"));
  EXPECT_EQ(out.find("refused"), std::string::npos);
}

}  // namespace
}  // namespace vuf::keeper
