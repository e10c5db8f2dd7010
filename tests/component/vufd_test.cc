// The vufd binary, with its real store: what an operator and an init system see.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/slice.h"
#include "gtest/gtest.h"
#include "tests/component/vufd_fixture.h"

namespace vuf {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST_F(VufdTest, CheckConfigSaysGoodOrBad) {
  EXPECT_EQ(Spawn({"--check-config"})->Wait(), 0);
  WriteConfig("listen_socket: \"relative\"\ncolour: \"blue\"\n");
  const auto bad = Spawn({"--check-config"});
  EXPECT_EQ(bad->Wait(), 2);
  EXPECT_THAT(bad->Errors(), AllOf(StartsWith("vufd: "), HasSubstr("colour")));
}

TEST_F(VufdTest, UnknownArgumentIsAUsageError) {
  const auto vufd = Spawn({"--fast"});
  EXPECT_EQ(vufd->Wait(), 2);
  EXPECT_THAT(vufd->Errors(), HasSubstr("unknown argument \"--fast\""));
}

TEST_F(VufdTest, StopsCleanlyAndQuickly) {
  const auto vufd = Serve();
  const absl::Time begin = absl::Now();
  vufd->Signal(SIGTERM);
  EXPECT_EQ(vufd->Wait(), 0);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(5));
}

TEST_F(VufdTest, SocketIsForOwnerAndGroup) {
  const auto vufd = Serve();
  struct stat info = {};
  ASSERT_EQ(stat(Socket().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
  ASSERT_EQ(stat(directory_.Path("run").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0007, 0u);
}

TEST_F(VufdTest, KilledAgentLosesNoAcknowledgedRegistration) {
  const auto first = Serve();
  for (int i = 0; i < 20; ++i) {
    const grpc::Status status = AddEndpoint(absl::StrCat("e", i));
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  first->Signal(SIGKILL);
  EXPECT_EQ(first->Wait(), -1);
  // The socket file of the killed one is still there, and no hindrance.
  const auto second = Serve();
  EXPECT_EQ(CountEndpoints(), 20);
}

TEST_F(VufdTest, DamagedStoreIsAnErrorNotAnEmptyRegistry) {
  {
    const auto vufd = Serve();
    ASSERT_TRUE(AddEndpoint("a").ok());
    vufd->Signal(SIGTERM);
    ASSERT_EQ(vufd->Wait(), 0);
  }
  for (const auto& file : std::filesystem::directory_iterator(directory_.Path("state"))) {
    const std::string path = file.path().string();
    if (path.find(".db") == std::string::npos && path.find(".sqlite") == std::string::npos)
      continue;
    std::ofstream(path, std::ios::binary) << std::string(8192, 'x');
  }
  const auto vufd = Spawn();
  EXPECT_EQ(vufd->Wait(), 1);
  EXPECT_THAT(vufd->Errors(), HasSubstr(directory_.Path("state")));
}

TEST_F(VufdTest, SecondAgentIsRefusedAndTheFirstGoesOn) {
  const auto first = Serve();
  const auto second = Spawn();
  EXPECT_EQ(second->Wait(), 1);
  EXPECT_THAT(second->Errors(), HasSubstr("in use"));
  EXPECT_TRUE(IsServing());
}

TEST_F(VufdTest, FileInPlaceOfTheSocketIsLeftAlone) {
  std::filesystem::create_directory(directory_.Path("run"));
  std::ofstream(Socket()) << "precious";
  const auto vufd = Spawn();
  EXPECT_EQ(vufd->Wait(), 1);
  EXPECT_THAT(vufd->Errors(), HasSubstr("not a socket"));
  EXPECT_TRUE(std::filesystem::is_regular_file(Socket()));
}

TEST_F(VufdTest, MetricsAndHealthAnswer) {
  const auto vufd = Serve();
  EXPECT_THAT(HttpGet(port_, "/healthz"), StartsWith("HTTP/1.1 200 "));
  ASSERT_TRUE(AddEndpoint("a").ok());
  const std::string metrics = HttpGet(port_, "/metrics");
  EXPECT_THAT(metrics, HasSubstr("vufd_build_info{version="));
  EXPECT_THAT(metrics, HasSubstr("vufd_registered_endpoints 1"));
  EXPECT_THAT(
      metrics,
      HasSubstr(
          "vufd_rpc_requests_total{code=\"OK\",method=\"EndpointService/CreateEndpoint\"} 1"));
}

TEST_F(VufdTest, PolicyFileIsTakenOverAsTheKubeletSwapsIt) {
  const auto write = [this](const std::string& version, const std::string& text) {
    std::filesystem::create_directory(directory_.Path(version));
    std::ofstream(directory_.Path(version + "/policies")) << text;
    std::filesystem::create_directory_symlink(version, directory_.Path("next"));
    std::filesystem::rename(directory_.Path("next"), directory_.Path("now"));
  };
  const auto priorities = [this] {
    std::vector<int> all;
    v1::ListMigrationPoliciesResponse response;
    v1::MigrationPolicyService::NewStub(Channel())->ListMigrationPolicies(
        Context().get(), v1::ListMigrationPoliciesRequest(), &response);
    for (const auto& policy : response.migration_policies()) {
      if (policy.from_file()) all.push_back(policy.priority());
    }
    return all;
  };
  const std::string policy =
      "migration_policies { name: \"migrationPolicies/a\" max_concurrent: 1 priority: ";
  WriteConfig(absl::StrCat(config_, "policy_file: \"", directory_.Path("now/policies"), "\"\n"));
  EXPECT_EQ(Spawn({"--check-config"})->Wait(), 2);
  write("v1", policy + "1 }");
  EXPECT_EQ(Spawn({"--check-config"})->Wait(), 0);
  const auto vufd = Serve();
  EXPECT_THAT(priorities(), ElementsAre(1));
  write("v2", policy + "2 }");
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (priorities() != std::vector<int>{2} && absl::Now() < deadline) {
  }
  EXPECT_THAT(priorities(), ElementsAre(2));
  write("v3", policy + "garbage");
  while (HttpGet(port_, "/metrics").find("vufd_reload_failures_total{what=\"policies\"} 1") ==
             std::string::npos &&
         absl::Now() < deadline) {
  }
  EXPECT_LT(absl::Now(), deadline);
  EXPECT_THAT(priorities(), ElementsAre(2));
  EXPECT_THAT(HttpGet(port_, "/metrics"), HasSubstr("\nvufd_policy_file_hash "));
}

TEST_F(VufdTest, StatusPageShowsWhatThereIs) {
  const auto vufd = Serve();
  ASSERT_TRUE(AddEndpoint("shown").ok());
  EXPECT_THAT(HttpGet(port_, "/", "127.0.0.1"),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("<td>shown</td>"), HasSubstr("READY")));
  EXPECT_THAT(HttpGet(port_, "/status.js"), HasSubstr("Content-Type: text/javascript"));
  EXPECT_THAT(HttpGet(port_, "/status.css"), HasSubstr("Content-Type: text/css"));
  EXPECT_THAT(HttpGet(port_, "/", "elsewhere.example"), StartsWith("HTTP/1.1 421 "));
}

TEST_F(VufdTest, ReflectionListsTheServices) {
  const auto vufd = Serve();
  grpc::GenericStub stub(Channel());
  grpc::CompletionQueue queue;
  const auto context = Context();
  const auto call = stub.PrepareCall(
      context.get(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  const auto step = [&queue] {
    void* tag;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  call->StartCall(nullptr);
  ASSERT_TRUE(step());
  // ServerReflectionRequest{list_services: ""}: field 7.
  const grpc::Slice request(std::string("\x3a\x00", 2));
  call->Write(grpc::ByteBuffer(&request, 1), nullptr);
  ASSERT_TRUE(step());
  grpc::ByteBuffer response;
  call->Read(&response, nullptr);
  ASSERT_TRUE(step());
  grpc::Slice answer;
  ASSERT_TRUE(response.DumpToSingleSlice(&answer).ok());
  const std::string text(reinterpret_cast<const char*>(answer.begin()), answer.size());
  EXPECT_THAT(text,
              AllOf(HasSubstr("vuf.v1.VmService"), HasSubstr("vuf.v1.EndpointService"),
                    HasSubstr("vuf.v1.BackEndProfileService"), HasSubstr("vuf.v1.MigrationService"),
                    HasSubstr("grpc.health.v1.Health")));
  context->TryCancel();
  grpc::Status status;
  call->Finish(&status, nullptr);
  step();
}

}  // namespace
}  // namespace vuf
