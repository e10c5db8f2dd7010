// Acknowledged is durable: against kill -9 with a real kill, against loss of power by looking
// whether the data was synced before the acknowledgement.
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <random>

#include "absl/strings/str_cat.h"
#include "server/store/sqlite_store.h"
#include "server/store/store_test_util.h"

namespace {
std::atomic<int> syncs{0};
std::atomic<bool> fail_syncs{false};

int Sync(int fd, long call) {
  ++syncs;
  if (fail_syncs) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(syscall(call, fd));
}
}  // namespace

// SQLite reaches the C library through these names, and the program's own come first.
extern "C" int fdatasync(int fd) { return Sync(fd, SYS_fdatasync); }
extern "C" int fsync(int fd) { return Sync(fd, SYS_fsync); }

namespace vuf {
namespace {

// Writes numbered records for ever and puts each number on the pipe once it is acknowledged.
[[noreturn]] void WriteUntilKilled(const std::string& directory, int first, int acks) {
  const auto store = SqliteStore::Open(directory);
  if (!store.ok()) _exit(1);
  for (int i = first;; ++i) {
    const std::string key = absl::StrCat(i);
    if (!(*store)->Write({{Table::kVms, key, key}, {Table::kEndpoints, key, key}}).ok()) _exit(2);
    if (write(acks, &i, sizeof(i)) != sizeof(i)) _exit(3);
  }
}

TEST(SqliteStoreCrashTest, AcknowledgedRecordsSurviveKill) {
  const TempDir dir;
  std::mt19937 random(20260101);
  int acknowledged = 0;
  for (int round = 0; round < 20; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    if (child == 0) WriteUntilKilled(dir.path(), acknowledged, pipe_ends[1]);
    close(pipe_ends[1]);
    const int kill_after = std::uniform_int_distribution<int>(1, 60)(random);
    int number = 0, seen = 0;
    while (read(pipe_ends[0], &number, sizeof(number)) == sizeof(number)) {
      acknowledged = number + 1;
      if (++seen == kill_after) kill(child, SIGKILL);
    }
    close(pipe_ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "child ended by itself: " << WEXITSTATUS(status);

    const auto store = MustOpen(dir.path());
    const auto vms = Rows(*store, Table::kVms), endpoints = Rows(*store, Table::kEndpoints);
    for (int i = 0; i < acknowledged; ++i) ASSERT_EQ(vms.count(absl::StrCat(i)), 1u) << i;
    EXPECT_EQ(vms, endpoints) << "half a change was kept";
  }
}

TEST(SqliteStoreCrashTest, EveryWriteIsSyncedBeforeItIsAcknowledged) {
  const TempDir dir;
  const auto store = MustOpen(dir.path());
  for (int i = 0; i < 10; ++i) {
    const int before = syncs;
    ASSERT_TRUE(store->Write({{Table::kVms, absl::StrCat(i), "v"}}).ok());
    EXPECT_GT(syncs, before) << "write " << i;
  }
}

TEST(SqliteStoreCrashTest, WriteThatCannotBeSyncedIsNotAcknowledged) {
  const TempDir dir;
  const auto store = MustOpen(dir.path());
  ASSERT_TRUE(store->Write({{Table::kVms, "a", "v"}}).ok());
  fail_syncs = true;
  const absl::Status status = store->Write({{Table::kVms, "b", "v"}});
  fail_syncs = false;
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(Rows(*store, Table::kVms).count("b"), 0u);
  ASSERT_TRUE(store->Write({{Table::kVms, "c", "v"}}).ok());
  EXPECT_EQ(Rows(*store, Table::kVms).size(), 2u);
}

}  // namespace
}  // namespace vuf
