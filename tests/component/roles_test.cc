// Every method with every role, by the table: nothing is open that should not be.
#include "server/security/roles.h"

#include <map>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "gtest/gtest.h"
#include "server/security/methods.h"
#include "tests/component/tls_world.h"

namespace vuf {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::ServiceDescriptor;

constexpr Role kRoles[] = {config::v1::ROLE_VIEWER, config::v1::ROLE_EVALUATOR,
                           config::v1::ROLE_OPERATOR, config::v1::ROLE_POLICY_ADMIN,
                           config::v1::ROLE_PEER};
// No message: whoever gets as far as reading it says INVALID_ARGUMENT.
constexpr char kGarbage[] = "\xff\xff";

std::string IdentityFor(Role role) {
  return absl::StrCat("spiffe://test/", config::v1::Role_Name(role));
}

std::string OneEach() {
  std::string roles;
  for (const Role role : kRoles) {
    absl::StrAppend(&roles, "bindings { identity: \"", IdentityFor(role),
                    "\" roles: ", config::v1::Role_Name(role), " }\n");
  }
  return roles;
}

class RolesTest : public ::testing::Test {
 protected:
  TlsWorld world_{OneEach()};
};

TEST_F(RolesTest, EachMethodIsOpenToItsRolesAndNobodyElse) {
  std::map<Role, std::shared_ptr<grpc::Channel>> channels;
  for (const Role role : kRoles) channels[role] = world_.ConnectAs(IdentityFor(role));
  const auto nobody = world_.ConnectAs("spiffe://test/nobody");
  for (const std::string& service : world_.api->server->services()) {
    const ServiceDescriptor* const descriptor =
        DescriptorPool::generated_pool()->FindServiceByName(service);
    ASSERT_NE(descriptor, nullptr) << service;
    for (int i = 0; i < descriptor->method_count(); ++i) {
      const std::string method = absl::StrCat(service, "/", descriptor->method(i)->name());
      const MethodRule* const rule = FindMethodRule(method);
      ASSERT_NE(rule, nullptr) << method << " is missing in server/security/methods.cc";
      const grpc::Status refused = CallRaw(nobody, method, kGarbage).status;
      EXPECT_EQ(refused.error_code(), grpc::StatusCode::PERMISSION_DENIED) << method;
      EXPECT_EQ(ErrorInfoOf(refused).metadata().at("role"), config::v1::Role_Name(rule->role));
      for (const Role role : kRoles) {
        RoleSet has;
        has.Add(role);
        EXPECT_EQ(CallRaw(channels[role], method, kGarbage).status.error_code(),
                  has.Grants(rule->role) ? grpc::StatusCode::INVALID_ARGUMENT
                                         : grpc::StatusCode::PERMISSION_DENIED)
            << method << " as " << config::v1::Role_Name(role);
      }
    }
  }
}

TEST_F(RolesTest, ReflectionNeedsAViewer) {
  const std::string reflection = "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  EXPECT_EQ(CallRaw(world_.ConnectAs("spiffe://test/nobody"), reflection).status.error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_NE(CallRaw(world_.ConnectAs(IdentityFor(config::v1::ROLE_VIEWER)), reflection)
                .status.error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(RolesTest, WhatIsNotInTheTableIsThereForNobody) {
  EXPECT_EQ(
      CallRaw(world_.ConnectAs(IdentityFor(config::v1::ROLE_OPERATOR)), "vuf.v1.VmService/Explode")
          .status.error_code(),
      grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(RolesTest, ChangesAreAuditedWhetherAllowedOrNotAndReadingIsNot) {
  v1::RemoveVmRequest request;
  request.set_name("vms/precious");
  const std::string bytes = request.SerializeAsString();
  const auto viewer = world_.ConnectAs(IdentityFor(config::v1::ROLE_VIEWER));
  const auto user = world_.ConnectAs(IdentityFor(config::v1::ROLE_OPERATOR));
  CallRaw(viewer, "vuf.v1.VmService/ListVms");
  CallRaw(viewer, "vuf.v1.VmService/RemoveVm", bytes);
  CallRaw(user, "vuf.v1.VmService/RemoveVm", bytes);
  const std::vector<AuditRecord> records = world_.api->audit.records();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].actor, IdentityFor(config::v1::ROLE_VIEWER));
  EXPECT_EQ(records[0].outcome, "PERMISSION_DENIED");
  EXPECT_EQ(records[1].actor, IdentityFor(config::v1::ROLE_OPERATOR));
  EXPECT_EQ(records[1].outcome, "NOT_FOUND");
  for (const AuditRecord& record : records) {
    EXPECT_EQ(record.method, "vuf.v1.VmService/RemoveVm");
    EXPECT_EQ(record.resource, "vms/precious");
  }
}

}  // namespace
}  // namespace vuf
