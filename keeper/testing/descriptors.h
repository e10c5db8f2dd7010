// Descriptors for tests, and how many of them there are.
#ifndef VUFD_KEEPER_TESTING_DESCRIPTORS_H_
#define VUFD_KEEPER_TESTING_DESCRIPTORS_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "keeper/fd.h"

namespace vuf::keeper {

// Open descriptors of this process.
size_t OpenDescriptors();

// Two connected stream sockets.
std::pair<Fd, Fd> SocketPair();

struct Pipe {
  Fd read;
  Fd write;
};
Pipe MakePipe();

// Shared memory of `size` bytes.
Fd Memory(uint64_t size);
Fd EventFd();
// What was signalled since the last call; 0: nothing.
uint64_t Signalled(const Fd& event);
// Do two descriptors name the same file? All eventfds have one inode, so not for them.
bool SameFile(const Fd& a, const Fd& b);
// Do two descriptors name the same eventfd? What was signalled is taken.
bool SameEvent(const Fd& a, const Fd& b);

}  // namespace vuf::keeper

#endif  // VUFD_KEEPER_TESTING_DESCRIPTORS_H_
