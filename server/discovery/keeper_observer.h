// Back-ends that are keepers: what they say, and who serves behind them.
#ifndef VUFD_SERVER_DISCOVERY_KEEPER_OBSERVER_H_
#define VUFD_SERVER_DISCOVERY_KEEPER_OBSERVER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/discovery/discovery.h"
#include "server/discovery/process_observer.h"
#include "server/discovery/procfs.h"
#include "server/discovery/socket_holders.h"
#include "server/discovery/socket_view.h"
#include "server/keeper/keeper.h"
#include "server/model/back_end.h"

namespace vuf {

// The value of --control-socket. NOT_FOUND: there is none, or no path.
absl::StatusOr<std::string> ControlSocketOption(const std::vector<std::string>& arguments);

class KeeperObserver {
 public:
  // A null `keepers`: no keeper can be asked.
  KeeperObserver(const Procfs* procfs, const ProcessObserver* processes, HolderFinder* holders,
                 KeeperPort* keepers, const Clock* clock)
      : procfs_(procfs),
        processes_(processes),
        holders_(holders),
        keepers_(keepers),
        clock_(clock) {}

  // For those of `back_ends` whose process is known and is a keeper: `keeper`, `kept`, kind and
  // version; options and share are those of the back-end behind it. Others are left alone.
  void Observe(const std::vector<BackEndFacts*>& back_ends, const SocketView& view, Look look,
               absl::Time deadline) const;

 private:
  // The keeper's control socket as vufd reaches it.
  absl::StatusOr<std::string> ControlSocket(int pid) const;
  void Ask(absl::Time deadline, BackEndFacts& facts) const;
  // The other end of the keeper's connection to its back-end.
  absl::StatusOr<uint64_t> KeptSocket(const BackEndFacts& facts, const SocketView& view) const;
  void ObserveKept(const absl::StatusOr<uint64_t>& socket,
                   const absl::StatusOr<SocketHolders>& holders, Look look, absl::Time deadline,
                   BackEndFacts& facts) const;

  const Procfs* const procfs_;
  const ProcessObserver* const processes_;
  HolderFinder* const holders_;
  KeeperPort* const keepers_;
  const Clock* const clock_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_KEEPER_OBSERVER_H_
