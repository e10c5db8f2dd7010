#include "keeper/testing/hand_over_world.h"

#include <cstdlib>

namespace vuf::keeper {

HandOverWorld::HandOverWorld() : source(world.Driver()), destination(world.ConnectCopyOf(source)) {
  source.Submit(1, 9);
  world.Run();
  if (!destination.Realize()) abort();
}

bool HandOverWorld::Reach(v1::KeeperSession::Phase phase) {
  using Session = v1::KeeperSession;
  if (phase >= Session::PHASE_ARMED &&
      !world.session->Arm(world.PermitFor(source, destination)).ok()) {
    return false;
  }
  if (phase >= Session::PHASE_SAVED) {
    if (!source.Stop()) return false;
    marker = source.Save().value_or("");
    world.CopyGuest(source, destination);
  }
  if (phase >= Session::PHASE_LOADED && !destination.Load(marker)) return false;
  return world.Phase() == phase;
}

bool HandOverWorld::Works(FakeFrontEnd& front_end) {
  const uint16_t before = front_end.Used(1);
  front_end.Submit(1, 2);
  world.Run();
  return front_end.Used(1) == static_cast<uint16_t>(before + 2);
}

}  // namespace vuf::keeper
