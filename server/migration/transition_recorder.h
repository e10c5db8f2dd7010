// Remembers every state that the migrations of a test took.
#ifndef VUFD_SERVER_MIGRATION_TRANSITION_RECORDER_H_
#define VUFD_SERVER_MIGRATION_TRANSITION_RECORDER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "server/base/mutex.h"
#include "server/store/store.h"
#include "vuf/v1/migration.pb.h"

namespace vuf {

class TransitionRecorder {
 public:
  using State = v1::Migration::State;
  struct Step {
    State from;
    State to;
    // The migration was left behind by an earlier run of vufd.
    bool left_behind;
  };

  // A run of vufd begins, with what the store has.
  void Begin(Store& store);
  // A migrator's observer. Two threads may tell their changes in the wrong order, so the revision
  // counts.
  void Changed(const v1::Migration& migration);
  std::vector<Step> Steps() const;
  // "" when the table has every step, done by who may do it; otherwise those that are wrong.
  std::string Wrong() const;

 private:
  // One run of vufd: by migration.
  struct Run {
    std::map<std::string, State> left_behind;
    std::map<std::string, std::map<uint64_t, State>> changes;
  };

  mutable Mutex mu_;
  std::vector<Run> runs_ ABSL_GUARDED_BY(mu_);
};

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_TRANSITION_RECORDER_H_
