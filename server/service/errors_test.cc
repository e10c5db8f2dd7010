#include "server/service/errors.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf {
namespace {

TEST(ErrorsTest, CodesKeepTheirMeaning) {
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  EXPECT_EQ(ToGrpc(absl::NotFoundError("x")).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ToGrpc(absl::AbortedError("x")).error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(ToGrpc(absl::UnauthenticatedError("x")).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
}

TEST(ErrorsTest, MessagesFitInTrailers) {
  std::string umlauts;
  for (int i = 0; i < 5000; ++i) umlauts += "\xC3\xA4";
  const std::string message = ToGrpc(absl::InternalError(umlauts)).error_message();
  EXPECT_LE(message.size(), 2100u);
  EXPECT_GE(message.size(), 2000u);
  EXPECT_THAT(message, ::testing::EndsWith("..."));
}

TEST(ErrorsTest, MessagesAreUtf8) {
  EXPECT_EQ(ToGrpc(absl::InternalError("a\xff")).error_message(), "a\xEF\xBF\xBD");
}

}  // namespace
}  // namespace vuf
