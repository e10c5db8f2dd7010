// Requests that no generated client sends: not UTF-8, not protobuf, too large.
#include <string>

#include "gmock/gmock.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/slice.h"
#include "gtest/gtest.h"
#include "tests/component/api_world.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;

class WireTest : public ::testing::Test {
 protected:
  // Bytes as they are, past what a generated client can send.
  grpc::Status CallRaw(const std::string& method, const std::string& wire) {
    grpc::GenericStub stub(world_.channel);
    grpc::CompletionQueue queue;
    const grpc::Slice slice(wire);
    grpc::ByteBuffer response;
    grpc::Status status;
    const auto context = Context();
    const auto call =
        stub.PrepareUnaryCall(context.get(), method, grpc::ByteBuffer(&slice, 1), &queue);
    call->StartCall();
    call->Finish(&response, &status, nullptr);
    void* tag;
    bool ok;
    queue.Next(&tag, &ok);
    return status;
  }

  void Expect(const grpc::Status& status, grpc::StatusCode code, const std::string& words) {
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(words));
  }

  ApiWorld world_;
};

constexpr grpc::StatusCode kInvalid = grpc::StatusCode::INVALID_ARGUMENT;

TEST_F(WireTest, StringThatIsNotUtf8IsNamed) {
  Expect(CallRaw("/vuf.v1.VmService/GetVm", "\x0a\x05vms/\xff"), kInvalid,
         "name: \"vms/\\xff\" is not valid UTF-8");
  Expect(CallRaw("/vuf.v1.VmService/RegisterVm", "\x0a\x05\x12\x03/a\xfe"), kInvalid,
         "vm.qmp_socket: \"/a\\xfe\"");
}

TEST_F(WireTest, BytesThatAreNoMessage) {
  Expect(CallRaw("/vuf.v1.VmService/GetVm", "\xff\xff"), kInvalid, "vuf.v1.GetVmRequest");
  Expect(CallRaw("/vuf.v1.EndpointService/WatchEndpoints", "\xff\xff"), kInvalid,
         "vuf.v1.WatchEndpointsRequest");
}

TEST_F(WireTest, TooLarge) {
  Expect(CallRaw("/vuf.v1.VmService/GetVm", std::string(2 << 20, '\n')),
         grpc::StatusCode::RESOURCE_EXHAUSTED, "larger than max");
}

TEST_F(WireTest, UnknownMethod) {
  Expect(CallRaw("/vuf.v1.VmService/Explode", ""), grpc::StatusCode::UNIMPLEMENTED, "");
}

}  // namespace
}  // namespace vuf
