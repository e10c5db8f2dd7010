// With real processes and real pidfds.
#include "server/discovery/host_process_watch.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A child that lives until it is ended.
class Child {
 public:
  Child() : pid_(fork()) {
    if (pid_ == 0) {
      while (true) pause();
    }
  }
  ~Child() {
    End();
    Reap();
  }
  ProcessId id() const { return {pid_, Procfs().Stat(pid_)->start_ticks}; }
  void End() const {
    if (!reaped_) kill(pid_, SIGKILL);
  }
  void Reap() {
    if (!reaped_) waitpid(pid_, nullptr, 0);
    reaped_ = true;
  }

 private:
  const pid_t pid_;
  bool reaped_ = false;
};

absl::Time Soon() { return absl::Now() + absl::Seconds(30); }

TEST(HostProcessWatchTest, TellsOnceWhoHasEnded) {
  Child first;
  Child second;
  const ProcessId first_id = first.id();
  HostProcessWatch watch;
  ASSERT_TRUE(watch.Add(first_id).ok());
  ASSERT_TRUE(watch.Add(second.id()).ok());
  first.End();
  // A zombie counts: nobody need have waited for it.
  EXPECT_THAT(*watch.Await(Soon()), ElementsAre(first_id));
  watch.Wake();
  EXPECT_THAT(*watch.Await(Soon()), IsEmpty());
}

TEST(HostProcessWatchTest, NobodyEndsBeforeTheDeadline) {
  const Child child;
  HostProcessWatch watch;
  ASSERT_TRUE(watch.Add(child.id()).ok());
  EXPECT_THAT(*watch.Await(absl::Now() + absl::Milliseconds(5)), IsEmpty());
}

TEST(HostProcessWatchTest, AReusedPidIsNotWatched) {
  const Child child;
  ProcessId another = child.id();
  ++another.start_ticks;
  HostProcessWatch watch;
  EXPECT_TRUE(absl::IsNotFound(watch.Add(another)));
  child.End();
  EXPECT_THAT(*watch.Await(absl::Now() + absl::Milliseconds(20)), IsEmpty());
}

TEST(HostProcessWatchTest, OneThatIsGoneIsNotFound) {
  Child child;
  const ProcessId id = child.id();
  child.End();
  child.Reap();
  HostProcessWatch watch;
  EXPECT_TRUE(absl::IsNotFound(watch.Add(id)));
}

TEST(HostProcessWatchTest, WhoIsRemovedIsNotTold) {
  const Child kept;
  const Child removed;
  const ProcessId kept_id = kept.id();
  HostProcessWatch watch;
  ASSERT_TRUE(watch.Add(removed.id()).ok());
  ASSERT_TRUE(watch.Add(kept_id).ok());
  watch.Remove(removed.id());
  removed.End();
  kept.End();
  EXPECT_THAT(*watch.Await(Soon()), ElementsAre(kept_id));
}

TEST(HostProcessWatchTest, HasALimitAndRoomAgainAfterAnEnd) {
  const Child first;
  const Child second;
  HostProcessWatch watch("/proc", 1);
  ASSERT_TRUE(watch.Add(first.id()).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(watch.Add(second.id())));
  first.End();
  EXPECT_EQ(watch.Await(Soon())->size(), 1u);
  EXPECT_TRUE(watch.Add(second.id()).ok());
}

TEST(HostProcessWatchTest, AnotherThreadWakesIt) {
  HostProcessWatch watch;
  std::thread other([&watch] { watch.Wake(); });
  const absl::Time begin = absl::Now();
  EXPECT_THAT(*watch.Await(Soon()), IsEmpty());
  EXPECT_LT(absl::Now() - begin, absl::Seconds(20));
  other.join();
}

}  // namespace
}  // namespace vuf
