// The port to a vuf-keeper: the permission for one hand-over of the session it keeps.
#ifndef VUFD_SERVER_KEEPER_KEEPER_H_
#define VUFD_SERVER_KEEPER_KEEPER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/model/back_end.h"
#include "server/model/process.h"
#include "server/model/verdict.h"

namespace vuf {

// Where a keeper is asked, and who must be the one that answers.
struct KeeperAddress {
  // As vufd reaches it (through /proc/PID/root for a keeper in another mount namespace).
  std::string control_socket;
  // The process that serves the endpoint. A control socket that another one listens on is refused.
  ProcessId process;
  // KeeperFacts::instance; empty: not known yet. Another instance is refused: FAILED_PRECONDITION.
  std::string instance;
};

// What is permitted; the fields are those of vuf.v1.KeeperArm.
struct KeeperPermit {
  enum class Direction { kOutgoing, kIncoming };
  std::string permit;
  Mode mode = Mode::kNone;
  Direction direction = Direction::kOutgoing;
  absl::Duration ttl;
  uint64_t source_inode = 0;
  uint64_t destination_inode = 0;
};

// Every call connects, asks once and ends by `deadline`: DEADLINE_EXCEEDED. UNAVAILABLE: nobody
// answers there. FAILED_PRECONDITION: the keeper refused (its words are quoted) or is not the one
// that `address` names. Thread-safe.
class KeeperPort {
 public:
  virtual ~KeeperPort() = default;

  // Changes nothing.
  virtual absl::StatusOr<KeeperFacts> Look(const KeeperAddress& address, absl::Time deadline) = 0;
  virtual absl::StatusOr<KeeperFacts> Arm(const KeeperAddress& address, const KeeperPermit& permit,
                                          absl::Time deadline) = 0;
  // OK when this permit is not in force and was not used. FAILED_PRECONDITION: it was: the other
  // front-end drives.
  virtual absl::StatusOr<KeeperFacts> Disarm(const KeeperAddress& address,
                                             const std::string& permit, absl::Time deadline) = 0;
  virtual absl::StatusOr<KeeperFacts> Fence(const KeeperAddress& address, const std::string& permit,
                                            absl::Time deadline) = 0;
  // Moves the session to the back-end at `socket_path` (as the keeper sees it).
  virtual absl::StatusOr<KeeperFacts> ReplaceBackEnd(const KeeperAddress& address,
                                                     const std::string& socket_path,
                                                     absl::Time deadline) = 0;
};

}  // namespace vuf

#endif  // VUFD_SERVER_KEEPER_KEEPER_H_
