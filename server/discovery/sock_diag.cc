#include "server/discovery/sock_diag.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace vuf {
namespace {

constexpr size_t kMaxSockets = 1 << 20;
constexpr int kAttempts = 3;
// MAX_ERRNO of the kernel (include/linux/err.h).
constexpr int32_t kMaxErrno = 4095;
// TCP_ESTABLISHED and TCP_LISTEN, which unix sockets borrow.
constexpr int kEstablished = 1;
constexpr int kListen = 10;

// Reads a T at the front of `bytes`; alignment is the kernel's business, not ours.
template <typename T>
bool Peek(absl::string_view bytes, T& value) {
  if (bytes.size() < sizeof(T)) return false;
  memcpy(&value, bytes.data(), sizeof(T));
  return true;
}

// The kernel's own dev_t is major << 20 | minor, not what stat(2) returns.
uint64_t StatDevice(uint32_t kernel_device) {
  return makedev(kernel_device >> 20, kernel_device & 0xfffff);
}

void ApplyAttribute(uint16_t type, absl::string_view payload, UnixSocket& socket) {
  uint32_t number = 0;
  unix_diag_vfs vfs;
  switch (type) {
    case UNIX_DIAG_NAME:
      // A file's name comes with its NUL; in an abstract name every byte counts.
      if (!payload.empty() && payload[0] != '\0') payload = payload.substr(0, payload.find('\0'));
      socket.name = std::string(payload);
      break;
    case UNIX_DIAG_VFS:
      if (Peek(payload, vfs))
        socket.file = FileId{StatDevice(vfs.udiag_vfs_dev), vfs.udiag_vfs_ino};
      break;
    case UNIX_DIAG_PEER:
      if (Peek(payload, number)) socket.peer = number;
      break;
    case UNIX_DIAG_ICONS:
      for (; Peek(payload, number); payload.remove_prefix(sizeof(number))) {
        socket.waiting.push_back(number);
      }
      break;
    default:
      break;
  }
}

absl::StatusOr<UnixSocket> ParseSocket(absl::string_view body) {
  unix_diag_msg message;
  if (!Peek(body, message)) return absl::DataLossError("a unix_diag message is cut short");
  UnixSocket socket;
  socket.inode = message.udiag_ino;
  socket.stream = message.udiag_type == SOCK_STREAM;
  socket.listening = message.udiag_state == kListen;
  socket.established = message.udiag_state == kEstablished;
  body.remove_prefix(sizeof(message));
  rtattr attribute;
  while (Peek(body, attribute)) {
    if (attribute.rta_len < RTA_LENGTH(0) || attribute.rta_len > body.size()) {
      return absl::DataLossError("an attribute of a unix_diag message is cut short");
    }
    ApplyAttribute(attribute.rta_type & NLA_TYPE_MASK,
                   body.substr(RTA_LENGTH(0), attribute.rta_len - RTA_LENGTH(0)), socket);
    body.remove_prefix(std::min<size_t>(RTA_ALIGN(attribute.rta_len), body.size()));
  }
  if (!body.empty()) return absl::DataLossError("a unix_diag message ends in the middle");
  return socket;
}

// `outcome` is a negative errno, or whatever else stands in its place: then its sign cannot be
// turned.
absl::Status OutcomeStatus(int32_t outcome, absl::string_view what) {
  if (outcome < -kMaxErrno || outcome > 0) {
    return absl::DataLossError(absl::StrCat(what, ": ", outcome, " is no error of the kernel"));
  }
  return absl::ErrnoToStatus(-outcome, what);
}

absl::Status KernelError(absl::string_view body) {
  nlmsgerr error;
  if (!Peek(body, error)) return absl::DataLossError("an error of the kernel is cut short");
  return OutcomeStatus(error.error, "the kernel refuses to list unix sockets");
}

absl::Status AddMessage(const nlmsghdr& header, absl::string_view body, UnixSocketDump& dump) {
  if ((header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) dump.interrupted = true;
  if (header.nlmsg_type == NLMSG_DONE) {
    // The dump's own outcome, unless it has none: a negative errno when it was abandoned.
    int32_t outcome = 0;
    Peek(body, outcome);
    absl::Status status = OutcomeStatus(outcome, "the kernel abandoned the list of unix sockets");
    dump.done = status.ok();
    return status;
  }
  if (header.nlmsg_type == NLMSG_ERROR) return KernelError(body);
  if (header.nlmsg_type == NLMSG_OVERRUN) return absl::DataLossError("the kernel lost messages");
  if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY) return absl::OkStatus();
  absl::StatusOr<UnixSocket> socket = ParseSocket(body);
  if (!socket.ok()) return socket.status();
  if (dump.sockets.size() >= kMaxSockets) {
    return absl::ResourceExhaustedError(absl::StrCat("more than ", kMaxSockets, " unix sockets"));
  }
  dump.sockets.push_back(*std::move(socket));
  return absl::OkStatus();
}

absl::Status Ask(int fd, uint32_t sequence) {
  struct {
    nlmsghdr header;
    unix_diag_req request;
  } message = {};
  message.header.nlmsg_len = sizeof(message);
  message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  message.header.nlmsg_seq = sequence;
  message.request.sdiag_family = AF_UNIX;
  message.request.udiag_states = ~0U;
  message.request.udiag_show =
      UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS;
  if (send(fd, &message, sizeof(message), 0) != static_cast<ssize_t>(sizeof(message))) {
    return absl::ErrnoToStatus(errno, "ask the kernel for unix sockets");
  }
  return absl::OkStatus();
}

absl::Status SetTimeout(int fd, absl::Time deadline) {
  const absl::Duration left = deadline - absl::Now();
  if (left <= absl::ZeroDuration()) {
    return absl::DeadlineExceededError("no time left to list unix sockets");
  }
  // A second at a time is enough to notice the deadline, and a zero would mean for ever.
  const timeval timeout =
      absl::ToTimeval(std::clamp(left, absl::Milliseconds(1), absl::Seconds(1)));
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) != 0) {
    return absl::ErrnoToStatus(errno, "bound the wait for unix sockets");
  }
  return absl::OkStatus();
}

absl::StatusOr<UnixSocketDump> DumpOnce(absl::Time deadline, uint32_t sequence) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) return absl::ErrnoToStatus(errno, "open NETLINK_SOCK_DIAG");
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  if (absl::Status asked = Ask(fd, sequence); !asked.ok()) return asked;
  UnixSocketDump dump;
  std::string buffer(64 << 10, '\0');
  while (!dump.done) {
    if (absl::Status bounded = SetTimeout(fd, deadline); !bounded.ok()) return bounded;
    // MSG_TRUNC: the real length, so that a datagram that does not fit is noticed.
    const ssize_t n = recv(fd, buffer.data(), buffer.size(), MSG_TRUNC);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return absl::ErrnoToStatus(errno, "read the list of unix sockets");
    if (static_cast<size_t>(n) > buffer.size()) {
      return absl::DataLossError("a datagram of unix sockets did not fit");
    }
    absl::Status parsed = ParseUnixDiag(absl::string_view(buffer.data(), n), sequence, dump);
    if (!parsed.ok()) return parsed;
  }
  return dump;
}

}  // namespace

absl::Status ParseUnixDiag(absl::string_view datagram, uint32_t sequence, UnixSocketDump& dump) {
  nlmsghdr header;
  while (!dump.done && Peek(datagram, header)) {
    if (header.nlmsg_len < NLMSG_HDRLEN || header.nlmsg_len > datagram.size()) {
      return absl::DataLossError("a netlink message is cut short");
    }
    if (header.nlmsg_seq == sequence) {
      const absl::string_view body = datagram.substr(NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN);
      if (absl::Status added = AddMessage(header, body, dump); !added.ok()) return added;
    }
    datagram.remove_prefix(std::min<size_t>(NLMSG_ALIGN(header.nlmsg_len), datagram.size()));
  }
  if (!dump.done && !datagram.empty()) {
    return absl::DataLossError("a netlink datagram ends in the middle of a message");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<UnixSocket>> NetlinkSocketTable::List(absl::Time deadline) {
  for (int attempt = 1; attempt <= kAttempts; ++attempt) {
    absl::StatusOr<UnixSocketDump> dump = DumpOnce(deadline, static_cast<uint32_t>(attempt));
    if (!dump.ok()) return dump.status();
    if (!dump->interrupted) return std::move(dump->sockets);
  }
  return absl::UnavailableError("the unix sockets kept changing while they were listed");
}

}  // namespace vuf
