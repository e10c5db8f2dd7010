#include "server/migration/recent_vms.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace vuf {
namespace {

VmFacts Vm(const std::string& qmp_socket, const std::string& uuid = "u") {
  VmFacts facts;
  facts.qmp_socket = qmp_socket;
  facts.uuid = Known(uuid, Source::kQmp, absl::Now());
  return facts;
}

class RecentVmsTest : public ::testing::Test {
 protected:
  absl::Time now_ = absl::UnixEpoch() + absl::Hours(1);
  RecentVms recent_;
};

TEST_F(RecentVmsTest, EachMonitorHasItsOwn) {
  recent_.Put(Vm("/a", "one"), now_);
  recent_.Put(Vm("/b", "two"), now_);
  recent_.Put(Vm("/a", "three"), now_);
  EXPECT_EQ(recent_.Get("/a", now_)->uuid.value, "three");
  EXPECT_EQ(recent_.Get("/b", now_)->uuid.value, "two");
  EXPECT_FALSE(recent_.Get("/c", now_).has_value());
}

TEST_F(RecentVmsTest, WhatIsOldOrFromTheFutureIsNotGiven) {
  recent_.Put(Vm("/a"), now_);
  EXPECT_TRUE(recent_.Get("/a", now_ + absl::Seconds(2)).has_value());
  EXPECT_FALSE(recent_.Get("/a", now_ + absl::Milliseconds(2001)).has_value());
  EXPECT_FALSE(recent_.Get("/a", now_ - absl::Nanoseconds(1)).has_value());
}

TEST_F(RecentVmsTest, WhatIsFullTakesNoMoreUntilSomethingIsOld) {
  for (int i = 0; i < 300; ++i) recent_.Put(Vm(absl::StrCat("/", i)), now_);
  EXPECT_TRUE(recent_.Get("/0", now_).has_value());
  EXPECT_FALSE(recent_.Get("/299", now_).has_value());
  now_ += absl::Seconds(3);
  recent_.Put(Vm("/299"), now_);
  EXPECT_TRUE(recent_.Get("/299", now_).has_value());
}

}  // namespace
}  // namespace vuf
