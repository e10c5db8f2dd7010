// What callers can get wrong, and the answer to each: its code and what it names.
#include <functional>
#include <ostream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/component/api_world.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;

// One world for all cases: nothing in them changes it.
ApiWorld& World() {
  static auto* const world = [] {
    auto* const made = new ApiWorld;
    made->RegisterSource();
    return made;
  }();
  return *world;
}

grpc::Status Register(const std::function<void(v1::RegisterVmRequest&)>& spoil) {
  v1::RegisterVmRequest request;
  request.mutable_vm()->set_qmp_socket("/run/none.qmp");
  request.set_vm_id("other");
  spoil(request);
  v1::Vm vm;
  return World().vms->RegisterVm(Context().get(), request, &vm);
}

grpc::Status CreateEndpoint(const std::function<void(v1::CreateEndpointRequest&)>& spoil) {
  v1::CreateEndpointRequest request;
  request.set_endpoint_id("share");
  request.mutable_endpoint()->set_socket_path("/run/share.sock");
  spoil(request);
  v1::Endpoint endpoint;
  return World().endpoints->CreateEndpoint(Context().get(), request, &endpoint);
}

grpc::Status CreateMigration(const std::function<void(v1::CreateMigrationRequest&)>& spoil) {
  v1::CreateMigrationRequest request = World().MigrationRequest("bad");
  spoil(request);
  v1::Migration migration;
  return World().migrations->CreateMigration(Context().get(), request, &migration);
}

grpc::Status Evaluate(const std::function<void(v1::EvaluateMigrationRequest&)>& spoil) {
  v1::EvaluateMigrationRequest request;
  request.set_vm("vms/guest");
  request.add_allowed_modes(v1::MIGRATION_MODE_STATEFUL);
  spoil(request);
  v1::EvaluateMigrationResponse response;
  return World().migrations->EvaluateMigration(Context().get(), request, &response);
}

grpc::Status List(const std::function<void(v1::ListEndpointsRequest&)>& spoil) {
  v1::ListEndpointsRequest request;
  spoil(request);
  v1::ListEndpointsResponse response;
  return World().endpoints->ListEndpoints(Context().get(), request, &response);
}

grpc::Status Update(const std::string& name, const std::string& path) {
  v1::UpdateEndpointRequest request;
  request.mutable_endpoint()->set_name(name);
  if (!path.empty()) request.mutable_update_mask()->add_paths(path);
  v1::Endpoint endpoint;
  return World().endpoints->UpdateEndpoint(Context().get(), request, &endpoint);
}

grpc::Status CreateProfile(const std::function<void(v1::BackEndProfile&)>& spoil) {
  v1::CreateBackEndProfileRequest request;
  request.set_back_end_profile_id("mine");
  request.mutable_back_end_profile()->set_kind("myfs");
  request.mutable_back_end_profile()->set_executable_name("myfsd");
  spoil(*request.mutable_back_end_profile());
  v1::BackEndProfile profile;
  return World().profiles->CreateBackEndProfile(Context().get(), request, &profile);
}

grpc::Status GetVm(const std::string& name) {
  v1::GetVmRequest request;
  request.set_name(name);
  v1::Vm vm;
  return World().vms->GetVm(Context().get(), request, &vm);
}

struct BadInput {
  std::string name;
  std::function<grpc::Status()> call;
  grpc::StatusCode code;
  std::string words;
};

void PrintTo(const BadInput& bad, std::ostream* out) { *out << bad.name; }

class BadInputTest : public ::testing::TestWithParam<BadInput> {};

TEST_P(BadInputTest, IsAnswered) {
  const grpc::Status status = GetParam().call();
  EXPECT_EQ(status.error_code(), GetParam().code) << status.error_message();
  EXPECT_THAT(status.error_message(), HasSubstr(GetParam().words));
}

const auto kInvalid = grpc::StatusCode::INVALID_ARGUMENT;
const auto kNotFound = grpc::StatusCode::NOT_FOUND;

INSTANTIATE_TEST_SUITE_P(
    Vms, BadInputTest,
    ::testing::Values(
        BadInput{"UnknownVm", [] { return GetVm("vms/nobody"); }, kNotFound, "vms/nobody"},
        BadInput{"EmptyName", [] { return GetVm(""); }, kInvalid, "name: \"\""},
        BadInput{"WrongCollection", [] { return GetVm("vm/a"); }, kInvalid, "vms/ID"},
        BadInput{"Traversal", [] { return GetVm("vms/../../etc"); }, kInvalid, "vms/../../etc"},
        BadInput{"LongName", [] { return GetVm("vms/" + std::string(5000, 'a')); }, kInvalid,
                 "(5004 bytes)"},
        BadInput{"NoSocket", [] { return Register([](auto& r) { r.clear_vm(); }); }, kInvalid,
                 "vm.qmp_socket"},
        BadInput{"RelativePath",
                 [] { return Register([](auto& r) { r.mutable_vm()->set_qmp_socket("a.sock"); }); },
                 kInvalid, "vm.qmp_socket: \"a.sock\""},
        BadInput{"LongPath",
                 [] {
                   return Register([](auto& r) {
                     r.mutable_vm()->set_qmp_socket("/" + std::string(107, 'a'));
                   });
                 },
                 kInvalid, "107"},
        BadInput{"NulInPath",
                 [] {
                   return Register(
                       [](auto& r) { r.mutable_vm()->set_qmp_socket(std::string("/a\0b", 4)); });
                 },
                 kInvalid, "\\x00"},
        BadInput{"OutputField",
                 [] { return Register([](auto& r) { r.mutable_vm()->set_uuid("x"); }); }, kInvalid,
                 "vm.uuid: must be unset"},
        BadInput{"BadId", [] { return Register([](auto& r) { r.set_vm_id("A_b"); }); }, kInvalid,
                 "vm_id: \"A_b\""},
        BadInput{
            "BadLabel",
            [] { return Register([](auto& r) { (*r.mutable_vm()->mutable_labels())["-"] = ""; }); },
            kInvalid, "vm.labels key"},
        BadInput{"BadRequestId", [] { return Register([](auto& r) { r.set_request_id("a\nb"); }); },
                 kInvalid, "request_id: \"a\\nb\""},
        BadInput{"NothingThere", [] { return Register([](auto&) {}); },
                 grpc::StatusCode::FAILED_PRECONDITION, "/run/none.qmp"},
        BadInput{"Destination",
                 [] {
                   return Register(
                       [](auto& r) { r.mutable_vm()->set_qmp_socket(World().destination()); });
                 },
                 grpc::StatusCode::FAILED_PRECONDITION, "waits for an incoming migration"},
        BadInput{"SameVmAgain",
                 [] {
                   return Register(
                       [](auto& r) { r.mutable_vm()->set_qmp_socket(World().source()); });
                 },
                 grpc::StatusCode::ALREADY_EXISTS, "vms/guest"}));

INSTANTIATE_TEST_SUITE_P(
    Endpoints, BadInputTest,
    ::testing::Values(
        BadInput{"Directory",
                 [] {
                   return CreateEndpoint(
                       [](auto& r) { r.mutable_endpoint()->set_socket_path("/tmp"); });
                 },
                 kInvalid, "directory"},
        BadInput{"RegularFile",
                 [] {
                   return CreateEndpoint(
                       [](auto& r) { r.mutable_endpoint()->set_socket_path("/proc/self/stat"); });
                 },
                 kInvalid, "another kind of file"},
        BadInput{"UnknownProfile",
                 [] {
                   return CreateEndpoint(
                       [](auto& r) { r.mutable_endpoint()->set_profile("backEndProfiles/no"); });
                 },
                 kNotFound, "backEndProfiles/no"},
        BadInput{"NoMask", [] { return Update("endpoints/a", ""); }, kInvalid, "update_mask"},
        BadInput{"BadMask", [] { return Update("endpoints/a", "socket_path"); }, kInvalid,
                 "update_mask: \"socket_path\""},
        BadInput{"UpdateUnknown", [] { return Update("endpoints/a", "labels"); }, kNotFound,
                 "endpoints/a"},
        BadInput{"BadFilter", [] { return List([](auto& r) { r.set_filter("size>3"); }); },
                 kInvalid, "filter: \"size>3\""},
        BadInput{"NegativePage", [] { return List([](auto& r) { r.set_page_size(-1); }); },
                 kInvalid, "page_size: \"-1\""},
        BadInput{"ForgedToken", [] { return List([](auto& r) { r.set_page_token("AAAA"); }); },
                 kInvalid, "page_token"}));

INSTANTIATE_TEST_SUITE_P(
    Migrations, BadInputTest,
    ::testing::Values(
        BadInput{"UnknownVm", [] { return Evaluate([](auto& r) { r.set_vm("vms/x"); }); },
                 kNotFound, "vms/x"},
        BadInput{"NoModes", [] { return Evaluate([](auto& r) { r.clear_allowed_modes(); }); },
                 kInvalid, "allowed_modes: required"},
        BadInput{
            "ModeNone",
            [] { return Evaluate([](auto& r) { r.add_allowed_modes(v1::MIGRATION_MODE_NONE); }); },
            kInvalid, "MIGRATION_MODE_NONE"},
        BadInput{"UnknownMode",
                 [] {
                   return Evaluate(
                       [](auto& r) { r.add_allowed_modes(static_cast<v1::MigrationMode>(77)); });
                 },
                 kInvalid, "77"},
        BadInput{"EmptyDestination",
                 [] { return Evaluate([](auto& r) { r.mutable_destination(); }); }, kInvalid,
                 "destination: required"},
        BadInput{"ToItself",
                 [] {
                   return Evaluate([](auto& r) {
                     r.mutable_destination()->mutable_same_host()->set_qmp_socket(World().source());
                   });
                 },
                 kInvalid, "source's own"},
        BadInput{"NoRequestId",
                 [] { return CreateMigration([](auto& r) { r.clear_request_id(); }); }, kInvalid,
                 "request_id"},
        BadInput{"NoMigration",
                 [] { return CreateMigration([](auto& r) { r.clear_migration(); }); }, kInvalid,
                 "migration.vm"},
        BadInput{"NoDestination",
                 [] {
                   return CreateMigration(
                       [](auto& r) { r.mutable_migration()->clear_destination(); });
                 },
                 kInvalid, "migration.destination"},
        BadInput{"ShortTimeout",
                 [] {
                   return CreateMigration(
                       [](auto& r) { r.mutable_migration()->mutable_timeout()->set_nanos(1); });
                 },
                 kInvalid, "migration.timeout"},
        BadInput{"MalformedDuration",
                 [] {
                   return CreateMigration([](auto& r) {
                     r.mutable_migration()->mutable_downtime_limit()->set_seconds(1);
                     r.mutable_migration()->mutable_downtime_limit()->set_nanos(-5);
                   });
                 },
                 kInvalid, "migration.downtime_limit"},
        BadInput{"BadFingerprint",
                 [] {
                   return CreateMigration(
                       [](auto& r) { r.mutable_migration()->set_required_fingerprint("xyz"); });
                 },
                 kInvalid, "required_fingerprint"}));

INSTANTIATE_TEST_SUITE_P(
    Profiles, BadInputTest,
    ::testing::Values(
        BadInput{"NoKind", [] { return CreateProfile([](auto& p) { p.clear_kind(); }); }, kInvalid,
                 "back_end_profile.kind"},
        BadInput{"PathAsName",
                 [] { return CreateProfile([](auto& p) { p.set_executable_name("/bin/x"); }); },
                 kInvalid, "executable_name"},
        BadInput{"BadVersion",
                 [] { return CreateProfile([](auto& p) { p.set_min_version("new"); }); }, kInvalid,
                 "min_version: \"new\""},
        BadInput{"EmptyRange",
                 [] {
                   return CreateProfile([](auto& p) {
                     p.set_min_version("2");
                     p.set_version_limit("1");
                   });
                 },
                 kInvalid, "version_limit"},
        BadInput{
            "ModeNone",
            [] { return CreateProfile([](auto& p) { p.add_modes(v1::MIGRATION_MODE_NONE); }); },
            kInvalid, "modes"}));

}  // namespace
}  // namespace vuf
