// What real QEMUs answered (tests/transcripts), as facts; then one answer at a time is spoiled.
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/clock.h"
#include "server/qmp/qmp_hypervisor.h"
#include "server/qmp/testing/fake_qmp_server.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Json = nlohmann::json;

absl::Time Soon() { return absl::Now() + absl::Seconds(20); }

Json Transcript(const std::string& version) {
  std::ifstream file("tests/transcripts/qemu-" + version + ".json");
  return Json::parse(file);
}

class ObserveTest : public ::testing::Test {
 protected:
  void Replay(const std::string& version) { server_.Replay(Transcript(version)); }
  void RefuseFor(const std::string& command, const Json& arguments, const std::string& desc) {
    server_.ReturnFor(command, arguments, {{"error", {{"class", "GenericError"}, {"desc", desc}}}});
  }
  void ReturnFor(const std::string& command, const Json& arguments, const Json& value) {
    server_.ReturnFor(command, arguments, {{"return", value}});
  }
  VmFacts Observe(const VmFacts* before = nullptr) {
    auto vm = QmpConnector(&clock_).Connect(server_.path(), Soon());
    EXPECT_TRUE(vm.ok()) << vm.status();
    auto facts = before == nullptr ? (*vm)->Observe(Soon()) : (*vm)->ObserveAgain(*before, Soon());
    EXPECT_TRUE(facts.ok()) << facts.status();
    return facts.ok() ? *std::move(facts) : VmFacts();
  }
  VmFacts ObserveAgain(const VmFacts& before) { return Observe(&before); }

  const Json named_ = {{"path", "/machine/peripheral"}};
  const Json anonymous_ = {{"path", "/machine/peripheral-anon"}};
  FakeClock clock_{absl::FromUnixSeconds(1000)};
  FakeQmpServer server_;
};

class EveryQemu : public ObserveTest, public ::testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Recorded, EveryQemu, ::testing::Values("7.2", "10.0", "11.1"));

TEST_P(EveryQemu, IsFullyUnderstood) {
  Replay(GetParam());
  const VmFacts facts = Observe();
  EXPECT_EQ(facts.qmp_socket, server_.path());
  EXPECT_EQ(facts.monitor, Known(std::string("QMP"), Source::kQmp, clock_.Now()));
  EXPECT_TRUE(facts.process.known());
  EXPECT_EQ(facts.uuid.value, "7b1c3f6e-0000-4000-8000-000000000001");
  EXPECT_EQ(facts.guest_name.value, "e2e-vm");
  EXPECT_EQ(facts.run_state.value, "prelaunch");
  EXPECT_EQ(facts.run_state.observed_at, clock_.Now());
  EXPECT_EQ(facts.migration_status.value, "");
  EXPECT_EQ(facts.tls_creds.value, "");
  EXPECT_EQ(facts.capabilities.value->at("return-path"), false);
  EXPECT_EQ(facts.memory_backends.value,
            (std::vector<MemoryBackendFacts>{{"mem", uint64_t{128} << 20, true}}));
  EXPECT_FALSE(facts.started_paused.known());
  ASSERT_EQ(facts.devices.value->size(), 2u);
  const FsDeviceFacts& named = facts.devices.value->at(0);
  EXPECT_EQ(named.qom_path, "/machine/peripheral/fs0");
  EXPECT_EQ(named.id, "fs0");
  EXPECT_EQ(named.type, "vhost-user-fs-pci");
  EXPECT_EQ(named.tag.value, "share0");
  EXPECT_EQ(named.request_queues.value, 1u);
  EXPECT_EQ(named.queue_size.value, 1024u);
  EXPECT_THAT(named.ring_size.detail, ::testing::HasSubstr("vhost device has not started yet"));
  EXPECT_EQ(named.driver_running.value, false);
  EXPECT_EQ(named.pci_address.value, "01.0");
  EXPECT_EQ(named.chardev_label.value, "char0");
  EXPECT_EQ(named.migration_property.value, "");
  EXPECT_TRUE(named.chardev.value->connected);
  const FsDeviceFacts& anonymous = facts.devices.value->at(1);
  EXPECT_EQ(anonymous.subject(), "/machine/peripheral-anon/device[0]");
  EXPECT_EQ(anonymous.tag.value, "share1");
  EXPECT_EQ(anonymous.pci_address.value, "02.0");
}

TEST_P(EveryQemu, IsAskedNothingThatChangesOrKillsIt) {
  Replay(GetParam());
  Observe();
  for (const std::string& command : server_.Commands()) {
    EXPECT_THAT(command,
                ::testing::AnyOf(::testing::StartsWith("query-"), "qom-list", "qom-get",
                                 "device-list-properties", "x-query-virtio-vhost-queue-status"));
  }
}

TEST_P(EveryQemu, SeenAgainItIsTheSame) {
  Replay(GetParam());
  const VmFacts before = Observe();
  const std::vector<std::string> commands = server_.Commands();
  EXPECT_EQ(ObserveAgain(before), before);
  const std::vector<std::string> all = server_.Commands();
  EXPECT_THAT(
      std::vector(all.begin() + static_cast<ptrdiff_t>(commands.size()), all.end()),
      // The migration before the run state: see WhatChanges.
      ElementsAre("query-migrate", "query-status", "query-chardev", "query-memdev",
                  "query-migrate-capabilities", "query-migrate-parameters", "qom-list", "qom-list",
                  "x-query-virtio-vhost-queue-status", "x-query-virtio-vhost-queue-status"));
}

TEST_F(ObserveTest, SeenAgainWhatMayChangeIsAsked) {
  Replay("10.0");
  const VmFacts before = Observe();
  ReturnFor("query-status", Json::object(), {{"status", "running"}, {"running", true}});
  ReturnFor("query-migrate", Json::object(),
            {{"status", "failed"}, {"blocked-reasons", Json::array({"why"})}});
  ReturnFor("query-chardev", Json::object(), Json::array());
  ReturnFor("query-migrate-parameters", Json::object(), {{"mode", "cpr-reboot"}});
  clock_.Advance(absl::Seconds(1));
  const VmFacts facts = ObserveAgain(before);
  EXPECT_EQ(facts.run_state, Known(std::string("running"), Source::kQmp, clock_.Now()));
  EXPECT_EQ(facts.migration_status.value, "failed");
  EXPECT_THAT(*facts.blocked_reasons.value, ElementsAre("why"));
  EXPECT_EQ(facts.migration_mode.value, "cpr-reboot");
  EXPECT_FALSE(facts.devices.value->at(0).chardev.known());
  EXPECT_EQ(facts.devices.value->at(0).tag, before.devices.value->at(0).tag);
}

TEST_F(ObserveTest, SeenAgainWithOthersThanBeforeEverythingIsAsked) {
  Replay("10.0");
  const VmFacts same = Observe();
  VmFacts other_process = same, other_devices = same, other_memory = same, unknown = same;
  other_process.process.value->pid += 1;
  other_devices.devices.value->pop_back();
  other_memory.memory_backends.value->front().share = false;
  unknown.devices = Unknown<std::vector<FsDeviceFacts>>("why", Source::kQmp);
  for (VmFacts before : {other_process, other_devices, other_memory, unknown}) {
    before.uuid.value = "of another";
    EXPECT_EQ(ObserveAgain(before), same);
  }
}

TEST_F(ObserveTest, Qemu72SaysThatItCannotMigrateAndHidesThePath) {
  Replay("7.2");
  const VmFacts facts = Observe();
  EXPECT_EQ(facts.qemu_version.value, (Version{7, 2, 22}));
  EXPECT_EQ(facts.migration_mode.value, "");
  EXPECT_THAT(*facts.blocked_reasons.value,
              ElementsAre("non-migratable device: 0000:00:02.0/vhost-user-fs",
                          "non-migratable device: 0000:00:01.0/vhost-user-fs"));
  EXPECT_EQ(facts.devices.value->at(0).chardev.value->filename, "unix:");
  EXPECT_EQ(facts.devices.value->at(0).chardev.value->socket_path, "");
}

TEST_F(ObserveTest, Qemu111) {
  Replay("11.1");
  const VmFacts facts = Observe();
  EXPECT_EQ(facts.qemu_version.value, (Version{11, 1, 3}));
  EXPECT_EQ(facts.qemu_version.detail, "Debian 1:11.1.3+ds-1");
  EXPECT_EQ(facts.machine_type.value, "pc-q35-10.0-machine");
  EXPECT_EQ(facts.migration_mode.value, "normal");
  EXPECT_THAT(*facts.blocked_reasons.value, IsEmpty());
  EXPECT_EQ(facts.devices.value->at(0).chardev.value->socket_path, "/run/vm/fs0.sock");
}

TEST_F(ObserveTest, SeesADriverAndTls) {
  Replay("10.0");
  const std::string path = "/machine/peripheral/fs0/virtio-backend";
  ReturnFor("x-query-virtio-vhost-queue-status", {{"path", path}, {"queue", 1}}, {{"num", 128}});
  const std::string other = "/machine/peripheral-anon/device[0]/virtio-backend";
  RefuseFor("x-query-virtio-vhost-queue-status", {{"path", other}, {"queue", 1}}, "no such thing");
  ReturnFor("query-migrate-parameters", Json::object(), {{"mode", "normal"}, {"tls-creds", "t0"}});
  const VmFacts facts = Observe();
  EXPECT_EQ(facts.devices.value->at(0).driver_running.value, true);
  EXPECT_EQ(facts.devices.value->at(0).ring_size.value, 128u);
  EXPECT_FALSE(facts.devices.value->at(1).driver_running.known());
  EXPECT_EQ(facts.tls_creds.value, "t0");
}

TEST_F(ObserveTest, ADeadBackEndIsDisconnected) {
  Replay("10.0");
  ReturnFor("query-chardev", Json::object(),
            Json::parse(R"([{"label":"char0","filename":"disconnected:unix:/run/vm/fs0.sock"}])"));
  const VmFacts facts = Observe();
  const ChardevFacts& chardev = *facts.devices.value->at(0).chardev.value;
  EXPECT_FALSE(chardev.connected);
  EXPECT_EQ(chardev.socket_path, "/run/vm/fs0.sock");
  EXPECT_FALSE(facts.devices.value->at(1).chardev.known()) << "its chardev is not listed";
}

TEST_F(ObserveTest, APatchedQemuHasAMigrationProperty) {
  Replay("10.0");
  ReturnFor("device-list-properties", {{"typename", "vhost-user-fs-device"}},
            Json::parse(R"([{"name":"migration","type":"str"}])"));
  ReturnFor("qom-get", {{"path", "/machine/peripheral/fs0"}, {"property", "migration"}},
            "external");
  const VmFacts facts = Observe();
  EXPECT_EQ(facts.devices.value->at(0).migration_property.value, "external");
  EXPECT_FALSE(facts.devices.value->at(1).migration_property.known()) << "QEMU refused to say";
}

TEST_F(ObserveTest, AFailedEnumerationLeavesTheDevicesUnknown) {
  for (const Json& list : {named_, anonymous_}) {
    FakeQmpServer server;
    server.Replay(Transcript("10.0"));
    server.ReturnFor("qom-list", list,
                     {{"error", {{"class", "DeviceNotFound"}, {"desc", "went away"}}}});
    const auto facts = (*QmpConnector(&clock_).Connect(server.path(), Soon()))->Observe(Soon());
    ASSERT_TRUE(facts.ok());
    EXPECT_FALSE(facts->devices.known());
    EXPECT_THAT(facts->devices.detail, HasSubstr("QEMU says: went away"));
    EXPECT_TRUE(facts->run_state.known()) << "the rest is told";
  }
}

TEST_F(ObserveTest, NoDevicesIsKnown) {
  Replay("10.0");
  ReturnFor("qom-list", named_, Json::array());
  ReturnFor("qom-list", anonymous_, Json::array());
  EXPECT_THAT(Observe().devices.value, ::testing::Optional(IsEmpty()));
}

TEST_F(ObserveTest, EveryRefusalMakesItsFactUnknownWithQemusWords) {
  Replay("10.0");
  for (const char* command :
       {"query-status", "query-name", "query-uuid", "query-chardev", "query-memdev",
        "query-migrate", "query-migrate-capabilities", "query-migrate-parameters"}) {
    RefuseFor(command, Json::object(), std::string("no ") + command);
  }
  RefuseFor("qom-get", {{"path", "/machine"}, {"property", "type"}}, "no type");
  RefuseFor("qom-get", {{"path", "/machine/peripheral/fs0"}, {"property", "tag"}}, "no tag");
  const VmFacts facts = Observe();
  EXPECT_THAT(facts.run_state.detail, HasSubstr("QEMU says: no query-status"));
  EXPECT_THAT(facts.guest_name.detail, HasSubstr("no query-name"));
  EXPECT_THAT(facts.uuid.detail, HasSubstr("no query-uuid"));
  EXPECT_THAT(facts.memory_backends.detail, HasSubstr("no query-memdev"));
  EXPECT_THAT(facts.migration_status.detail, HasSubstr("no query-migrate"));
  EXPECT_THAT(facts.blocked_reasons.detail, HasSubstr("no query-migrate"));
  EXPECT_THAT(facts.capabilities.detail, HasSubstr("no query-migrate-capabilities"));
  EXPECT_THAT(facts.migration_mode.detail, HasSubstr("no query-migrate-parameters"));
  EXPECT_THAT(facts.tls_creds.detail, HasSubstr("no query-migrate-parameters"));
  EXPECT_THAT(facts.machine_type.detail, HasSubstr("no type"));
  const FsDeviceFacts& device = facts.devices.value->at(0);
  EXPECT_THAT(device.tag.detail, HasSubstr("no tag"));
  EXPECT_THAT(device.chardev.detail, HasSubstr("no query-chardev"));
  EXPECT_TRUE(device.queue_size.known());
  for (const bool known :
       {facts.run_state.known(), facts.guest_name.known(), facts.uuid.known(),
        facts.memory_backends.known(), facts.migration_status.known(),
        facts.blocked_reasons.known(), facts.capabilities.known(), facts.migration_mode.known(),
        facts.machine_type.known(), device.tag.known(), device.chardev.known()}) {
    EXPECT_FALSE(known);
  }
}

TEST_F(ObserveTest, AnAnswerOfAnotherShapeIsUnknown) {
  Replay("10.0");
  ReturnFor("query-migrate", Json::object(), {{"blocked-reasons", "none"}});
  ReturnFor("query-memdev", Json::object(), Json::parse(R"([{"id":"mem","size":1}])"));
  ReturnFor("query-status", Json::object(), 7);
  const VmFacts facts = Observe();
  EXPECT_FALSE(facts.blocked_reasons.known());
  EXPECT_FALSE(facts.memory_backends.known()) << "share is missing";
  EXPECT_FALSE(facts.run_state.known());
  EXPECT_THAT(facts.run_state.detail, HasSubstr("QEMU's answer is not"));
}

TEST_F(ObserveTest, TellsWhichFileHoldsTheMemory) {
  Replay("10.0");
  ReturnFor("query-memdev", Json::object(), Json::parse(R"([
      {"id":"file","size":1,"share":true}, {"id":"ram","size":1,"share":true},
      {"id":"closed","size":1,"share":true}, {"id":"odd","size":1,"share":true},
      {"size":1,"share":true}])"));
  const auto answer = [this](const std::string& id, const char* property, const Json& value) {
    ReturnFor("qom-get", {{"path", "/objects/" + id}, {"property", property}}, value);
  };
  answer("file", "type", "memory-backend-file");
  answer("file", "mem-path", "/dev/shm/ram");
  answer("ram", "type", "memory-backend-memfd");
  answer("closed", "mem-path", "/dev/shm/ram");
  answer("odd", "type", "memory-backend-file");
  answer("odd", "mem-path", 7);
  answer("", "type", "container");
  const VmFacts facts = Observe();
  ASSERT_TRUE(facts.memory_backends.known()) << facts.memory_backends.detail;
  const std::vector<MemoryBackendFacts>& memory = *facts.memory_backends.value;
  EXPECT_EQ(memory[0].path, "/dev/shm/ram");
  EXPECT_EQ(memory[1].path, "") << "known to be in no file";
  EXPECT_EQ(memory[2].path, std::nullopt) << "its type was refused";
  EXPECT_EQ(memory[3].path, std::nullopt) << "its path is no text";
  EXPECT_EQ(memory[4].path, std::nullopt) << "it has no id";
}

TEST_F(ObserveTest, AFrozenMonitorIsAnErrorOfTheWhole) {
  Replay("10.0");
  const auto vm = *QmpConnector(&clock_).Connect(server_.path(), Soon());
  server_.Freeze();
  EXPECT_TRUE(
      absl::IsDeadlineExceeded(vm->Observe(absl::Now() + absl::Milliseconds(100)).status()));
}

}  // namespace
}  // namespace vuf
