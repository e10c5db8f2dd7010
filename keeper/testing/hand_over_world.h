// A source at work and a destination that waits.
#ifndef VUFD_KEEPER_TESTING_HAND_OVER_WORLD_H_
#define VUFD_KEEPER_TESTING_HAND_OVER_WORLD_H_

#include <string>

#include "keeper/testing/session_world.h"

namespace vuf::keeper {

struct HandOverWorld {
  HandOverWorld();

  // The safe way from nothing up to a phase; false when it was not reached.
  bool Reach(v1::KeeperSession::Phase phase);
  // The guest's requests are answered through this front-end.
  bool Works(FakeFrontEnd& front_end);

  SessionWorld world;
  FakeFrontEnd& source;
  FakeFrontEnd& destination;
  // What the source saved.
  std::string marker;
};

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_TESTING_HAND_OVER_WORLD_H_
