// One QEMU's connection: the device as that QEMU wants it.
#ifndef VUFD_KEEPER_FRONT_END_H_
#define VUFD_KEEPER_FRONT_END_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "keeper/fd.h"
#include "keeper/marker.h"
#include "keeper/memory.h"
#include "keeper/wire.h"

namespace vuf::keeper {

// A virtqueue as the front-end described it.
struct Ring {
  uint32_t size = 0;
  uint32_t base = 0;
  bool has_address = false;
  VringAddr address;
  Fd kick;
  Fd call;
  Fd error;
  bool enabled = false;
  // The base when the back-end was last asked to stop. Unless the front-end has named another one
  // since, the base is what the back-end answers.
  uint32_t base_at_stop = 0;
};

// State that is arriving (SET_DEVICE_STATE_FD, direction load).
struct Load {
  enum class Stage {
    kNone,
    kMarker,     // its first bytes are read
    kEnd,        // the marker was all there should be
    kForwarded,  // the back-end reads the rest
    kRefused,
  };
  Stage stage = Stage::kNone;
  Fd pipe;
  MarkerBytes bytes = {};
  size_t have = 0;
  // The back-end did not want to read the rest.
  bool failed = false;
};

struct FrontEnd {
  // Not the slot's, which is used again: a late answer must not find somebody else.
  uint32_t id = 0;
  Connection connection;
  uint64_t inode = 0;
  // Of who connected, in the keeper's pid namespace; 0: not visible.
  int pid = 0;

  uint64_t features = 0;
  GuestMemory memory;
  LogBase log;
  Fd log_fd;
  std::array<Ring, kMaxRings> rings;

  // Has lost the session for good.
  bool fenced = false;
  // At its last stop a request was still under way.
  bool undrained = false;
  // The message that is being worked on; until it is answered nothing more is read.
  bool busy = false;
  uint32_t request = 0;
  bool need_reply = false;
  // What CHECK_DEVICE_STATE is answered after a stateless save.
  uint64_t save_result = 1;
  // The save is the back-end's own.
  bool save_forwarded = false;
  Load load;
};

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_FRONT_END_H_
