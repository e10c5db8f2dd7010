#include "server/convert/peer_facts.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/convert/facts_record.h"
#include "tests/testing/safe_facts.h"

namespace vuf {
namespace {

using ::testing::HasSubstr;

TEST(PeerFactsTest, AgesSurviveWhateverTheClocksSay) {
  for (const absl::Duration ahead : {absl::Hours(3), absl::ZeroDuration(), -absl::Hours(3)}) {
    const absl::Time here = SafeTime() + ahead;
    const absl::StatusOr<Facts> facts = FactsFromPeer(SerializeFacts(SafeFacts()), here);
    ASSERT_TRUE(facts.ok()) << facts.status();
    EXPECT_EQ(facts->now, here);
    EXPECT_EQ(facts->source.monitor.observed_at, here - absl::Seconds(1));
    const FsDeviceFacts& device = facts->destination->devices.value->front();
    EXPECT_EQ(device.back_end.share.observed_at, here - absl::Seconds(1)) << "also far below";
  }
}

TEST(PeerFactsTest, UnknownStaysUnknown) {
  Facts facts = SafeFacts();
  facts.source.uuid = Unknown<std::string>("not asked");
  const absl::StatusOr<Facts> read = FactsFromPeer(SerializeFacts(facts), SafeTime());
  EXPECT_FALSE(read->source.uuid.known());
  EXPECT_EQ(read->source.uuid.detail, "not asked");
}

TEST(PeerFactsTest, WhatCannotBeReadIsAnError) {
  for (const std::string& bytes :
       {std::string("no facts"), std::string(kMaxPeerFactsBytes + 1, 0)}) {
    EXPECT_EQ(FactsFromPeer(bytes, SafeTime()).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace vuf
