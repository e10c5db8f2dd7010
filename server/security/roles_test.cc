#include "server/security/roles.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

RoleBindings Bindings(const std::string& text) {
  const absl::StatusOr<RoleBindings> bindings = RoleBindings::Parse(text);
  EXPECT_TRUE(bindings.ok()) << bindings.status();
  return bindings.value_or(RoleBindings());
}

std::string RolesOf(const RoleBindings& bindings, const std::vector<std::string>& names) {
  return bindings.RolesOf(Identity{names}).Text();
}

std::string ErrorOf(const std::string& text) {
  return std::string(RoleBindings::Parse(text).status().message());
}

TEST(RolesTest, NobodyHasARoleAtFirst) {
  EXPECT_EQ(RolesOf(RoleBindings(), {"uid:0", "spiffe://a/b"}), "no role");
  EXPECT_EQ(RolesOf(Bindings(""), {"uid:0"}), "no role");
}

TEST(RolesTest, WithoutAFileRootAndTheAgentsUserHaveAllButPeer) {
  const RoleBindings bindings = RoleBindings::Default(107);
  const std::string all = "ROLE_VIEWER, ROLE_EVALUATOR, ROLE_OPERATOR, ROLE_POLICY_ADMIN";
  EXPECT_EQ(RolesOf(bindings, {"uid:0"}), all);
  EXPECT_EQ(RolesOf(bindings, {"uid:107", "gid:5"}), all);
  EXPECT_EQ(RolesOf(bindings, {"uid:1000", "gid:0"}), "no role");
  EXPECT_EQ(RolesOf(bindings, {"spiffe://test/a"}), "no role");
}

TEST(RolesTest, EveryMatchCounts) {
  const RoleBindings bindings = Bindings(R"(
      bindings { identity: "uid:5" roles: ROLE_VIEWER }
      bindings { identity: "gid:6" roles: ROLE_OPERATOR }
      bindings { identity: "uid:5" roles: ROLE_POLICY_ADMIN })");
  EXPECT_EQ(RolesOf(bindings, {"uid:5", "gid:6"}), "ROLE_VIEWER, ROLE_OPERATOR, ROLE_POLICY_ADMIN");
  EXPECT_EQ(RolesOf(bindings, {"uid:6"}), "no role");
}

TEST(RolesTest, StarIsForWhatIsBelowAndNothingElse) {
  const RoleBindings bindings =
      Bindings("bindings { identity: \"spiffe://test/hosts/*\" roles: ROLE_PEER }");
  EXPECT_EQ(RolesOf(bindings, {"spiffe://test/hosts/a"}), "ROLE_PEER");
  EXPECT_EQ(RolesOf(bindings, {"spiffe://test/hosts/a/b"}), "ROLE_PEER");
  for (const char* const other : {"spiffe://test/hosts", "spiffe://test/hostsx/a",
                                  "spiffe://test2/hosts/a", "spiffe://test/x/hosts/a"}) {
    EXPECT_EQ(RolesOf(bindings, {other}), "no role") << other;
  }
}

TEST(RolesTest, OneRoleIncludesAnotherOnlyAsDocumented) {
  const struct {
    Role has;
    Role wanted;
  } included[] = {{config::v1::ROLE_EVALUATOR, config::v1::ROLE_VIEWER},
                  {config::v1::ROLE_OPERATOR, config::v1::ROLE_VIEWER},
                  {config::v1::ROLE_OPERATOR, config::v1::ROLE_EVALUATOR},
                  {config::v1::ROLE_POLICY_ADMIN, config::v1::ROLE_VIEWER}};
  int granted = 0;
  for (int has = 0; has < 6; ++has) {
    for (int wanted = 0; wanted < 6; ++wanted) {
      RoleSet roles;
      roles.Add(static_cast<Role>(has));
      if (roles.Grants(static_cast<Role>(wanted))) ++granted;
    }
  }
  EXPECT_EQ(granted, 5 + 4);
  for (const auto& [has, wanted] : included) {
    RoleSet roles;
    roles.Add(has);
    EXPECT_TRUE(roles.Grants(wanted));
  }
}

TEST(RolesTest, EveryErrorIsToldWithItsPlace) {
  EXPECT_THAT(ErrorOf("bindings { identity: \"uid:0\" }"),
              HasSubstr("bindings[0].roles: at least one"));
  EXPECT_THAT(ErrorOf("bindings { identity: \"uid:0\" roles: ROLE_KING }"), HasSubstr("line 1:"));
  EXPECT_THAT(ErrorOf("bindings { identity: \"uid:0\" roles: ROLE_UNSPECIFIED }"),
              HasSubstr("bindings[0].roles: 0; must be ROLE_VIEWER"));
  EXPECT_THAT(
      ErrorOf("bindings { identity: \"x\" roles: ROLE_PEER }\nbindings { identity: \"uid:0\" }"),
      AllOf(HasSubstr("bindings[0].identity: \"x\""), HasSubstr("bindings[1].roles")));
}

TEST(RolesTest, OnlyFourFormsOfIdentityAreTaken) {
  const auto taken = [](const std::string& identity) {
    return RoleBindings::Parse(
               absl::StrCat("bindings { identity: \"", identity, "\" roles: ROLE_VIEWER }"))
        .ok();
  };
  for (const char* const good :
       {"spiffe://test/a", "spiffe://test/*", "spiffe://test/a/*", "spiffe://a-b.c/A_b.c-1",
        "dns:a.example", "uid:0", "uid:4294967294", "gid:5"}) {
    EXPECT_TRUE(taken(good)) << good;
  }
  for (const char* const bad : {"",
                                "*",
                                "spiffe://*",
                                "spiffe://test",
                                "spiffe://test/",
                                "spiffe://test/a*",
                                "spiffe://test/*/a",
                                "spiffe://Test/a",
                                "spiffe://test/../a",
                                "spiffe://test//a",
                                "dns:",
                                "dns:*.example",
                                "dns:A",
                                "uid:",
                                "uid:-1",
                                "uid:007",
                                "uid:4294967295",
                                "uid:0 ",
                                "uid:*",
                                "user:0",
                                "cn:me"}) {
    EXPECT_FALSE(taken(bad)) << bad;
  }
}

}  // namespace
}  // namespace vuf
