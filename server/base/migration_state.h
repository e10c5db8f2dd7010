// What agent and client must agree on about a migration's state.
#ifndef VUFD_SERVER_BASE_MIGRATION_STATE_H_
#define VUFD_SERVER_BASE_MIGRATION_STATE_H_

#include "vuf/v1/migration.pb.h"

namespace vuf {

// True for the states a migration never leaves: SUCCEEDED, REFUSED, FAILED, CANCELLED, INTERRUPTED.
// A state this build does not know is not one of them.
inline bool IsFinal(v1::Migration::State state) {
  switch (state) {
    case v1::Migration::STATE_SUCCEEDED:
    case v1::Migration::STATE_REFUSED:
    case v1::Migration::STATE_FAILED:
    case v1::Migration::STATE_CANCELLED:
    case v1::Migration::STATE_INTERRUPTED:
      return true;
    default:
      return false;
  }
}

}  // namespace vuf

#endif  // VUFD_SERVER_BASE_MIGRATION_STATE_H_
