#include "server/migration/transitions.h"

#include <algorithm>

namespace vuf {

const std::vector<Transition>& MigrationTransitions() {
  using T = Transition;
  constexpr unsigned kCreate = T::kCreate;
  constexpr unsigned kCancel = T::kCancel;
  constexpr unsigned kRun = T::kRun;
  constexpr unsigned kLoad = T::kLoad;
  constexpr unsigned kSettle = T::kSettle;
  constexpr unsigned kRemote = T::kRemote;
  constexpr unsigned kQueue = T::kQueue;
  constexpr T::Kept kWritten = T::Kept::kWritten;
  constexpr T::Kept kShown = T::Kept::kShown;
#define MIGRATION_TRANSITION(from, to, who, kept, when) \
  {v1::Migration::STATE_##from, v1::Migration::STATE_##to, who, kept, when},
  static const auto& table = *new std::vector<Transition>{
#include "server/migration/transitions.inc"
  };
  return table;
}

const Transition* FindTransition(v1::Migration::State from, v1::Migration::State to) {
  const std::vector<Transition>& table = MigrationTransitions();
  const auto it = std::find_if(table.begin(), table.end(), [&](const Transition& one) {
    return one.from == from && one.to == to;
  });
  return it == table.end() ? nullptr : &*it;
}

}  // namespace vuf
