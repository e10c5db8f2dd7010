#include "server/discovery/fake_discovery.h"

#include "gtest/gtest.h"

namespace vuf {
namespace {

VmFacts OneDevice(const std::string& path) {
  VmFacts vm;
  vm.qmp_socket = "/run/vm.qmp";
  FsDeviceFacts device;
  device.chardev = Known(ChardevFacts{"unix:" + path, path, true}, Source::kQmp, absl::UnixEpoch());
  vm.devices = Known(std::vector<FsDeviceFacts>{device}, Source::kQmp, absl::UnixEpoch());
  return vm;
}

TEST(FakeDiscoveryTest, GivesADeviceTheBackEndOfItsSocket) {
  FakeDiscovery fake;
  BackEndFacts back_end;
  back_end.kind = Known(BackEndKind::kVirtiofsd, Source::kBackEndExecutable, absl::UnixEpoch());
  fake.SetBackEnd("/run/fs0.sock", back_end);
  fake.SetStartedPaused("/run/vm.qmp", Known(true, Source::kProcfs, absl::UnixEpoch()));
  VmFacts vm = OneDevice("/run/fs0.sock");
  fake.ObserveBackEnds(vm, Look::kEverything, absl::InfiniteFuture());
  EXPECT_EQ(vm.devices.value->front().back_end.kind, back_end.kind);
  EXPECT_EQ(vm.started_paused.value, true);
  EXPECT_EQ(fake.observations(), 1);
}

TEST(FakeDiscoveryTest, APathNobodyToldAboutIsUnknown) {
  FakeDiscovery fake;
  VmFacts vm = OneDevice("/run/fs0.sock");
  fake.ObserveBackEnds(vm, Look::kEverything, absl::InfiniteFuture());
  EXPECT_FALSE(vm.devices.value->front().back_end.socket.known());
  EXPECT_FALSE(vm.started_paused.known());
  EXPECT_FALSE(fake.BootId().known());
  EXPECT_EQ(fake.ObserveEndpoint("/run/fs0.sock", absl::InfiniteFuture()).state,
            EndpointSighting::State::kAbsent);
}

}  // namespace
}  // namespace vuf
