// What state a migration may take after another one. The table is transitions.inc.
#ifndef VUFD_SERVER_MIGRATION_TRANSITIONS_H_
#define VUFD_SERVER_MIGRATION_TRANSITIONS_H_

#include <vector>

#include "absl/strings/string_view.h"
#include "vuf/v1/migration.pb.h"

namespace vuf {

struct Transition {
  // Who may do it, as bits; transitions.inc says who is who.
  enum Who : unsigned {
    kCreate = 1,
    kCancel = 2,
    kRun = 4,
    kLoad = 8,
    kSettle = 16,
    kRemote = 32,
    kQueue = 64
  };
  enum class Kept { kWritten, kShown };

  v1::Migration::State from;
  v1::Migration::State to;
  unsigned who;
  Kept kept;
  absl::string_view when;
};

const std::vector<Transition>& MigrationTransitions();
// Null: there is no such transition. Staying in a state is none.
const Transition* FindTransition(v1::Migration::State from, v1::Migration::State to);

}  // namespace vuf

#endif  // VUFD_SERVER_MIGRATION_TRANSITIONS_H_
