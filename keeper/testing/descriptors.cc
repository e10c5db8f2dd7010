#include "keeper/testing/descriptors.h"

#include <dirent.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstdlib>

namespace vuf::keeper {

size_t OpenDescriptors() {
  DIR* const directory = opendir("/proc/self/fd");
  if (directory == nullptr) abort();
  size_t count = 0;
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count;
}

std::pair<Fd, Fd> SocketPair() {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) abort();
  return {Fd(fds[0]), Fd(fds[1])};
}

Pipe MakePipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) abort();
  return {Fd(fds[0]), Fd(fds[1])};
}

Fd Memory(uint64_t size) {
  Fd out(memfd_create("test", MFD_CLOEXEC));
  if (!out.valid() || ftruncate(out.get(), static_cast<off_t>(size)) != 0) abort();
  return out;
}

Fd EventFd() {
  Fd out(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!out.valid()) abort();
  return out;
}

uint64_t Signalled(const Fd& event) {
  uint64_t count = 0;
  pollfd look = {event.get(), POLLIN, 0};
  if (poll(&look, 1, 0) != 1) return 0;
  return read(event.get(), &count, sizeof count) == sizeof count ? count : 0;
}

bool SameEvent(const Fd& a, const Fd& b) {
  Signalled(b);
  const uint64_t one = 1;
  return write(a.get(), &one, sizeof one) == sizeof one && Signalled(b) == 1;
}

bool SameFile(const Fd& a, const Fd& b) {
  struct stat one;
  struct stat other;
  return fstat(a.get(), &one) == 0 && fstat(b.get(), &other) == 0 && one.st_ino == other.st_ino &&
         one.st_dev == other.st_dev;
}

}  // namespace vuf::keeper
