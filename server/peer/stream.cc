#include "server/peer/stream.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"

namespace vuf {
namespace {

// How long one connection may take to say its token; others wait meanwhile.
constexpr absl::Duration kTokenTime = absl::Seconds(1);

std::string LastError(absl::string_view call) { return absl::StrCat(call, ": ", strerror(errno)); }

// Calls `use` with each address that the numeric `host` and `service` stand for, until it is OK.
template <typename Use>
auto WithAddress(const std::string& host, const std::string& service, int flags, Use use)
    -> decltype(use(static_cast<const addrinfo&>(addrinfo{}))) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | flags;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), service.c_str(), &hints, &found);
  if (error != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "\"", host, "\" port \"", service, "\" is no numeric address: ", gai_strerror(error)));
  }
  const absl::Cleanup free = [found] { freeaddrinfo(found); };
  return use(*found);
}

// False: not before `deadline`.
bool AwaitReady(int fd, short events, absl::Time deadline) {
  pollfd poll_fd = {fd, events, 0};
  while (true) {
    const int64_t left = std::max<int64_t>(0, absl::ToInt64Milliseconds(deadline - absl::Now()));
    const int ready = poll(&poll_fd, 1, static_cast<int>(std::min<int64_t>(left, 60'000)));
    if (ready > 0) return true;
    if (ready == 0 && absl::Now() >= deadline) return false;
    if (ready < 0 && errno != EINTR) return false;
  }
}

// Whether the peer begins with `token`. Reads not a byte more: QEMU reads the rest.
bool SaysToken(int fd, const std::string& token, absl::Time deadline) {
  std::string said(token.size(), '\0');
  size_t got = 0;
  while (got < said.size()) {
    if (!AwaitReady(fd, POLLIN, deadline)) return false;
    const ssize_t n = recv(fd, said.data() + got, said.size() - got, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return false;
    if (n > 0) got += static_cast<size_t>(n);
  }
  return said == token;
}

absl::Status Send(int fd, const std::string& bytes, absl::Time deadline) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    if (!AwaitReady(fd, POLLOUT, deadline)) {
      return absl::UnavailableError("the destination's agent takes nothing from the stream");
    }
    const ssize_t n =
        send(fd, bytes.data() + sent, bytes.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
      return absl::UnavailableError(LastError("send"));
    }
    if (n > 0) sent += static_cast<size_t>(n);
  }
  return absl::OkStatus();
}

absl::StatusOr<OwnedFd> Connect(const addrinfo& address, absl::Time deadline) {
  OwnedFd fd(socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return absl::UnavailableError(LastError("socket"));
  if (connect(fd.get(), address.ai_addr, address.ai_addrlen) != 0 && errno != EINPROGRESS) {
    return absl::UnavailableError(LastError("connect"));
  }
  if (!AwaitReady(fd.get(), POLLOUT, deadline)) {
    return absl::UnavailableError("nobody answers in time");
  }
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return absl::UnavailableError(strerror(error));
  // As QEMU expects a descriptor that it is given.
  if (fcntl(fd.get(), F_SETFL, 0) != 0) return absl::UnavailableError(LastError("fcntl"));
  return fd;
}

absl::StatusOr<OwnedFd> Listen(const addrinfo& address) {
  OwnedFd fd(socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return absl::FailedPreconditionError(LastError("socket"));
  if (bind(fd.get(), address.ai_addr, address.ai_addrlen) != 0) {
    return absl::FailedPreconditionError(LastError("bind"));
  }
  if (listen(fd.get(), 4) != 0) return absl::FailedPreconditionError(LastError("listen"));
  return fd;
}

absl::StatusOr<std::string> BoundTo(int fd, const std::string& host) {
  sockaddr_storage bound = {};
  socklen_t size = sizeof bound;
  char port[NI_MAXSERV];
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0 ||
      getnameinfo(reinterpret_cast<sockaddr*>(&bound), size, nullptr, 0, port, sizeof port,
                  NI_NUMERICSERV) != 0) {
    return absl::InternalError(LastError("getsockname"));
  }
  const bool brackets = host.find(':') != std::string::npos;
  return absl::StrCat(brackets ? "[" : "", host, brackets ? "]" : "", ":", port);
}

}  // namespace

OwnedFd::~OwnedFd() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<std::unique_ptr<StreamListener>> StreamListener::Open(const std::string& host) {
  absl::StatusOr<OwnedFd> fd =
      WithAddress(host, "0", AI_PASSIVE, [](const addrinfo& address) { return Listen(address); });
  if (!fd.ok()) return fd.status();
  absl::StatusOr<std::string> address = BoundTo(fd->get(), host);
  if (!address.ok()) return address.status();
  return std::unique_ptr<StreamListener>(new StreamListener(*std::move(fd), *std::move(address)));
}

absl::StatusOr<OwnedFd> StreamListener::Accept(const std::string& token, absl::Time deadline) {
  while (AwaitReady(fd_.get(), POLLIN, deadline)) {
    OwnedFd stream(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (stream.get() < 0) continue;
    if (SaysToken(stream.get(), token, std::min(deadline, absl::Now() + kTokenTime))) {
      return stream;
    }
  }
  return absl::DeadlineExceededError(
      absl::StrCat("nobody came to ", address_, " with the stream's token"));
}

absl::StatusOr<OwnedFd> ConnectStream(const std::string& address, const std::string& token,
                                      absl::Time deadline) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) {
    return absl::FailedPreconditionError(
        absl::StrCat("\"", address, "\" is not of the form HOST:PORT"));
  }
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  absl::StatusOr<OwnedFd> fd =
      WithAddress(host, address.substr(colon + 1), 0,
                  [&](const addrinfo& found) { return Connect(found, deadline); });
  absl::Status sent = fd.ok() ? Send(fd->get(), token, deadline) : fd.status();
  if (sent.ok()) return fd;
  return absl::Status(sent.code(), absl::StrCat("the stream to ", address, ": ", sent.message()));
}

}  // namespace vuf
