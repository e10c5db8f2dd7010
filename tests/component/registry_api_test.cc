// VMs, endpoints and profiles through the API.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/component/api_world.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RegistryApiTest : public ::testing::Test {
 protected:
  v1::ListEndpointsResponse List(int page_size, const std::string& token = "",
                                 const std::string& filter = "") {
    v1::ListEndpointsRequest request;
    request.set_page_size(page_size);
    request.set_page_token(token);
    request.set_filter(filter);
    v1::ListEndpointsResponse response;
    const grpc::Status status =
        world_.endpoints->ListEndpoints(Context().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  static std::vector<std::string> Names(const v1::ListEndpointsResponse& response) {
    std::vector<std::string> names;
    for (const v1::Endpoint& endpoint : response.endpoints()) names.push_back(endpoint.name());
    return names;
  }

  ApiWorld world_;
};

TEST_F(RegistryApiTest, RegisterTakesWhatQemuSays) {
  const v1::Vm vm = world_.RegisterSource();
  EXPECT_EQ(vm.name(), "vms/guest");
  EXPECT_EQ(vm.uuid(), *SafeSource().uuid.value);
  EXPECT_EQ(vm.run_state(), "running");
  ASSERT_EQ(vm.devices_size(), 1);
  EXPECT_EQ(vm.devices(0).back_end().version(), "1.14.0");
  EXPECT_EQ(vm.observe_error(), "");
  EXPECT_TRUE(vm.has_create_time());
  EXPECT_NE(vm.etag(), "");
}

TEST_F(RegistryApiTest, IdComesFromTheGuestsName) {
  v1::RegisterVmRequest request;
  request.mutable_vm()->set_qmp_socket(world_.source());
  world_.qemu.ChangeFacts(world_.source(),
                          [](VmFacts& vm) { vm.guest_name.value = "Web Server_1"; });
  v1::Vm vm;
  ASSERT_TRUE(world_.vms->RegisterVm(Context().get(), request, &vm).ok());
  EXPECT_EQ(vm.name(), "vms/web-server-1");
}

TEST_F(RegistryApiTest, RetriedRegistrationGivesTheSameAnswer) {
  v1::RegisterVmRequest request;
  request.mutable_vm()->set_qmp_socket(world_.source());
  request.set_request_id("r1");
  v1::Vm first, second;
  ASSERT_TRUE(world_.vms->RegisterVm(Context().get(), request, &first).ok());
  // Even when the VM is gone meanwhile.
  world_.qemu.Die(world_.source());
  const grpc::Status status = world_.vms->RegisterVm(Context().get(), request, &second);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(second.name(), first.name());
  EXPECT_EQ(second.etag(), first.etag());
  request.set_vm_id("different");
  EXPECT_EQ(world_.vms->RegisterVm(Context().get(), request, &second).error_code(),
            grpc::StatusCode::ALREADY_EXISTS);
}

TEST_F(RegistryApiTest, GetVmSaysWhyItCouldNotLook) {
  world_.RegisterSource();
  world_.qemu.Die(world_.source());
  v1::GetVmRequest request;
  request.set_name("vms/guest");
  v1::Vm vm;
  ASSERT_TRUE(world_.vms->GetVm(Context().get(), request, &vm).ok());
  EXPECT_THAT(vm.observe_error(), HasSubstr("monitor: "));
  EXPECT_EQ(vm.run_state(), "");
  EXPECT_EQ(vm.uuid(), *SafeSource().uuid.value);
}

TEST_F(RegistryApiTest, RemoveNeedsTheRightEtag) {
  const v1::Vm vm = world_.RegisterSource();
  v1::RemoveVmRequest request;
  request.set_name(vm.name());
  request.set_etag("stale");
  v1::RemoveVmResponse response;
  EXPECT_EQ(world_.vms->RemoveVm(Context().get(), request, &response).error_code(),
            grpc::StatusCode::ABORTED);
  request.set_etag(vm.etag());
  EXPECT_TRUE(world_.vms->RemoveVm(Context().get(), request, &response).ok());
  EXPECT_EQ(world_.vms->RemoveVm(Context().get(), request, &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(RegistryApiTest, AFullDiskIsSaidAndNothingIsAcknowledged) {
  world_.store.FailWrites(absl::ResourceExhaustedError("disk full"));
  v1::CreateEndpointRequest request;
  request.set_endpoint_id("a");
  request.mutable_endpoint()->set_socket_path("/run/a.sock");
  v1::Endpoint endpoint;
  EXPECT_EQ(world_.endpoints->CreateEndpoint(Context().get(), request, &endpoint).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(Names(List(0)), ElementsAre());
}

TEST_F(RegistryApiTest, PagesAreStableUnderChange) {
  for (const char* const id : {"a", "c", "e", "g"}) {
    world_.AddEndpoint(id, absl::StrCat("/run/", id, ".sock"));
  }
  const v1::ListEndpointsResponse first = List(2);
  EXPECT_THAT(Names(first), ElementsAre("endpoints/a", "endpoints/c"));
  world_.AddEndpoint("b", "/run/b.sock");
  world_.AddEndpoint("f", "/run/f.sock");
  v1::DeleteEndpointRequest gone;
  gone.set_name("endpoints/c");
  v1::DeleteEndpointResponse response;
  ASSERT_TRUE(world_.endpoints->DeleteEndpoint(Context().get(), gone, &response).ok());
  const v1::ListEndpointsResponse second = List(2, first.next_page_token());
  EXPECT_THAT(Names(second), ElementsAre("endpoints/e", "endpoints/f"));
  const v1::ListEndpointsResponse last = List(2, second.next_page_token());
  EXPECT_THAT(Names(last), ElementsAre("endpoints/g"));
  EXPECT_EQ(last.next_page_token(), "");
}

TEST_F(RegistryApiTest, TokenOfAnotherFilterIsRefused) {
  world_.AddEndpoint("a", "/run/a.sock");
  world_.AddEndpoint("b", "/run/b.sock");
  v1::ListEndpointsRequest request;
  request.set_page_token(List(1).next_page_token());
  request.set_filter("state=ABSENT");
  v1::ListEndpointsResponse response;
  EXPECT_EQ(world_.endpoints->ListEndpoints(Context().get(), request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(RegistryApiTest, FilterSelects) {
  const std::string served = SafeSource().devices.value->at(0).chardev.value->socket_path;
  world_.AddEndpoint("used", served);
  world_.AddEndpoint("idle", "/run/idle.sock");
  EXPECT_THAT(Names(List(0, "", "state=IN_USE")), ElementsAre("endpoints/used"));
  EXPECT_THAT(Names(List(0, "", "state=ABSENT AND socket_path=/run/idle.sock")),
              ElementsAre("endpoints/idle"));
  EXPECT_THAT(Names(List(0, "", "state=IN_USE AND socket_path=/run/idle.sock")), ElementsAre());
}

TEST_F(RegistryApiTest, AnotherBackEndRaisesTheGeneration) {
  const std::string path = SafeSource().devices.value->at(0).chardev.value->socket_path;
  EXPECT_EQ(world_.AddEndpoint("share", path).generation(), 1u);
  v1::GetEndpointRequest request;
  request.set_name("endpoints/share");
  v1::Endpoint same, changed;
  ASSERT_TRUE(world_.endpoints->GetEndpoint(Context().get(), request, &same).ok());
  EXPECT_EQ(same.generation(), 1u);
  BackEndFacts other = SafeSource().devices.value->at(0).back_end;
  other.process.value->pid += 1;
  world_.host.SetBackEnd(path, other);
  ASSERT_TRUE(world_.endpoints->GetEndpoint(Context().get(), request, &changed).ok());
  EXPECT_EQ(changed.generation(), 2u);
  EXPECT_NE(changed.etag(), same.etag());
}

TEST_F(RegistryApiTest, UpdateNeedsTheRightEtag) {
  v1::Endpoint endpoint = world_.AddEndpoint("a", "/run/a.sock");
  v1::UpdateEndpointRequest request;
  *request.mutable_endpoint() = endpoint;
  (*request.mutable_endpoint()->mutable_labels())["tier"] = "gold";
  request.mutable_update_mask()->add_paths("labels");
  ASSERT_TRUE(world_.endpoints->UpdateEndpoint(Context().get(), request, &endpoint).ok());
  EXPECT_EQ(endpoint.labels().at("tier"), "gold");
  EXPECT_THAT(Names(List(0, "", "labels.tier=gold")), ElementsAre("endpoints/a"));
  // The request still has the etag of before.
  const grpc::Status stale = world_.endpoints->UpdateEndpoint(Context().get(), request, &endpoint);
  EXPECT_EQ(stale.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_THAT(stale.error_message(), HasSubstr("endpoint.etag"));
}

TEST_F(RegistryApiTest, ShippedProfilesStay) {
  v1::ListBackEndProfilesResponse all;
  ASSERT_TRUE(
      world_.profiles->ListBackEndProfiles(Context().get(), v1::ListBackEndProfilesRequest(), &all)
          .ok());
  ASSERT_GT(all.back_end_profiles_size(), 0);
  v1::DeleteBackEndProfileRequest request;
  request.set_name(all.back_end_profiles(0).name());
  v1::DeleteBackEndProfileResponse response;
  EXPECT_EQ(world_.profiles->DeleteBackEndProfile(Context().get(), request, &response).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(RegistryApiTest, ADeclaredProfileCannotBeDeleted) {
  v1::CreateBackEndProfileRequest create;
  create.set_back_end_profile_id("mine");
  create.mutable_back_end_profile()->set_kind("myfs");
  create.mutable_back_end_profile()->set_executable_name("myfsd");
  v1::BackEndProfile profile;
  ASSERT_TRUE(world_.profiles->CreateBackEndProfile(Context().get(), create, &profile).ok());
  v1::CreateEndpointRequest endpoint;
  endpoint.set_endpoint_id("a");
  endpoint.mutable_endpoint()->set_socket_path("/run/a.sock");
  endpoint.mutable_endpoint()->set_profile(profile.name());
  v1::Endpoint created;
  ASSERT_TRUE(world_.endpoints->CreateEndpoint(Context().get(), endpoint, &created).ok());
  v1::DeleteBackEndProfileRequest request;
  request.set_name(profile.name());
  v1::DeleteBackEndProfileResponse response;
  EXPECT_EQ(world_.profiles->DeleteBackEndProfile(Context().get(), request, &response).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

}  // namespace
}  // namespace vuf
