// One client that asks for too much, and an audit log that cannot be written.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "tests/component/tls_world.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kList[] = "vuf.v1.EndpointService/ListEndpoints";
constexpr char kAll[] = R"(
    bindings { identity: "spiffe://test/a" roles: ROLE_OPERATOR }
    bindings { identity: "spiffe://test/b" roles: ROLE_OPERATOR })";

bool HasRetryInfo(const grpc::Status& status) {
  google::rpc::Status details;
  google::rpc::RetryInfo info;
  if (!details.ParseFromString(status.error_details())) return false;
  for (const auto& detail : details.details()) {
    if (detail.UnpackTo(&info))
      return info.retry_delay().seconds() + info.retry_delay().nanos() > 0;
  }
  return false;
}

grpc::Status Cancel(const std::shared_ptr<grpc::Channel>& channel) {
  v1::CancelMigrationRequest request;
  request.set_name("migrations/none");
  return CallRaw(channel, "vuf.v1.MigrationService/CancelMigration", request.SerializeAsString())
      .status;
}

grpc::Status AddEndpoint(const std::shared_ptr<grpc::Channel>& channel) {
  v1::CreateEndpointRequest request;
  request.set_endpoint_id("e");
  request.mutable_endpoint()->set_socket_path("/run/none/e.sock");
  return CallRaw(channel, "vuf.v1.EndpointService/CreateEndpoint", request.SerializeAsString())
      .status;
}

TEST(LimitsTest, ClientThatAsksTooOftenIsToldWhenToComeAgainAndMayStillCancel) {
  TlsWorld world(kAll, {1, 3, 100});
  const auto channel = world.ConnectAs("spiffe://test/a");
  grpc::Status refused;
  for (int i = 0; i < 20 && refused.ok(); ++i) refused = CallRaw(channel, kList).status;
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(HasRetryInfo(refused));
  EXPECT_EQ(ErrorInfoOf(refused).reason(), "CLIENT_LIMIT");
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Cancel(channel).error_code(), grpc::StatusCode::NOT_FOUND);
  }
  EXPECT_TRUE(CallRaw(world.ConnectAs("spiffe://test/b"), kList).status.ok());
  EXPECT_THAT(world.api->metrics.Text(), HasSubstr("vufd_calls_refused_total{reason=\"limit\"} "));
}

TEST(LimitsTest, CallsOverTheLimitAreNotAudited) {
  TlsWorld world(kAll, {1, 1, 100});
  const auto channel = world.ConnectAs("spiffe://test/a");
  EXPECT_TRUE(AddEndpoint(channel).ok());
  for (int i = 0; i < 10; ++i) AddEndpoint(channel);
  EXPECT_LT(world.api->audit.records().size(), 10u);
}

TEST(LimitsTest, WatchIsUnderWayUntilItEnds) {
  TlsWorld world(kAll, {100000, 100000, 1});
  const auto channel = world.ConnectAs("spiffe://test/a");
  const auto stub = v1::EndpointService::NewStub(channel);
  const auto context = Context();
  const auto watch = stub->WatchEndpoints(context.get(), v1::WatchEndpointsRequest());
  v1::WatchEndpointsResponse message;
  ASSERT_TRUE(watch->Read(&message));
  EXPECT_EQ(CallRaw(channel, kList).status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  context->TryCancel();
  watch->Finish();
  // The server learns of the end a moment later.
  grpc::Status status;
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  do {
    status = CallRaw(channel, kList).status;
  } while (!status.ok() && absl::Now() < deadline);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST(LimitsTest, NothingIsDoneThatCannotBeAudited) {
  TlsWorld world(kAll);
  const auto channel = world.ConnectAs("spiffe://test/a");
  world.api->audit.Fail(absl::UnavailableError("the disk is full"));
  const grpc::Status refused = AddEndpoint(channel);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(refused.error_message(), HasSubstr("nothing was done"));
  EXPECT_THAT(world.api->registry->snapshot()->endpoints, IsEmpty());
  EXPECT_TRUE(CallRaw(channel, kList).status.ok());
  EXPECT_EQ(Cancel(channel).error_code(), grpc::StatusCode::NOT_FOUND);
  world.api->audit.Fail(absl::OkStatus());
  EXPECT_TRUE(AddEndpoint(channel).ok());
}

TEST(LimitsTest, WhatIsDoneButCouldNotBeAuditedIsNotCalledGood) {
  TlsWorld world(kAll);
  world.api->audit.FailOnceReady(absl::UnavailableError("the disk is full"));
  const grpc::Status status = AddEndpoint(world.ConnectAs("spiffe://test/a"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("the call ended with OK, but"));
}

}  // namespace
}  // namespace vuf
