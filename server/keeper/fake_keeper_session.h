// One keeper's session and the permission for one hand-over of it, as keeper.proto has them.
#ifndef VUFD_SERVER_KEEPER_FAKE_KEEPER_SESSION_H_
#define VUFD_SERVER_KEEPER_FAKE_KEEPER_SESSION_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/keeper/keeper.h"
#include "server/model/back_end.h"

namespace vuf {

// A refusal is FAILED_PRECONDITION and changes nothing.
struct FakeKeeperSession {
  // What the control service is asked for.
  absl::Status Arm(const KeeperPermit& asked, absl::Time now);
  absl::Status Disarm(const std::string& asked);
  absl::Status Fence(const std::string& asked);
  absl::Status ReplaceBackEnd();
  // What the front-end behind `inode` does.
  absl::Status Save(uint64_t inode, absl::Time now);
  absl::Status Load(uint64_t inode, absl::Time now);
  absl::Status Start(uint64_t inode);
  // False: the session is over.
  bool Disconnect(uint64_t inode);

  KeeperFacts facts;
  // What was armed last, also when it is no longer in force.
  KeeperPermit permit;
  absl::Time expires;

 private:
  // 0: no front-end has it.
  uint64_t WithRole(KeeperFacts::Role role) const;
  void SetRole(uint64_t inode, KeeperFacts::Role role);
  // No permit is in force any more.
  void Clear();
  absl::Status InForce(const std::string& asked) const;
  // The permit in force is asked for again.
  absl::Status Renew(const KeeperPermit& asked) const;
};

}  // namespace vuf

#endif  // VUFD_SERVER_KEEPER_FAKE_KEEPER_SESSION_H_
