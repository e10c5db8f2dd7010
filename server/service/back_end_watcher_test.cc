#include "server/service/back_end_watcher.h"

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/clock.h"
#include "server/discovery/fake_discovery.h"
#include "server/discovery/fake_process_watch.h"
#include "server/profile/profile.h"
#include "server/store/fake_store.h"

namespace vuf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kPath[] = "/run/a.sock";
constexpr char kName[] = "endpoints/a";
constexpr absl::Duration kLong = absl::Seconds(30);

EndpointSighting ServedBy(int pid) {
  EndpointSighting sighting;
  sighting.state = EndpointSighting::State::kInUse;
  sighting.socket_file = FileId{1, 7};
  sighting.back_end.process =
      Known(ProcessId{pid, 10u * pid}, Source::kProcfs, absl::FromUnixSeconds(1700000000));
  return sighting;
}

EndpointSighting Absent() {
  EndpointSighting sighting;
  sighting.state = EndpointSighting::State::kAbsent;
  return sighting;
}

// One endpoint that process 42 serves.
class BackEndWatcherTest : public ::testing::Test {
 protected:
  BackEndWatcherTest()
      : metrics_("test", absl::Now()),
        registry_(*Registry::Open(&store_, &clock_, ShippedProfiles())) {
    registry_->Subscribe([this] {
      MutexLock lock(&mu_);
      changed_.NotifyAll();
    });
    host_.SetEndpoint(kPath, ServedBy(42));
    v1::Endpoint endpoint;
    endpoint.set_name(kName);
    endpoint.set_socket_path(kPath);
    observer_.Look(&endpoint, absl::Now() + kLong);
    EXPECT_TRUE(registry_->CreateEndpoint(endpoint, {}, absl::Now() + kLong).ok());
  }

  void Start() { watcher_.emplace(&watch_, &observer_, registry_.get(), &metrics_); }
  v1::Endpoint Endpoint() const { return registry_->snapshot()->endpoints.at(kName); }
  // As the registry shows it when its generation is `generation`, or after a long time.
  v1::Endpoint AwaitGeneration(uint64_t generation) {
    const absl::Time limit = absl::Now() + kLong;
    MutexLock lock(&mu_);
    while (Endpoint().generation() != generation && absl::Now() < limit) {
      changed_.WaitFor(&mu_, limit - absl::Now());
    }
    return Endpoint();
  }

  SystemClock clock_;
  FakeStore store_;
  FakeDiscovery host_;
  FakeProcessWatch watch_;
  Metrics metrics_;
  Mutex mu_;
  CondVar changed_;
  const std::unique_ptr<Registry> registry_;
  EndpointObserver observer_{&host_, registry_.get(), &clock_};
  std::optional<BackEndWatcher> watcher_;
};

TEST_F(BackEndWatcherTest, AnEndIsSeenInTheRegistryAndCounted) {
  Start();
  ASSERT_TRUE(watch_.AwaitWatched({42, 420}, kLong));
  host_.SetEndpoint(kPath, Absent());
  watch_.End({42, 420});
  const v1::Endpoint endpoint = AwaitGeneration(2);
  EXPECT_EQ(endpoint.generation(), 2u);
  EXPECT_EQ(endpoint.state(), v1::Endpoint::STATE_ABSENT);
  EXPECT_FALSE(endpoint.has_back_end());
  EXPECT_THAT(metrics_.Text(), HasSubstr("vufd_back_end_exits_total 1\n"));
}

TEST_F(BackEndWatcherTest, TheSuccessorIsWatchedNext) {
  Start();
  ASSERT_TRUE(watch_.AwaitWatched({42, 420}, kLong));
  host_.SetEndpoint(kPath, ServedBy(43));
  watch_.End({42, 420});
  EXPECT_EQ(AwaitGeneration(2).back_end().pid(), 43);
  ASSERT_TRUE(watch_.AwaitWatched({43, 430}, kLong));
  EXPECT_THAT(watch_.watched(), ElementsAre(ProcessId{43, 430}));
}

TEST_F(BackEndWatcherTest, OneThatEndedBeforeItCouldBeWatchedIsLookedAtAgain) {
  host_.SetEndpoint(kPath, Absent());
  watch_.End({42, 420});
  Start();
  EXPECT_EQ(AwaitGeneration(2).state(), v1::Endpoint::STATE_ABSENT);
}

TEST_F(BackEndWatcherTest, ADeletedEndpointIsNotWatchedAnyMore) {
  Start();
  ASSERT_TRUE(watch_.AwaitWatched({42, 420}, kLong));
  ASSERT_TRUE(registry_->DeleteEndpoint(kName, "", absl::Now() + kLong).ok());
  EXPECT_TRUE(watch_.AwaitNobody(kLong));
}

// A look that cannot tell must not make the thread spin on a process that it cannot watch.
TEST_F(BackEndWatcherTest, AfterALookInVainTheDeadIsNotWatchedAgain) {
  Start();
  ASSERT_TRUE(watch_.AwaitWatched({42, 420}, kLong));
  host_.SetEndpoint(kPath, EndpointSighting());
  watch_.End({42, 420});
  const absl::Time limit = absl::Now() + kLong;
  {
    MutexLock lock(&mu_);
    while (Endpoint().state() != v1::Endpoint::STATE_UNKNOWN && absl::Now() < limit) {
      changed_.WaitFor(&mu_, limit - absl::Now());
    }
  }
  ASSERT_EQ(Endpoint().state(), v1::Endpoint::STATE_UNKNOWN);
  EXPECT_EQ(Endpoint().back_end().pid(), 42);
  watcher_.reset();
  EXPECT_EQ(watch_.adds(), 1);
}

TEST_F(BackEndWatcherTest, WhereProcessesCannotBeWatchedItGoesOnWithoutAndSaysSo) {
  watch_.FailAdd(absl::UnimplementedError("pidfd_open of process 42: Function not implemented"));
  ::testing::internal::CaptureStderr();
  Start();
  ASSERT_TRUE(watch_.AwaitAdds(1, kLong));
  ASSERT_TRUE(observer_.Observe(kName, absl::Now() + kLong).ok());
  watcher_.reset();
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              ::testing::AllOf(HasSubstr("only once every discovery period"),
                               HasSubstr("Function not implemented")));
  EXPECT_THAT(watch_.watched(), IsEmpty());
  EXPECT_EQ(Endpoint().generation(), 1u);
}

}  // namespace
}  // namespace vuf
