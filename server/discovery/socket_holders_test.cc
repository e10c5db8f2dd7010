#include "server/discovery/socket_holders.h"

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/clock.h"
#include "tests/testing/temp_directory.h"

namespace vuf {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

constexpr uint64_t kSocket = 1000;

// Three processes, of which one is called like a server.
class HolderFinderTest : public ::testing::Test {
 protected:
  HolderFinderTest() {
    AddProcess(100, "/usr/bin/qemu");
    AddProcess(200, "/usr/libexec/virtiofsd");
    AddProcess(300, "/usr/bin/other");
  }

  void AddProcess(int pid, const std::string& executable, uint64_t start_ticks = 7) {
    const std::string at = directory_.Path(absl::StrCat(pid));
    fs::create_directories(at + "/fd");
    fs::create_symlink(executable, at + "/exe");
    std::ofstream(at + "/stat") << pid << " (x) S 1 1 1 0 -1 1 1 0 0 0 3 4 0 0 20 0 2 0 "
                                << start_ticks;
  }
  std::string Fd(int pid, int fd) { return directory_.Path(absl::StrCat(pid, "/fd/", fd)); }
  void Open(int pid, int fd, uint64_t inode) {
    fs::create_symlink(absl::StrCat("socket:[", inode, "]"), Fd(pid, fd));
  }
  static std::vector<int> Pids(const absl::StatusOr<SocketHolders>& found, uint64_t inode) {
    std::vector<int> pids;
    const auto it = found->of.find(inode);
    if (it == found->of.end()) return pids;
    for (const SocketHolder& holder : it->second) pids.push_back(holder.pid);
    return pids;
  }
  std::vector<int> Find(Look look = Look::kEverything) {
    return Pids(finder_.Find({kSocket}, look, Deadline()), kSocket);
  }
  static absl::Time Deadline() { return absl::Now() + absl::Minutes(1); }

  TempDirectory directory_;
  Procfs procfs_{directory_.path()};
  FakeClock clock_{absl::Now()};
  HolderFinder finder_{&procfs_, &clock_, [](const std::string& executable) {
                         return executable == "/usr/libexec/virtiofsd";
                       }};
};

TEST_F(HolderFinderTest, WhereAServerHoldsItNobodyElseIsLookedAt) {
  Open(100, 3, kSocket);
  Open(200, 4, kSocket);
  EXPECT_THAT(Find(), ElementsAre(200));
}

TEST_F(HolderFinderTest, WhereNoServerHoldsItAllAreLookedAt) {
  Open(100, 3, kSocket);
  Open(300, 4, kSocket);
  Open(300, 5, kSocket);
  EXPECT_THAT(Find(), UnorderedElementsAre(100, 300));
}

TEST_F(HolderFinderTest, EachSocketHasItsOwnHolders) {
  Open(200, 4, kSocket);
  Open(300, 4, kSocket + 1);
  const absl::StatusOr<SocketHolders> found =
      finder_.Find({kSocket, kSocket + 1, kSocket + 2}, Look::kEverything, Deadline());
  ASSERT_TRUE(found.ok());
  EXPECT_THAT(Pids(found, kSocket), ElementsAre(200));
  EXPECT_THAT(Pids(found, kSocket + 1), ElementsAre(300));
  EXPECT_EQ(found->of.size(), 2u);
}

TEST_F(HolderFinderTest, WithoutTimeNothingIsKnown) {
  Open(200, 4, kSocket);
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      finder_.Find({kSocket}, Look::kEverything, absl::InfinitePast()).status()));
}

// Seen by what happens when another process appears that would be preferred.
TEST_F(HolderFinderTest, WhoHeldAConnectionIsAskedFirst) {
  Open(300, 4, kSocket);
  EXPECT_THAT(Find(Look::kWhoIsWho), ElementsAre(300));
  Open(200, 4, kSocket);
  EXPECT_THAT(Find(Look::kEverything), ElementsAre(300));
  clock_.Advance(absl::Milliseconds(2001));
  EXPECT_THAT(Find(Look::kWhoIsWho), ElementsAre(300));
  EXPECT_THAT(Find(Look::kEverything), ElementsAre(200)) << "a listening socket's may change";
}

TEST_F(HolderFinderTest, WhoHoldsItNoLongerIsNotBelieved) {
  Open(300, 4, kSocket);
  EXPECT_THAT(Find(Look::kEverything), ElementsAre(300));
  fs::remove(Fd(300, 4));
  EXPECT_THAT(Find(Look::kWhoIsWho), ElementsAre());
  Open(300, 4, kSocket + 1);
  EXPECT_THAT(Find(Look::kWhoIsWho), ElementsAre());
  Open(200, 9, kSocket);
  EXPECT_THAT(Find(Look::kWhoIsWho), ElementsAre(200));
}

TEST_F(HolderFinderTest, AnotherProcessOfTheSamePidIsNotBelieved) {
  Open(300, 4, kSocket);
  EXPECT_THAT(Find(Look::kEverything), ElementsAre(300));
  fs::remove_all(directory_.Path("300"));
  AddProcess(300, "/usr/bin/other", 8);
  Open(300, 4, kSocket);
  Open(200, 4, kSocket);
  EXPECT_THAT(Find(Look::kWhoIsWho), ElementsAre(200));
}

}  // namespace
}  // namespace vuf
