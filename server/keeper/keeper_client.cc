#include "server/keeper/keeper_client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/wait_ready.h"
#include "server/keeper/keeper_messages.h"

namespace vuf {
namespace {

constexpr size_t kMaxPacket = 64 << 10;

absl::Status ConnectError(int error) {
  const std::string why = std::strerror(error);
  switch (error) {
    case EACCES:
    case EPERM:
      return absl::FailedPreconditionError("vufd may not connect: " + why);
    case EPROTOTYPE:
      return absl::FailedPreconditionError("it is no socket of a keeper: " + why);
    default:
      return absl::UnavailableError("nobody answers: " + why);
  }
}

// `socket` is non-blocking. The path may be longer than an address can hold, as one through
// /proc/PID/root is soon: the connection goes through a descriptor of the file.
absl::Status Connect(int socket, const std::string& path, absl::Time deadline) {
  const int file = open(path.c_str(), O_PATH | O_CLOEXEC);
  if (file < 0) return ConnectError(errno);
  const auto close_file = absl::MakeCleanup([file] { close(file); });
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", file);
  while (connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const int error = errno;
    if (error != EAGAIN && error != EINTR) return ConnectError(error);
    // A full backlog. The kernel offers no way to wait for room in it.
    constexpr absl::Duration kPause = absl::Milliseconds(20);
    if (absl::Now() + kPause >= deadline) {
      return absl::DeadlineExceededError("it accepts no connection");
    }
    absl::SleepFor(kPause);
  }
  return absl::OkStatus();
}

absl::Status Send(int socket, const std::string& packet, absl::Time deadline) {
  while (send(socket, packet.data(), packet.size(), MSG_NOSIGNAL) < 0) {
    const int error = errno;
    if (error == EINTR) continue;
    if (error != EAGAIN) {
      return absl::UnavailableError(absl::StrCat("the keeper is gone: ", std::strerror(error)));
    }
    if (absl::Status ready = WaitReady(socket, POLLOUT, deadline); !ready.ok()) return ready;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Receive(int socket, absl::Time deadline) {
  std::string packet(kMaxPacket, '\0');
  while (true) {
    if (absl::Status ready = WaitReady(socket, POLLIN, deadline); !ready.ok()) return ready;
    // MSG_TRUNC: the real length, so that a packet that does not fit is noticed.
    const ssize_t n = recv(socket, packet.data(), packet.size(), MSG_TRUNC);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) {
      return absl::UnavailableError(absl::StrCat("the keeper is gone: ", std::strerror(errno)));
    }
    if (n == 0) return absl::UnavailableError("the keeper ended the connection without an answer");
    if (static_cast<size_t>(n) > kMaxPacket) {
      return absl::InternalError(
          absl::StrCat("its answer of ", n, " bytes is longer than ", kMaxPacket));
    }
    packet.resize(static_cast<size_t>(n));
    return packet;
  }
}

absl::StatusOr<KeeperFacts> Exchange(int socket, const v1::KeeperRequest& request,
                                     absl::Time deadline) {
  const std::string packet = request.SerializeAsString();
  if (packet.size() > kMaxPacket) {
    return absl::InvalidArgumentError(absl::StrCat("the request has ", packet.size(), " bytes"));
  }
  if (absl::Status sent = Send(socket, packet, deadline); !sent.ok()) return sent;
  const absl::StatusOr<std::string> answer = Receive(socket, deadline);
  if (!answer.ok()) return answer.status();
  return ParseKeeperResponse(*answer);
}

v1::KeeperRequest LookRequest() {
  v1::KeeperRequest request;
  request.mutable_get_session();
  return request;
}

}  // namespace

absl::Status SeqpacketKeeper::CheckPeer(int socket, const ProcessId& expected) const {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("it cannot be told who listens: ", std::strerror(errno)));
  }
  if (peer.pid <= 0 || peer.pid != expected.pid) {
    return absl::FailedPreconditionError(absl::StrCat(
        "process ", peer.pid, " listens there, not the keeper, process ", expected.pid));
  }
  const absl::StatusOr<ProcStat> stat = procfs_.Stat(peer.pid);
  if (!stat.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("process ", peer.pid, ": ", stat.status().message()));
  }
  if (stat->start_ticks != expected.start_ticks) {
    return absl::FailedPreconditionError(
        absl::StrCat("process ", peer.pid, " is not the keeper: it started at another time"));
  }
  return absl::OkStatus();
}

absl::StatusOr<KeeperFacts> SeqpacketKeeper::Converse(const KeeperAddress& address,
                                                      const v1::KeeperRequest& request,
                                                      absl::Time deadline) const {
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::ErrnoToStatus(errno, "no socket");
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  absl::Status status = Connect(fd, address.control_socket, deadline);
  if (status.ok()) status = CheckPeer(fd, address.process);
  if (!status.ok()) return status;
  if (!request.has_get_session() && !address.instance.empty()) {
    const absl::StatusOr<KeeperFacts> who = Exchange(fd, LookRequest(), deadline);
    if (!who.ok()) return who.status();
    if (who->instance != address.instance) return *who;
  }
  return Exchange(fd, request, deadline);
}

absl::StatusOr<KeeperFacts> SeqpacketKeeper::Call(const KeeperAddress& address,
                                                  const v1::KeeperRequest& request,
                                                  absl::Time deadline) const {
  absl::StatusOr<KeeperFacts> facts = Converse(address, request, deadline);
  const std::string where = absl::StrCat("keeper at ", address.control_socket, ": ");
  if (!facts.ok()) {
    return absl::Status(facts.status().code(), absl::StrCat(where, facts.status().message()));
  }
  if (!address.instance.empty() && facts->instance != address.instance) {
    return absl::FailedPreconditionError(
        absl::StrCat(where, "it is instance ", facts->instance, ", not ", address.instance));
  }
  facts->control_socket = address.control_socket;
  return facts;
}

absl::StatusOr<KeeperFacts> SeqpacketKeeper::Look(const KeeperAddress& address,
                                                  absl::Time deadline) {
  return Call(address, LookRequest(), deadline);
}

absl::StatusOr<KeeperFacts> SeqpacketKeeper::Arm(const KeeperAddress& address,
                                                 const KeeperPermit& permit, absl::Time deadline) {
  const absl::StatusOr<v1::KeeperRequest> request = ArmRequest(permit);
  if (!request.ok()) return request.status();
  return Call(address, *request, deadline);
}

absl::StatusOr<KeeperFacts> SeqpacketKeeper::Disarm(const KeeperAddress& address,
                                                    const std::string& permit,
                                                    absl::Time deadline) {
  v1::KeeperRequest request;
  request.mutable_disarm()->set_permit(permit);
  return Call(address, request, deadline);
}

absl::StatusOr<KeeperFacts> SeqpacketKeeper::Fence(const KeeperAddress& address,
                                                   const std::string& permit, absl::Time deadline) {
  v1::KeeperRequest request;
  request.mutable_fence()->set_permit(permit);
  return Call(address, request, deadline);
}

absl::StatusOr<KeeperFacts> SeqpacketKeeper::ReplaceBackEnd(const KeeperAddress& address,
                                                            const std::string& socket_path,
                                                            absl::Time deadline) {
  v1::KeeperRequest request;
  request.mutable_replace_back_end()->set_socket_path(socket_path);
  return Call(address, request, deadline);
}

}  // namespace vuf
