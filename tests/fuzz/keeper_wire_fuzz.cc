// Whatever a front-end writes into its socket, in whatever pieces, with whatever descriptors.
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "keeper/testing/descriptors.h"
#include "keeper/wire.h"

namespace vuf::keeper {
namespace {

constexpr size_t kMostFds = 12;

void Send(const Fd& socket, const uint8_t* bytes, size_t size, size_t fds) {
  static const Fd event = EventFd();
  int raw[kMostFds];
  std::fill_n(raw, kMostFds, event.get());
  char buffer[CMSG_SPACE(sizeof raw)] = {};
  iovec part = {const_cast<uint8_t*>(bytes), size};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fds > 0) {
    message.msg_control = buffer;
    message.msg_controllen = CMSG_SPACE(fds * sizeof(int));
    cmsghdr* const c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fds * sizeof(int));
    memcpy(CMSG_DATA(c), raw, fds * sizeof(int));
  }
  (void)sendmsg(socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// Everything that can be received now, as text. False: the connection is over.
bool Drain(Connection& connection, std::string& out) {
  while (true) {
    Message message;
    switch (connection.Receive(message)) {
      case Connection::Got::kMessage:
        if (message.header.size > kMaxPayload || message.fd_count > kMaxFds) abort();
        out += std::to_string(message.header.request) + ":";
        out.append(message.payload.begin(), message.payload.begin() + message.header.size);
        break;
      case Connection::Got::kNothing:
        return true;
      case Connection::Got::kClosed:
      case Connection::Got::kBroken:
        return false;
    }
  }
}

// The first byte of each piece says how long it is and how many descriptors come with it.
std::string Pieces(const uint8_t* data, size_t size, bool with_fds, std::string* bytes) {
  auto [here, there] = SocketPair();
  Connection connection(std::move(here));
  std::string out;
  bool open = true;
  while (open && size > 1) {
    const size_t fds = with_fds ? std::min<size_t>(data[0] >> 4, kMostFds) : 0;
    const size_t length = std::min<size_t>(size - 1, 1 + 3 * (data[0] & 15));
    Send(there, data + 1, length, fds);
    bytes->append(reinterpret_cast<const char*>(data + 1), length);
    data += 1 + length;
    size -= 1 + length;
    open = Drain(connection, out);
  }
  there.Close();
  if (open && Drain(connection, out)) abort();
  return out;
}

std::string OnePiece(const std::string& bytes) {
  auto [here, there] = SocketPair();
  Connection connection(std::move(here));
  Send(there, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), 0);
  there.Close();
  std::string out;
  Drain(connection, out);
  return out;
}

void Run(const uint8_t* data, size_t size) {
  const size_t before = OpenDescriptors();
  std::string bytes;
  Pieces(data, size, true, &bytes);
  bytes.clear();
  const std::string in_pieces = Pieces(data, size, false, &bytes);
  if (in_pieces != OnePiece(bytes)) abort();
  // One is Send's, which stays.
  if (OpenDescriptors() > before + 1) abort();
}

}  // namespace
}  // namespace vuf::keeper

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  vuf::keeper::Run(data, std::min<size_t>(size, 4096));
  return 0;
}
