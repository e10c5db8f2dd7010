#include "server/qmp/parse.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf {
namespace {

using Json = nlohmann::json;

TEST(ParseChardevFilename, KnowsTheSpellingsOfQemu) {
  struct Case {
    const char* filename;
    const char* path;
    bool connected;
  };
  for (const Case& c :
       {Case{"unix:/run/fs.sock", "/run/fs.sock", true},
        Case{"disconnected:unix:/run/fs.sock", "/run/fs.sock", false}, Case{"unix:", "", true},
        Case{"unix:/run/fs.sock,server=on", "", true},
        Case{"disconnected:unix:fs,abstract=on,tight=on", "", false},
        Case{"unix:fs.sock", "", true}, Case{"fd:7", "", true},
        Case{"disconnected:fd:7", "", false}, Case{"disconnected:tcp:127.0.0.1:1", "", false},
        Case{"pty:/dev/pts/1", "", true}}) {
    EXPECT_EQ(ParseChardevFilename(c.filename), (ChardevFacts{c.filename, c.path, c.connected}));
  }
}

TEST(ParsePciAddress, IsSlotAndFunction) {
  EXPECT_EQ(*ParsePciAddress(8u), "01.0");
  EXPECT_EQ(*ParsePciAddress(0xffu), "1f.7");
  EXPECT_FALSE(ParsePciAddress(256u).ok());
  EXPECT_FALSE(ParsePciAddress(-1).ok()) << "QEMU's value before a slot is assigned";
  EXPECT_FALSE(ParsePciAddress("01.0").ok());
}

TEST(ParseMigration, ReadsTheNumbers) {
  const auto info = ParseMigration(Json::parse(R"({"status":"active","total-time":390,
      "expected-downtime":17,"ram":{"transferred":5,"remaining":6,"total":11,
      "dirty-sync-count":2}})"));
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->status, "active");
  EXPECT_EQ(info->ram_transferred, 5u);
  EXPECT_EQ(info->ram_remaining, 6u);
  EXPECT_EQ(info->ram_total, 11u);
  EXPECT_EQ(info->dirty_sync_count, 2u);
  EXPECT_EQ(info->expected_downtime, absl::Milliseconds(17));
  EXPECT_EQ(info->total_time, absl::Milliseconds(390));
  EXPECT_FALSE(info->downtime.has_value());
}

TEST(ParseMigration, NoneIsNever) {
  EXPECT_EQ(ParseMigration(Json::object())->status, "");
  EXPECT_EQ(ParseMigration({{"status", "none"}})->status, "");
  EXPECT_FALSE(ParseMigration({{"status", 1}}).ok());
  EXPECT_FALSE(ParseMigration(Json::array()).ok());
}

TEST(ParseFsDevices, FindsEveryKindAndNothingElse) {
  const auto devices = ParseFsDevices(
      Json::parse(
          R"([{"name":"type","type":"string"},{"name":"a","type":"child<vhost-user-fs-pci>"},
          {"name":"b","type":"child<vhost-user-fs-ccw>"},{"name":"c","type":"child<virtio-9p-pci>"},
          {"name":"d","type":"child<vhost-user-fs-device>"}])"),
      "/machine/peripheral", false);
  ASSERT_TRUE(devices.ok());
  ASSERT_EQ(devices->size(), 3u);
  EXPECT_EQ(devices->at(1).id, "b");
  EXPECT_EQ(devices->at(1).type, "vhost-user-fs-ccw");
  EXPECT_EQ(devices->at(2).qom_path, "/machine/peripheral/d");
  EXPECT_FALSE(ParseFsDevices(Json::parse(R"([{"name":"a"}])"), "/machine", false).ok());
}

TEST(ParseVersion, NeedsAllNumbers) {
  EXPECT_EQ(*ParseVersion(Json::parse(
                R"({"version":{"qemu":{"major":9,"minor":1,"micro":0},"package":""}})")),
            (Version{9, 1, 0}));
  EXPECT_FALSE(ParseVersion(Json::parse(R"({"version":{"qemu":{"major":9,"minor":1}}})")).ok());
  EXPECT_FALSE(ParseVersion(Json::parse(R"({"version":"9"})")).ok());
  EXPECT_FALSE(ParseVersion(Json::array()).ok());
}

}  // namespace
}  // namespace vuf
