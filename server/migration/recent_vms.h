// VMs as they were seen just now, by their monitors: QEMU need not be asked twice for what cannot
// have changed (Hypervisor::ObserveAgain).
#ifndef VUFD_SERVER_MIGRATION_RECENT_VMS_H_
#define VUFD_SERVER_MIGRATION_RECENT_VMS_H_

#include <map>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/model/vm.h"

namespace vuf {

// Thread-safe. Holds what was put just now (IsJustNow), and no more than there is room for.
class RecentVms {
 public:
  void Put(const VmFacts& facts, absl::Time now) ABSL_LOCKS_EXCLUDED(mu_);
  std::optional<VmFacts> Get(const std::string& qmp_socket, absl::Time now) const
      ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Seen {
    VmFacts facts;
    absl::Time at;
  };

  mutable Mutex mu_;
  std::map<std::string, Seen> seen_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_RECENT_VMS_H_
