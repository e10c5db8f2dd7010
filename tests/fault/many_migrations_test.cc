// A thousand migrations, fifty at a time: none is lost, and memory does not grow with them.
#include <malloc.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/migration/migration_world.h"

namespace vuf {
namespace {

constexpr int kVms = 50;
constexpr int kRounds = 20;

std::string VmOf(int i) { return absl::StrCat("vms/many", i); }
std::string At(int i, int round) { return absl::StrCat("/run/", i, "-", round % 2, ".qmp"); }

class ManyMigrationsTest : public testing::Test {
 protected:
  ManyMigrationsTest() {
    world_.options.max_concurrent = kVms;
    world_.options.history_limit = 100;
    world_.options.evaluate = [](const Facts& facts) { return AllowWhatAnswers(facts); };
    world_.Start();
    for (int i = 0; i < kVms; ++i) {
      world_.qemu.AddVm(TestVm(At(i, 0), kSourceFs, 1000 + i, "running"));
      world_.AddVm(VmOf(i), At(i, 0));
    }
  }

  // Where a guest goes next there is a new QEMU, as after every migration.
  void AddDestinations(int round) {
    for (int i = 0; i < kVms; ++i) {
      const int pid = 2000 + round * kVms + i;
      world_.qemu.AddVm(TestVm(At(i, round + 1), kDestinationFs, pid, "inmigrate"));
      world_.qemu.Link(At(i, round), At(i, round + 1));
    }
  }

  // Returns how many succeeded.
  int MoveAll(int round) {
    AddDestinations(round);
    std::vector<std::string> names;
    for (int i = 0; i < kVms; ++i) {
      v1::Migration request = world_.Request();
      request.set_vm(VmOf(i));
      request.mutable_destination()->mutable_same_host()->set_qmp_socket(At(i, round + 1));
      const absl::StatusOr<v1::Migration> created = world_.Create(request);
      EXPECT_TRUE(created.ok()) << created.status();
      if (created.ok()) names.push_back(created->name());
    }
    int succeeded = 0;
    for (const std::string& name : names) {
      const v1::Migration ended = world_.Await(name);
      EXPECT_EQ(ended.state(), v1::Migration::STATE_SUCCEEDED) << ended.message();
      succeeded += ended.state() == v1::Migration::STATE_SUCCEEDED ? 1 : 0;
    }
    return succeeded;
  }

  MigrationWorld world_;
};

TEST_F(ManyMigrationsTest, NoneIsLostAndMemoryIsFlat) {
  int succeeded = 0;
  std::vector<size_t> in_use;
  for (int round = 0; round < kRounds; ++round) {
    succeeded += MoveAll(round);
    // What only the fakes remember.
    world_.qemu.ForgetActions();
    world_.decisions.Clear();
    in_use.push_back(mallinfo2().uordblks);
  }
  EXPECT_EQ(succeeded, kVms * kRounds);
  EXPECT_FALSE(world_.qemu.SplitBrain());
  for (int i = 0; i < kVms; ++i) EXPECT_TRUE(world_.Runs(At(i, kRounds))) << i;
  EXPECT_EQ(world_.migrator->List().size(), 100u) << "the history's limit";
  // From when the history is full. The recorder of transitions grows a little.
  const size_t settled = in_use[4], last = in_use.back();
  EXPECT_LT(last, settled + settled / 4) << "after 250 and after 1000 migrations";
  RecordProperty("bytes_after_250", absl::StrCat(settled));
  RecordProperty("bytes_after_1000", absl::StrCat(last));
  printf("bytes in use: %zu after 250, %zu after 1000 migrations\n", settled, last);
}

}  // namespace
}  // namespace vuf
