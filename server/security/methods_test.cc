#include "server/security/methods.h"

#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "gtest/gtest.h"
#include "vuf/v1/back_end_profile.pb.h"
#include "vuf/v1/decision.pb.h"
#include "vuf/v1/endpoint.pb.h"
#include "vuf/v1/peer.pb.h"
#include "vuf/v1/planning.pb.h"
#include "vuf/v1/policy.pb.h"
#include "vuf/v1/vm.pb.h"

namespace vuf {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;

std::set<const MethodDescriptor*> AllMethods() {
  std::set<const MethodDescriptor*> methods;
  for (const Descriptor* const message :
       {v1::Vm::descriptor(), v1::Endpoint::descriptor(), v1::BackEndProfile::descriptor(),
        v1::Migration::descriptor(), v1::MigrationPolicy::descriptor(),
        v1::DecisionRecord::descriptor(), v1::PlanEvacuationRequest::descriptor(),
        v1::Reservation::descriptor()}) {
    const FileDescriptor* const file = message->file();
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        methods.insert(file->service(s)->method(m));
      }
    }
  }
  return methods;
}

std::string NameOf(const MethodDescriptor* method) {
  return absl::StrCat(method->service()->full_name(), "/", method->name());
}

bool IsText(const Descriptor* message, const std::string& path) {
  const FieldDescriptor* field = nullptr;
  for (const absl::string_view name : absl::StrSplit(path, '.')) {
    if (message == nullptr) return false;
    field = message->FindFieldByName(std::string(name));
    if (field == nullptr || field->is_repeated()) return false;
    message = field->message_type();
  }
  return field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
}

TEST(MethodsTest, EveryMethodOfTheApiIsInTheTableAndNoOther) {
  std::set<std::string> in_table;
  for (const MethodRule& rule : MethodRules()) {
    EXPECT_TRUE(in_table.insert(std::string(rule.method)).second)
        << rule.method << " is there twice";
  }
  std::set<std::string> in_api;
  for (const MethodDescriptor* const method : AllMethods()) in_api.insert(NameOf(method));
  EXPECT_GE(in_api.size(), 40u);
  for (const std::string& method : in_api) EXPECT_EQ(in_table.count(method), 1u) << method;
  for (const std::string& method : in_table) {
    EXPECT_TRUE(in_api.count(method) == 1 || absl::StartsWith(method, "grpc.")) << method;
  }
}

TEST(MethodsTest, OnlyHealthIsOpen) {
  for (const MethodRule& rule : MethodRules()) {
    EXPECT_EQ(rule.open, absl::StartsWith(rule.method, "grpc.health.v1.")) << rule.method;
    EXPECT_EQ(rule.role == config::v1::ROLE_UNSPECIFIED, rule.open) << rule.method;
  }
}

TEST(MethodsTest, WhatIsAuditedSaysWhatItIsAbout) {
  for (const MethodDescriptor* const method : AllMethods()) {
    const MethodRule* const rule = FindMethodRule(NameOf(method));
    if (rule == nullptr || !rule->changes) continue;
    EXPECT_TRUE(IsText(method->input_type(), std::string(rule->resource))) << rule->method;
    // Streams do not go through the audit log.
    EXPECT_FALSE(method->server_streaming() || method->client_streaming()) << rule->method;
  }
}

TEST(MethodsTest, ReadersOnlyRead) {
  for (const MethodRule& rule : MethodRules()) {
    const std::string method(rule.method.substr(rule.method.find('/') + 1));
    const bool reads = absl::StartsWith(method, "Get") || absl::StartsWith(method, "List") ||
                       absl::StartsWith(method, "Watch") || method == "Check" ||
                       method == "ExplainPolicy" || method == "ServerReflectionInfo";
    EXPECT_EQ(rule.role == config::v1::ROLE_VIEWER || rule.open, reads) << rule.method;
    EXPECT_FALSE(reads && rule.changes) << rule.method;
  }
}

TEST(MethodsTest, CancellingIsNeverRefusedForLoad) {
  EXPECT_TRUE(FindMethodRule("vuf.v1.MigrationService/CancelMigration")->essential);
  EXPECT_FALSE(FindMethodRule("vuf.v1.MigrationService/CreateMigration")->essential);
  EXPECT_EQ(FindMethodRule("vuf.v1.VmService/Explode"), nullptr);
}

}  // namespace
}  // namespace vuf
