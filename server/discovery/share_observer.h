// What a virtiofsd shares: the directory as the process itself sees it, and what is in it.
#ifndef VUFD_SERVER_DISCOVERY_SHARE_OBSERVER_H_
#define VUFD_SERVER_DISCOVERY_SHARE_OBSERVER_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/discovery/discovery.h"
#include "server/discovery/open_files.h"
#include "server/discovery/procfs.h"
#include "server/model/back_end.h"

namespace vuf {

class ShareObserver {
 public:
  ShareObserver(const Procfs* procfs, const Clock* clock) : procfs_(procfs), clock_(clock) {}

  // Fills `share`, `file_handles`, `submounts` and `open_files`, given `kind` and `options`.
  void Observe(int pid, Look look, absl::Time deadline, BackEndFacts& facts) const;

 private:
  // Where the share is.
  struct Place {
    // As the process would say it, and as vufd reads it in the links of descriptors.
    std::string path;
    std::string real_path;
    FileId root;
    Mount mount;
    // Mounts below it, as the process sees them, in a form that does not depend on who looks.
    absl::StatusOr<std::set<std::string>> submounts;
    std::set<uint64_t> mount_ids;
  };

  static void AddSubmounts(const absl::StatusOr<std::vector<Mount>>& mounts, bool confined,
                           Place& place);
  absl::StatusOr<Place> Find(int pid, const BackEndFacts& facts) const;
  void ObserveOpenFiles(int pid, const Place& place, absl::Time deadline,
                        BackEndFacts& facts) const;

  const Procfs* const procfs_;
  const Clock* const clock_;
};

}  // namespace vuf

#endif  // VUFD_SERVER_DISCOVERY_SHARE_OBSERVER_H_
