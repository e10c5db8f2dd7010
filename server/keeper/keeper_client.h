// The port's adapter: the keeper's control socket (AF_UNIX, SOCK_SEQPACKET).
#ifndef VUFD_SERVER_KEEPER_KEEPER_CLIENT_H_
#define VUFD_SERVER_KEEPER_KEEPER_CLIENT_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/discovery/procfs.h"
#include "server/keeper/keeper.h"
#include "vuf/v1/keeper.pb.h"

namespace vuf {

// Believes an answer only from the process that the address names, and asks an instance that is
// named who it is before it asks it to change anything, on the same connection. INTERNAL: what came
// back is no answer of a keeper, or the keeper itself failed. A call that changes something and
// ends with DEADLINE_EXCEEDED, UNAVAILABLE or INTERNAL may have had its effect.
class SeqpacketKeeper : public KeeperPort {
 public:
  explicit SeqpacketKeeper(std::string proc_root = "/proc") : procfs_(std::move(proc_root)) {}

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
  absl::StatusOr<KeeperFacts> Call(const KeeperAddress& address, const v1::KeeperRequest& request,
                                   absl::Time deadline) const;
  // Connects, makes sure who is there, and asks.
  absl::StatusOr<KeeperFacts> Converse(const KeeperAddress& address,
                                       const v1::KeeperRequest& request, absl::Time deadline) const;
  // FAILED_PRECONDITION unless the process that listens is the one that is named.
  absl::Status CheckPeer(int socket, const ProcessId& expected) const;

  const Procfs procfs_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_KEEPER_KEEPER_CLIENT_H_
