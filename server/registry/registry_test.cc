#include "server/registry/registry.h"

#include "absl/strings/str_cat.h"
#include "server/registry/registry_test_util.h"

namespace vuf {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST_F(RegistryTest, CreatedRecordsAreVisibleAndThereAfterReopen) {
  ASSERT_TRUE(Create(MakeVm("a")).ok());
  ASSERT_TRUE(Create(MakeEndpoint("e")).ok());
  ASSERT_TRUE(Create(MakeProfile("p")).ok());
  const auto before = registry_->snapshot();
  EXPECT_EQ(before->vms.count("vms/a"), 1u);
  Reopen();
  const auto after = registry_->snapshot();
  EXPECT_EQ(after->vms.at("vms/a").SerializeAsString(),
            before->vms.at("vms/a").SerializeAsString());
  EXPECT_EQ(after->endpoints.at("endpoints/e").generation(), 1u);
  EXPECT_FALSE(after->profiles.at("backEndProfiles/p").shipped());
  EXPECT_TRUE(after->profiles.at("backEndProfiles/shipped").shipped());
}

TEST_F(RegistryTest, CreateFillsOutputOnlyFieldsAndDropsWhatIsNotDurable) {
  v1::Vm vm = MakeVm("a");
  vm.set_run_state("running");
  vm.add_devices();
  vm.set_observe_error("partly");
  const absl::StatusOr<v1::Vm> created = Create(vm);
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->create_time().seconds(), 1'700'000'000);
  EXPECT_THAT(created->etag(), Not(IsEmpty()));
  EXPECT_THAT(created->run_state(), IsEmpty());
  EXPECT_EQ(created->devices_size(), 0);
  EXPECT_THAT(created->observe_error(), IsEmpty());
}

TEST_F(RegistryTest, TakenNamesAndIdentitiesAreRefusedByWhomTheyBelongTo) {
  ASSERT_TRUE(Create(MakeVm("a")).ok());
  ASSERT_TRUE(Create(MakeEndpoint("e")).ok());

  EXPECT_TRUE(absl::IsAlreadyExists(Create(MakeVm("a")).status()));
  v1::Vm same_uuid = MakeVm("b");
  same_uuid.set_uuid("uuid-of-a");
  auto refused = Create(same_uuid);
  EXPECT_TRUE(absl::IsAlreadyExists(refused.status()));
  EXPECT_THAT(MessageOf(refused), AllOf(HasSubstr("vm.uuid"), HasSubstr("vms/a")));
  v1::Vm same_socket = MakeVm("b");
  same_socket.set_qmp_socket("/run/a.qmp");
  refused = Create(same_socket);
  EXPECT_TRUE(absl::IsAlreadyExists(refused.status()));
  EXPECT_THAT(MessageOf(refused), HasSubstr("vm.qmp_socket"));
  v1::Endpoint same_path = MakeEndpoint("f");
  same_path.set_socket_path("/run/e.sock");
  EXPECT_TRUE(absl::IsAlreadyExists(Create(same_path).status()));
  EXPECT_TRUE(absl::IsAlreadyExists(Create(MakeProfile("shipped")).status()));
  EXPECT_TRUE(Create(MakeVm("b")).ok());
}

TEST_F(RegistryTest, AnyNumberOfVmsMayHaveNoUuid) {
  for (const char* id : {"a", "b"}) {
    v1::Vm vm = MakeVm(id);
    vm.set_uuid("00000000-0000-0000-0000-000000000000");
    EXPECT_TRUE(Create(vm).ok());
  }
}

TEST_F(RegistryTest, NameMustBeOfItsCollection) {
  v1::Vm vm = MakeVm("a");
  for (const char* name : {"", "a", "vms/", "endpoints/a"}) {
    vm.set_name(name);
    EXPECT_TRUE(absl::IsInvalidArgument(Create(vm).status())) << name;
  }
}

TEST_F(RegistryTest, UpdateChangesEtagAndKeepsTheRegistrysFields) {
  const v1::Vm created = *Create(MakeVm("a"));
  const auto updated = registry_->UpdateVm(
      "vms/a",
      [](v1::Vm& vm) {
        vm.set_qmp_socket("/run/destination.qmp");
        vm.set_name("vms/other");
        vm.clear_create_time();
        return absl::OkStatus();
      },
      Soon());
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->name(), "vms/a");
  EXPECT_EQ(updated->create_time().seconds(), created.create_time().seconds());
  EXPECT_NE(updated->etag(), created.etag());
  Reopen();
  EXPECT_EQ(registry_->snapshot()->vms.at("vms/a").qmp_socket(), "/run/destination.qmp");
}

TEST_F(RegistryTest, UpdateMayNotTakeAnotherVmsSocket) {
  ASSERT_TRUE(Create(MakeVm("a")).ok());
  ASSERT_TRUE(Create(MakeVm("b")).ok());
  const auto updated = registry_->UpdateVm(
      "vms/a", [](v1::Vm& vm) { return vm.set_qmp_socket("/run/b.qmp"), absl::OkStatus(); },
      Soon());
  EXPECT_TRUE(absl::IsAlreadyExists(updated.status()));
  EXPECT_EQ(registry_->snapshot()->vms.at("vms/a").qmp_socket(), "/run/a.qmp");
}

TEST_F(RegistryTest, ErrorOfAChangeIsReturnedAndNothingIsChanged) {
  ASSERT_TRUE(Create(MakeVm("a")).ok());
  const auto writes = store_.writes();
  const auto updated = registry_->UpdateVm(
      "vms/a",
      [](v1::Vm& vm) {
        vm.set_guest_name("changed");
        return absl::AbortedError("the etag does not match");
      },
      Soon());
  EXPECT_TRUE(absl::IsAborted(updated.status()));
  EXPECT_THAT(registry_->snapshot()->vms.at("vms/a").guest_name(), IsEmpty());
  EXPECT_EQ(store_.writes(), writes);
}

TEST_F(RegistryTest, ObservationsOfAnEndpointLeaveItsEtagAlone) {
  const std::string first = Create(MakeEndpoint("e"))->etag();
  const auto update = [&](std::function<void(v1::Endpoint&)> change) {
    return registry_->UpdateEndpoint(
        "endpoints/e", [&](v1::Endpoint& e) { return change(e), absl::OkStatus(); }, Soon());
  };
  EXPECT_EQ(update([](v1::Endpoint& e) { e.set_state(v1::Endpoint::STATE_ABSENT); })->etag(),
            first);
  const std::string second = update([](v1::Endpoint& e) { e.set_generation(2); })->etag();
  EXPECT_NE(second, first);
  EXPECT_EQ(update([](v1::Endpoint& e) { e.set_generation(1); })->generation(), 2u);
  EXPECT_EQ(update([](v1::Endpoint& e) { e.set_socket_path("/x"); })->socket_path(), "/run/e.sock");
  EXPECT_NE(update([](v1::Endpoint& e) { (*e.mutable_labels())["k"] = "v"; })->etag(), second);
}

TEST_F(RegistryTest, DeleteChecksNameAndEtag) {
  const std::string etag = Create(MakeVm("a"))->etag();
  EXPECT_TRUE(absl::IsNotFound(registry_->DeleteVm("vms/none", "", Soon())));
  const absl::Status stale = registry_->DeleteVm("vms/a", "stale", Soon());
  EXPECT_TRUE(absl::IsAborted(stale));
  EXPECT_THAT(MessageOf(stale), AllOf(HasSubstr("stale"), HasSubstr("vms/a")));
  EXPECT_TRUE(registry_->DeleteVm("vms/a", etag, Soon()).ok());
  Reopen();
  EXPECT_THAT(registry_->snapshot()->vms, IsEmpty());
}

TEST_F(RegistryTest, RecordMadeAgainHasAnotherEtag) {
  const std::string etag = Create(MakeVm("a"))->etag();
  ASSERT_TRUE(registry_->DeleteVm("vms/a", "", Soon()).ok());
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_NE(Create(MakeVm("a"))->etag(), etag);
}

TEST_F(RegistryTest, ProfileInUseOrShippedIsNotDeleted) {
  ASSERT_TRUE(Create(MakeProfile("p")).ok());
  v1::Endpoint endpoint = MakeEndpoint("e");
  endpoint.set_profile("backEndProfiles/p");
  ASSERT_TRUE(Create(endpoint).ok());
  const absl::Status in_use = registry_->DeleteProfile("backEndProfiles/p", "", Soon());
  EXPECT_TRUE(absl::IsFailedPrecondition(in_use));
  EXPECT_THAT(MessageOf(in_use), HasSubstr("endpoints/e"));
  EXPECT_TRUE(
      absl::IsFailedPrecondition(registry_->DeleteProfile("backEndProfiles/shipped", "", Soon())));
  ASSERT_TRUE(registry_->DeleteEndpoint("endpoints/e", "", Soon()).ok());
  EXPECT_TRUE(registry_->DeleteProfile("backEndProfiles/p", "", Soon()).ok());
}

TEST_F(RegistryTest, DeclaredProfileMustExist) {
  v1::Endpoint endpoint = MakeEndpoint("e");
  endpoint.set_profile("backEndProfiles/none");
  const auto created = Create(endpoint);
  EXPECT_TRUE(absl::IsInvalidArgument(created.status()));
  EXPECT_THAT(MessageOf(created), HasSubstr("endpoint.profile"));
}

TEST_F(RegistryTest, LimitOfProfilesIsSaid) {
  for (int i = 1; i < 1000; ++i) ASSERT_TRUE(Create(MakeProfile(absl::StrCat("p", i))).ok());
  const auto refused = Create(MakeProfile("one-more"));
  EXPECT_TRUE(absl::IsResourceExhausted(refused.status()));
  EXPECT_THAT(MessageOf(refused), HasSubstr("the limit is 1000"));
}

TEST_F(RegistryTest, FullDiskChangesNothingAndTheNextTryWorks) {
  ASSERT_TRUE(Create(MakeVm("a")).ok());
  const uint64_t revision = registry_->snapshot()->revision;
  store_.FailWrites(absl::ResourceExhaustedError("disk full"));
  const auto refused = Create(MakeVm("b"));
  EXPECT_TRUE(absl::IsResourceExhausted(refused.status()));
  EXPECT_THAT(MessageOf(refused), HasSubstr("not stored: disk full"));
  EXPECT_EQ(registry_->snapshot()->vms.size(), 1u);
  EXPECT_EQ(registry_->snapshot()->revision, revision);
  EXPECT_TRUE(Create(MakeVm("b")).ok());
  EXPECT_EQ(registry_->snapshot()->vms.size(), 2u);
}

TEST_F(RegistryTest, UnreadableStoreIsNeverAnEmptyRegistry) {
  store_.FailReads(absl::DataLossError("damaged"));
  EXPECT_TRUE(absl::IsDataLoss(Registry::Open(&store_, &clock_, {}).status()));
  store_.FailReads(absl::OkStatus());
  for (const Table table : {Table::kVms, Table::kEndpoints, Table::kProfiles, Table::kRequests}) {
    FakeStore spoiled;
    ASSERT_TRUE(spoiled.Write({{table, "registry:x", "\xff not a message"}}).ok());
    EXPECT_TRUE(absl::IsDataLoss(Registry::Open(&spoiled, &clock_, {}).status()));
  }
}

TEST_F(RegistryTest, SnapshotThatSomebodyHoldsNeverChanges) {
  std::vector<std::shared_ptr<const Registry::Snapshot>> held;
  for (int i = 0; i < 200; ++i) {
    held.push_back(registry_->snapshot());
    ASSERT_TRUE(Create(MakeVm(absl::StrCat(i))).ok());
    if (i % 3 == 0) held[held.size() / 2].reset();
    ASSERT_EQ(registry_->snapshot()->vms.size(), static_cast<size_t>(i) + 1);
  }
  for (size_t i = 0; i < held.size(); ++i) {
    if (held[i] == nullptr) continue;
    EXPECT_EQ(held[i]->vms.size(), i);
  }
}

}  // namespace
}  // namespace vuf
