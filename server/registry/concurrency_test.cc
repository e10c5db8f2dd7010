// Many callers, deadlines, and the end of the registry.
#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "server/registry/registry.h"
#include "server/registry/registry_test_util.h"

namespace vuf {
namespace {

using testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(20);

class ConcurrencyTest : public RegistryTest {
 protected:
  // A change that the store is holding up, so that what follows queues behind it.
  std::thread HeldCreate(const std::string& id, absl::Status* status) {
    store_.HoldWrites();
    std::thread caller([this, id, status] { *status = Create(MakeVm(id)).status(); });
    EXPECT_TRUE(store_.AwaitHeldWrite(kPatience));
    return caller;
  }
};

TEST_F(ConcurrencyTest, ChangesThatWaitAreWrittenTogether) {
  absl::Status first;
  std::thread held = HeldCreate("first", &first);
  std::atomic<int> begun{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&, i] {
      ++begun;
      EXPECT_TRUE(Create(MakeVm(absl::StrCat("vm", i))).ok());
    });
  }
  while (begun < 8) std::this_thread::yield();
  store_.ReleaseWrites();
  for (std::thread& caller : callers) caller.join();
  held.join();
  EXPECT_TRUE(first.ok());
  EXPECT_EQ(registry_->snapshot()->vms.size(), 9u);
  size_t written = 0;
  for (const size_t changes : store_.writes()) written += changes;
  EXPECT_EQ(written, 9u);
  // At least some of the eight shared a commit; all of them do but for scheduling.
  EXPECT_LT(store_.writes().size(), 9u);
}

TEST_F(ConcurrencyTest, EightThreadsLoseNothing) {
  std::vector<std::thread> callers;
  for (int t = 0; t < 8; ++t) {
    callers.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        ASSERT_TRUE(Create(MakeEndpoint(absl::StrCat(t, "-", i))).ok());
        ASSERT_GE(registry_->snapshot()->endpoints.size(), static_cast<size_t>(i) + 1);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  Reopen();
  EXPECT_EQ(registry_->snapshot()->endpoints.size(), 400u);
}

TEST_F(ConcurrencyTest, SameRequestAtTheSameTimeIsOneRecordAndOneAnswer) {
  std::vector<std::thread> callers;
  std::vector<std::string> etags(8);
  for (int t = 0; t < 8; ++t) {
    callers.emplace_back([&, t] {
      const auto created = Create(MakeVm("a"), Key("r1"));
      ASSERT_TRUE(created.ok()) << created.status();
      etags[static_cast<size_t>(t)] = created->etag();
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_THAT(etags, testing::Each(etags[0]));
  EXPECT_EQ(store_.writes(), std::vector<size_t>{2});
}

TEST_F(ConcurrencyTest, DeadlineBehindASlowDiskChangesNothing) {
  absl::Status first;
  std::thread held = HeldCreate("first", &first);
  const absl::Status late =
      registry_->CreateVm(MakeVm("late"), {}, clock_.Now() + absl::Milliseconds(20)).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(late));
  EXPECT_THAT(MessageOf(late), HasSubstr("nothing was changed"));
  store_.ReleaseWrites();
  held.join();
  Reopen();
  EXPECT_EQ(registry_->snapshot()->vms.size(), 1u);
}

TEST_F(ConcurrencyTest, DeadlineWhileWritingSaysThatItMayStillHappen) {
  store_.HoldWrites();
  const absl::Status late =
      registry_->CreateVm(MakeVm("a"), {}, clock_.Now() + absl::Milliseconds(200)).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(late));
  EXPECT_THAT(MessageOf(late), HasSubstr("may still happen"));
  EXPECT_EQ(registry_->snapshot()->vms.size(), 0u) << "published before it was durable";
  store_.ReleaseWrites();
  Reopen();
  EXPECT_EQ(registry_->snapshot()->vms.size(), 1u);
}

TEST_F(ConcurrencyTest, ClosingFinishesTheWriteAndTurnsTheOthersAway) {
  absl::Status first;
  std::thread held = HeldCreate("first", &first);
  // The store still holds the writer, so the registry cannot be gone before this caller is out.
  Registry* const closed = registry_.release();
  absl::Status waiting_status;
  std::thread waiting(
      [&] { waiting_status = closed->CreateVm(MakeVm("waiting"), {}, Soon()).status(); });
  std::thread closing([closed] { delete closed; });
  waiting.join();
  EXPECT_TRUE(absl::IsUnavailable(waiting_status)) << waiting_status;
  store_.ReleaseWrites();
  held.join();
  closing.join();
  EXPECT_TRUE(first.ok()) << first;
  Reopen();
  EXPECT_EQ(registry_->snapshot()->vms.size(), 1u);
}

}  // namespace
}  // namespace vuf
