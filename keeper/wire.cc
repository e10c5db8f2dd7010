#include "keeper/wire.h"

#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

namespace vuf::keeper {

static_assert(sizeof(Header) == 12 && sizeof(VringState) == 8 && sizeof(VringAddr) == 40 &&
              sizeof(MemRegion) == 32 && sizeof(MemTable) == 8 + 8 * 32 && sizeof(LogBase) == 16 &&
              sizeof(DeviceStateFd) == 8);

namespace {

using ControlBuffer = std::array<char, CMSG_SPACE(kMaxFds * sizeof(int))>;

}  // namespace

Connection::Got Connection::Broken(const char* why) {
  problem_ = why;
  return Got::kBroken;
}

// False: there were more descriptors than any message has. Those that did come are closed with the
// message.
bool Connection::TakeFds(const msghdr& control) {
  bool fits = (control.msg_flags & MSG_CTRUNC) == 0;
  msghdr copy = control;
  for (cmsghdr* c = CMSG_FIRSTHDR(&copy); c != nullptr; c = CMSG_NXTHDR(&copy, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int raw;
      memcpy(&raw, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
      Fd fd(raw);
      if (partial_.fd_count == kMaxFds) {
        fits = false;
      } else {
        partial_.Add(std::move(fd));
      }
    }
  }
  return fits;
}

// kMessage: all `wanted` bytes are there.
Connection::Got Connection::ReadBytes(uint8_t* to, size_t wanted, size_t already, bool with_fds) {
  size_t& count = with_fds ? header_bytes_ : payload_bytes_;
  while (already < wanted) {
    alignas(cmsghdr) ControlBuffer buffer;
    iovec part = {to + already, wanted - already};
    msghdr control = {};
    control.msg_iov = &part;
    control.msg_iovlen = 1;
    control.msg_control = buffer.data();
    control.msg_controllen = buffer.size();
    const ssize_t n = recvmsg(fd_.get(), &control, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Got::kNothing;
    if (n < 0) return Broken(strerror(errno));
    if (!TakeFds(control)) return Broken("more descriptors than any message has");
    if (n == 0) {
      return header_bytes_ == 0 ? Got::kClosed : Broken("the connection ended within a message");
    }
    already += static_cast<size_t>(n);
    count = already;
  }
  return Got::kMessage;
}

Connection::Got Connection::Receive(Message& out) {
  if (!open()) return Got::kClosed;
  if (header_bytes_ < sizeof(Header)) {
    const Got got = ReadBytes(reinterpret_cast<uint8_t*>(&partial_.header), sizeof(Header),
                              header_bytes_, true);
    if (got != Got::kMessage) return got;
  }
  if ((partial_.header.flags & kVersionMask) != kVersion) return Broken("not version 1");
  if (partial_.header.size > kMaxPayload) return Broken("the payload is too large");
  const Got got = ReadBytes(partial_.payload.data(), partial_.header.size, payload_bytes_, false);
  if (got != Got::kMessage) return got;
  out = std::move(partial_);
  partial_ = Message();
  header_bytes_ = payload_bytes_ = 0;
  return Got::kMessage;
}

bool Connection::Send(const Message& message) {
  if (!open()) return false;
  iovec parts[2] = {
      {const_cast<Header*>(&message.header), sizeof(Header)},
      {const_cast<uint8_t*>(message.payload.data()), message.header.size},
  };
  alignas(cmsghdr) ControlBuffer buffer = {};
  msghdr control = {};
  control.msg_iov = parts;
  control.msg_iovlen = 2;
  if (message.fd_count > 0) {
    control.msg_control = buffer.data();
    control.msg_controllen = CMSG_SPACE(message.fd_count * sizeof(int));
    cmsghdr* c = CMSG_FIRSTHDR(&control);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(message.fd_count * sizeof(int));
    for (size_t i = 0; i < message.fd_count; ++i) {
      const int raw = message.fds[i].get();
      memcpy(CMSG_DATA(c) + i * sizeof(int), &raw, sizeof(int));
    }
  }
  ssize_t n;
  do {
    n = sendmsg(fd_.get(), &control, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  return n == static_cast<ssize_t>(sizeof(Header) + message.header.size);
}

}  // namespace vuf::keeper
