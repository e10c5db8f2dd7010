// Watching endpoints through the API.
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/component/api_world.h"

namespace vuf {
namespace {

class EndpointWatchTest : public ::testing::Test {
 protected:
  using Reader = std::unique_ptr<grpc::ClientReader<v1::WatchEndpointsResponse>>;
  Reader Watch(grpc::ClientContext* context, uint64_t after = 0) {
    v1::WatchEndpointsRequest request;
    request.set_after_revision(after);
    return world_.endpoints->WatchEndpoints(context, request);
  }
  // "PRESENT endpoints/a"; also the revision.
  static std::string Next(const Reader& reader, uint64_t* revision = nullptr) {
    v1::WatchEndpointsResponse message;
    if (!reader->Read(&message)) return "END";
    if (revision != nullptr) *revision = message.revision();
    return absl::StrCat(v1::WatchEndpointsResponse::Kind_Name(message.kind()), " ",
                        message.endpoint().name());
  }
  void Delete(const std::string& name) {
    v1::DeleteEndpointRequest request;
    request.set_name(name);
    v1::DeleteEndpointResponse response;
    ASSERT_TRUE(world_.endpoints->DeleteEndpoint(Context().get(), request, &response).ok());
  }

  ApiWorld world_;
};

TEST_F(EndpointWatchTest, PresentStateThenChanges) {
  world_.AddEndpoint("a", "/run/a.sock");
  const auto context = Context();
  const Reader reader = Watch(context.get());
  EXPECT_EQ(Next(reader), "KIND_PRESENT endpoints/a");
  EXPECT_EQ(Next(reader), "KIND_SYNCED ");
  world_.AddEndpoint("b", "/run/b.sock");
  EXPECT_EQ(Next(reader), "KIND_PRESENT endpoints/b");
  v1::UpdateEndpointRequest update;
  update.mutable_endpoint()->set_name("endpoints/b");
  (*update.mutable_endpoint()->mutable_labels())["x"] = "y";
  update.mutable_update_mask()->add_paths("labels");
  v1::Endpoint endpoint;
  ASSERT_TRUE(world_.endpoints->UpdateEndpoint(Context().get(), update, &endpoint).ok());
  EXPECT_EQ(Next(reader), "KIND_UPDATED endpoints/b");
  Delete("endpoints/a");
  EXPECT_EQ(Next(reader), "KIND_DELETED endpoints/a");
}

// The world's discovery period is an hour.
TEST_F(EndpointWatchTest, ABackEndThatEndsIsSeenAtOnce) {
  EndpointSighting sighting;
  sighting.state = EndpointSighting::State::kInUse;
  sighting.socket_file = FileId{1, 7};
  sighting.back_end.process = Known(ProcessId{42, 4711}, Source::kProcfs, absl::Now());
  world_.host.SetEndpoint("/run/a.sock", sighting);
  world_.AddEndpoint("a", "/run/a.sock");
  ASSERT_TRUE(world_.processes.AwaitWatched({42, 4711}, absl::Seconds(20)));
  const auto context = Context();
  const Reader reader = Watch(context.get());
  EXPECT_EQ(Next(reader), "KIND_PRESENT endpoints/a");
  EXPECT_EQ(Next(reader), "KIND_SYNCED ");
  EndpointSighting absent;
  absent.state = EndpointSighting::State::kAbsent;
  world_.host.SetEndpoint("/run/a.sock", absent);
  world_.processes.End({42, 4711});
  v1::WatchEndpointsResponse message;
  ASSERT_TRUE(reader->Read(&message));
  EXPECT_EQ(message.kind(), v1::WatchEndpointsResponse::KIND_UPDATED);
  EXPECT_EQ(message.endpoint().state(), v1::Endpoint::STATE_ABSENT);
  EXPECT_EQ(message.endpoint().generation(), 2u);
}

TEST_F(EndpointWatchTest, ResumesWithoutLoss) {
  world_.AddEndpoint("a", "/run/a.sock");
  uint64_t revision = 0;
  {
    const auto context = Context();
    const Reader reader = Watch(context.get());
    Next(reader, &revision);
    context->TryCancel();
  }
  world_.AddEndpoint("b", "/run/b.sock");
  Delete("endpoints/a");
  const auto context = Context();
  const Reader reader = Watch(context.get(), revision);
  EXPECT_EQ(Next(reader), "KIND_PRESENT endpoints/b");
  EXPECT_EQ(Next(reader), "KIND_DELETED endpoints/a");
  EXPECT_EQ(Next(reader), "KIND_SYNCED ");
}

TEST_F(EndpointWatchTest, ARevisionFromAnotherRunIsOutOfRange) {
  const auto context = Context();
  const Reader reader = Watch(context.get(), 1u << 30);
  EXPECT_EQ(Next(reader), "END");
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::OUT_OF_RANGE);
}

TEST_F(EndpointWatchTest, EndsWhenTheAgentStops) {
  const auto context = Context();
  const Reader reader = Watch(context.get());
  EXPECT_EQ(Next(reader), "KIND_SYNCED ");
  world_.server->BeginStop();
  EXPECT_EQ(Next(reader), "END");
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace vuf
