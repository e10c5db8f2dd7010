// Keepers in memory behind the port, for tests of what drives hand-overs.
//
//   FakeKeeper keepers;
//   keepers.Add({"/run/fs0.control", {300, 500}, "k1"});
//   keepers.ConnectFrontEnd("/run/fs0.control", 2000);          // the source's: its QEMU runs
//   ASSERT_TRUE(keepers.Start("/run/fs0.control", 2000).ok());
//   keepers.ConnectFrontEnd("/run/fs0.control", 2001);          // the destination's
//   ... the code under test arms; the test plays the QEMUs ...
//   keepers.Save("/run/fs0.control", 2000);
//   keepers.Load("/run/fs0.control", 2001);
//   ... the code under test fences ...
//   keepers.Start("/run/fs0.control", 2001);
//   EXPECT_THAT(keepers.Actions(), ElementsAre("/run/fs0.control Arm migrations/1", ...));
#ifndef VUFD_SERVER_KEEPER_FAKE_KEEPER_H_
#define VUFD_SERVER_KEEPER_FAKE_KEEPER_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/fake_calls.h"
#include "server/base/mutex.h"
#include "server/keeper/fake_keeper_session.h"
#include "server/keeper/keeper.h"

namespace vuf {

enum class KeeperCall { kLook, kArm, kDisarm, kFence, kReplaceBackEnd };

// Follows proto/vuf/v1/keeper.proto. Thread-safe.
class FakeKeeper : public KeeperPort {
 public:
  // A null `clock`: permits expire in real time.
  explicit FakeKeeper(const Clock* clock = nullptr) : clock_(clock) {}

  using Failure = FakeFailure;

  // A keeper that nobody has connected to. A second one at the same control socket is a new run.
  void Add(const KeeperAddress& address);
  // Nobody answers any more: UNAVAILABLE.
  void Die(const std::string& control_socket);
  void Fail(const std::string& control_socket, KeeperCall call, const Failure& failure);
  // Runs before the call takes effect, without a lock; replaces an earlier one.
  void Before(const std::string& control_socket, KeeperCall call,
              const std::function<void()>& hook);
  // Changes what the keeper tells and is.
  void Change(const std::string& control_socket, const std::function<void(KeeperFacts&)>& change);

  // What a QEMU does; `inode` is the keeper's end of its connection. Refusals are
  // FAILED_PRECONDITION and change nothing but `last_refusal`.
  void ConnectFrontEnd(const std::string& control_socket, uint64_t inode);
  // The keeper ends with its driver, unless a saved marker is outstanding.
  void Disconnect(const std::string& control_socket, uint64_t inode);
  // The source's state is asked for.
  absl::Status Save(const std::string& control_socket, uint64_t inode);
  // The marker that this keeper issued last (INCOMING: a state of the permit's) is presented.
  absl::Status Load(const std::string& control_socket, uint64_t inode);
  absl::Status Start(const std::string& control_socket, uint64_t inode);

  // What the keeper would tell. Also of one that has died.
  KeeperFacts Facts(const std::string& control_socket) const;
  bool Alive(const std::string& control_socket) const;
  // Calls that change something and have been made, refused ones included, in order:
  // "/run/fs0.control Arm PERMIT".
  std::vector<std::string> Actions() const;
  int CallCount(const std::string& control_socket, KeeperCall call) const;
  // What was armed last, also when it is no longer in force.
  KeeperPermit LastPermit(const std::string& control_socket) const;

  absl::StatusOr<KeeperFacts> Look(const KeeperAddress& address, absl::Time deadline) override;
  absl::StatusOr<KeeperFacts> Arm(const KeeperAddress& address, const KeeperPermit& permit,
                                  absl::Time deadline) override;
  absl::StatusOr<KeeperFacts> Disarm(const KeeperAddress& address, const std::string& permit,
                                     absl::Time deadline) override;
  absl::StatusOr<KeeperFacts> Fence(const KeeperAddress& address, const std::string& permit,
                                    absl::Time deadline) override;
  absl::StatusOr<KeeperFacts> ReplaceBackEnd(const KeeperAddress& address,
                                             const std::string& socket_path,
                                             absl::Time deadline) override;

 private:
  struct Keeper {
    KeeperAddress address;
    bool alive = true;
    FakeKeeperSession session;
  };
  using Effect = std::function<absl::Status(FakeKeeperSession&)>;

  absl::Time Now() const { return clock_ == nullptr ? absl::Now() : clock_->Now(); }
  Keeper& At(const std::string& control_socket) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  const Keeper& At(const std::string& control_socket) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Everything that a call has in common; `effect` runs under the lock.
  absl::StatusOr<KeeperFacts> Call(const KeeperAddress& address, KeeperCall call,
                                   const std::string& argument, absl::Time deadline,
                                   const Effect& effect) ABSL_LOCKS_EXCLUDED(mu_);
  // What a front-end does; a refusal is remembered.
  absl::Status Act(const std::string& control_socket, const Effect& effect)
      ABSL_LOCKS_EXCLUDED(mu_);

  const Clock* const clock_;
  mutable Mutex mu_;
  std::map<std::string, Keeper> keepers_ ABSL_GUARDED_BY(mu_);
  FakeCalls<KeeperCall> calls_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> actions_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vuf

#endif  // VUFD_SERVER_KEEPER_FAKE_KEEPER_H_
